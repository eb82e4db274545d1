/** Whole numbers of options that several commands have. */
import { CommandFailure } from '#cli/command-failure.ts'
import { contextTokensMax, contextTokensMin, readTokenCount } from '#core/config/text.ts'
import { type KvCacheType, kvCacheTypes } from '#core/engine-memory.ts'

/** `8192` or `8k`; null where it is left out. @throws {CommandFailure} naming the option. */
export function contextOf(text: string | undefined, option: string): number | null {
  if (text === undefined) return null
  const count = readTokenCount(text)
  if (count !== null && count >= contextTokensMin && count <= contextTokensMax) return count
  throw new CommandFailure(
    'wrong',
    `${option} takes a whole number from ${contextTokensMin} to ${contextTokensMax}, or as 8k or 32k, and not "${text}"`,
  )
}

/** As the protocol bounds them. */
const slotsMax = 1_024

/** Null where it is left out. @throws {CommandFailure} */
export function slotsOf(text: string | undefined): number | null {
  if (text === undefined) return null
  const count = Number(text)
  if (Number.isInteger(count) && count >= 1 && count <= slotsMax) return count
  throw new CommandFailure(
    'wrong',
    `--slots takes a whole number from 1 to ${slotsMax}, and not "${text}"`,
  )
}

/** `f16,q8_0`, the one to prefer first; null where it is left out. @throws {CommandFailure} */
export function kvCacheTypesOf(text: string | undefined, option: string): KvCacheType[] | null {
  if (text === undefined) return null
  return text.split(',').map((word) => {
    const type = kvCacheTypes.find((known) => known === word.trim())
    if (type !== undefined) return type
    throw new CommandFailure(
      'wrong',
      `${option} takes ${kvCacheTypes.join(', ')}, and not "${word.trim()}"`,
    )
  })
}
