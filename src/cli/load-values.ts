/** Values of the options of `motley load` and `motley simulate`: times, numbers, targets. */
import { CommandFailure } from '#cli/command-failure.ts'
import type { Slo } from '#loadtest/load-report.ts'

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const

/** What a timer of Node holds: a longer one would be over at once. */
const durationMsMax = 24 * 24 * unitMs.h

/** `500ms`, `60s`, `5m`. @throws {CommandFailure} naming the option. */
export function durationOf(text: string, option: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text) ?? []
  const durationMs = Number(number) * unitMs[(unit ?? 'ms') as keyof typeof unitMs]
  if (durationMs > durationMsMax) {
    throw new CommandFailure('wrong', `${option} takes at most 24 days, and not "${text}"`)
  }
  if (durationMs > 0) return durationMs
  if (/^\d+(?:\.\d+)?$/.test(text) && Number(text) > 0) {
    const why = `${option} needs the unit of its time: ${text}s, ${text}ms or ${text}m, not "${text}"`
    throw new CommandFailure('wrong', why)
  }
  const what = durationMs === 0 ? 'a time above 0' : 'a time'
  throw new CommandFailure('wrong', `${option} takes ${what}, as 500ms, 60s or 5m, not "${text}"`)
}

/** A number above 0, or from 0 with `zero`. @throws {CommandFailure} naming the option. */
export function numberOf(
  text: string,
  option: string,
  { whole = false, zero = false }: { readonly whole?: boolean; readonly zero?: boolean } = {},
): number {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  const isRight = (zero ? value >= 0 : value > 0) && Number.isFinite(value)
  if (isRight && (!whole || Number.isSafeInteger(value))) return value
  const what = `${whole ? 'a whole number' : 'a number'} ${zero ? 'from 0' : 'above 0'}`
  throw new CommandFailure('wrong', `${option} takes ${what}, not "${text}"`)
}

const sloNames = { ttft: 'ttftMs', tpot: 'tpotMs', e2e: 'endToEndMs' } as const

/** `ttft=2s,tpot=100ms`; what is left out is not asked for. @throws {CommandFailure} */
export function sloOf(text: string): Slo {
  const slo: { -readonly [Name in keyof Slo]: Slo[Name] } = {
    ttftMs: null,
    tpotMs: null,
    endToEndMs: null,
  }
  for (const part of text.split(',')) {
    const [name = '', time = ''] = part.split('=').map((word) => word.trim())
    if (!Object.hasOwn(sloNames, name)) {
      throw new CommandFailure(
        'wrong',
        `--slo takes targets as ttft=2s,tpot=100ms,e2e=30s, not "${part}"`,
      )
    }
    slo[sloNames[name as keyof typeof sloNames]] = durationOf(time, `--slo ${name}`)
  }
  return slo
}
