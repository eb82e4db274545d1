/** Small texts with a meaning that several sections of the configuration use. */
import { z } from 'zod'

/** A name that is safe in URLs, metrics labels and shell commands. */
export const nameText = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/,
    'a name of letters, digits, ".", "_" and "-", at most 63 characters',
  )

/** A model name as clients send it: may hold slashes and colons, never blanks. */
export const modelText = z
  .string()
  .regex(/^[^\s"\\]{1,200}$/, 'a model name without blanks, quotes or backslashes')

export const httpUrl = z
  .string()
  .refine(
    (text) => URL.canParse(text) && /^https?:$/.test(new URL(text).protocol),
    'a URL that starts with http:// or https://',
  )

const unitBytes = { '': 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, KB: 1e3, MB: 1e6, GB: 1e9 }

/** A size in bytes: a whole number, or a number with a unit such as `32MiB`. */
export const byteSize = z.union([
  z.int().positive(),
  z
    .string()
    .regex(/^\d+(\.\d+)?(KiB|MiB|GiB|KB|MB|GB)?$/, 'a size such as 500000, 64KiB or 32MiB')
    .transform((text) => {
      const [, number, unit] = /^([\d.]+)(.*)$/.exec(text) as unknown as [string, string, string]
      return Math.round(Number(number) * unitBytes[unit as keyof typeof unitBytes])
    }),
])

export const milliseconds = z.int().nonnegative()
