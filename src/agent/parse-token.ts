/** `mt-<secret>.<fingerprint>` in its two parts; null when it is no token. */
export function parseToken(
  token: string,
): { readonly secret: string; readonly fingerprint: string } | null {
  const parts = /^(mt-[\w-]{20,60})\.([0-9a-f]{64})$/.exec(token.trim())
  return parts === null ? null : { secret: parts[1] as string, fingerprint: parts[2] as string }
}
