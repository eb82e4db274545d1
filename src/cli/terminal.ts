import { styleText } from 'node:util'
import { folded } from '#cli/folded.ts'

type Style = Parameters<typeof styleText>[0]

/** Coloured on a terminal, plain elsewhere and where NO_COLOR asks for it. */
export function paint(style: Style, text: string, stream = process.stdout): string {
  return styleText(style, text, { stream, validateStream: true })
}

export function printJson(value: unknown): void {
  console.log(JSON.stringify(value, null, 2))
}

/** For people, beside the answers of commands: standard error. Everything but a progress bar. */
export function logLine(line: string): void {
  process.stderr.write(`${folded(line, process.stderr)}\n`)
}
