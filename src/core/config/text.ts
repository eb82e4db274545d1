/**
 * Small texts with a meaning that several sections of the configuration use. The `allowed` of each
 * completes the sentence "allowed: …" of an error message.
 */
import { z } from 'zod'

/** A name that is safe in URLs, metrics labels and shell commands. */
export const nameText = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
  .meta({ allowed: 'a name of letters, digits, ".", "_" and "-", at most 63 characters' })

/** An address to listen on. */
export const listenText = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:]+\]|[^:\s]+):\d{1,5}$/)
  .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535)
  .meta({ allowed: 'host:port, as 127.0.0.1:7070 or [::1]:7070, with a port up to 65535' })

/** A model name as clients send it: may hold slashes and colons, never blanks. */
export const modelText = z
  .string()
  .regex(/^[^\s"\\]{1,200}$/)
  .meta({ allowed: 'a model name without blanks, quotes or backslashes' })

export const httpUrl = z
  .string()
  .refine((text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol))
  .meta({ allowed: 'a URL that starts with http:// or https://' })

export const pathText = z.string().min(1).meta({ allowed: 'the path of a file' })

const unitBytes = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, KB: 1e3, MB: 1e6, GB: 1e9 }

/** A size in bytes: a whole number, or a number with a unit such as `32MiB`. */
export const byteSize = z
  .union([
    z.int().positive(),
    z
      .string()
      .regex(/^\d+(\.\d+)?(KiB|MiB|GiB|KB|MB|GB)?$/)
      .transform((text) => {
        const [, number, unit] = /^([\d.]+)(.*)$/.exec(text) as unknown as [string, string, string]
        return Math.round(Number(number) * unitBytes[unit as keyof typeof unitBytes])
      }),
  ])
  .meta({ allowed: 'a size such as 500000, 64KiB or 32MiB' })

/** `8192`, or `8k` for 8 × 1024 tokens; null for anything else. */
export function readTokenCount(text: string): number | null {
  const [, digits, unit] = /^(\d{1,12})(k?)$/i.exec(text.trim()) ?? []
  return digits === undefined ? null : Number(digits) * (unit ? 1_024 : 1)
}

/** Less holds no chat template with a question in it. */
export const contextTokensMin = 64
export const contextTokensMax = 100_000_000

/** A context in tokens: a whole number, or thousands as people say them, such as `32k`. */
export const contextTokens = z
  .union([
    z.int().min(contextTokensMin).max(contextTokensMax),
    z
      .string()
      .refine((text) => {
        const count = readTokenCount(text) ?? 0
        return count >= contextTokensMin && count <= contextTokensMax
      })
      .transform((text) => readTokenCount(text) ?? 0),
  ])
  .meta({
    allowed: `a whole number from ${contextTokensMin} to ${contextTokensMax}, or as 8k or 32k`,
  })

/** What a timer of Node holds: a longer wait would fire at once. It is 24.8 days. */
const timerMsMax = 2 ** 31 - 1

export const milliseconds = z.int().nonnegative().max(timerMsMax)
