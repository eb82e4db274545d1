/** Text that somebody else wrote, so that nothing in it moves the cursor of a terminal or ends a line. */
export function printable(text: string): string {
  // Controls, what turns the direction of a line, and what ends one.
  return text.replace(/[\p{C}\p{Zl}\p{Zp}]/gu, '?')
}
