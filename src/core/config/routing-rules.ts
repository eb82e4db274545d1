/** `routing.rules` of motley.yaml: which endpoints may take which requests, and which had better. */
import { z } from 'zod'
import { byteSize, modelText, nameText } from '#core/config/text.ts'
import { backends } from '#core/engine-build.ts'
import { engineIds } from '#core/engine-id.ts'
import { tasks } from '#core/task.ts'

const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, m: 1e6, b: 1e9 }
const amount = String.raw`(\d+(?:\.\d+)?)([kmb]?)`
const oneSided = new RegExp(`^([<>])\\s*${amount}$`, 'i')
const twoSided = new RegExp(`^${amount}\\s*\\.\\.\\s*${amount}$`, 'i')

/** `>40B`, `<10B`, `10B..40B`, `>8000`: numbers with k, M or B for thousands, millions, billions. */
export const numberRange = z
  .string()
  .refine((text) => readRange(text) !== null)
  .meta({ allowed: 'a range such as ">40B", "<10B" or "10B..40B"' })
  .transform((text) => readRange(text) ?? { above: null, below: null, text })

function readRange(
  text: string,
): { above: number | null; below: number | null; text: string } | null {
  const one = oneSided.exec(text.trim())
  if (one !== null) {
    const [, sign, number, unit] = one
    const value = valueOfAmount(number, unit)
    return sign === '>' ? { above: value, below: null, text } : { above: null, below: value, text }
  }
  const two = twoSided.exec(text.trim())
  if (two === null) return null
  const [, low, lowUnit, high, highUnit] = two
  const [from, to] = [valueOfAmount(low, lowUnit), valueOfAmount(high, highUnit)]
  // Both ends are meant to be in it; numbers of parameters and tokens are whole.
  return from <= to ? { above: from - 1, below: to + 1, text } : null
}

function valueOfAmount(number: string | undefined, unit: string | undefined): number {
  return Number(number) * (units[(unit ?? '').toLowerCase()] ?? 1)
}

/** Left out is null: what reads rules then needs one word for "does not matter". */
function orNull<Inner extends z.ZodType>(inner: Inner) {
  return inner.optional().transform((value) => value ?? null)
}

const demand = z
  .strictObject({
    backends: orNull(z.array(z.enum(backends)).min(1)).describe('What its engine is built for.'),
    minVram: orNull(byteSize).describe('Memory of its devices together, as 40GiB.'),
    nodes: orNull(z.array(nameText).min(1)).describe('Machines it may be on.'),
    endpoints: orNull(z.array(nameText).min(1)).describe('Endpoints by name.'),
    engines: orNull(z.array(z.enum(engineIds)).min(1)).describe('The software that answers.'),
    labels: orNull(z.record(z.string(), z.string())).meta({
      allowed: 'a map of label names to texts',
      description: 'Labels that it has, as privacy: in-house.',
    }),
  })
  .transform(({ minVram, ...rest }) => ({ ...rest, minVramBytes: minVram }))

export const routingRule = z
  .strictObject({
    when: z
      .strictObject({
        modelSize: orNull(numberRange).describe('Parameters of the model, as ">40B".'),
        models: orNull(z.array(modelText).min(1)).describe(
          'Model names; * stands for any letters.',
        ),
        tasks: orNull(z.array(z.enum(tasks)).min(1)).describe(
          'What is asked for, as chat; messages are count-tokens too.',
        ),
        keys: orNull(z.array(nameText).min(1)).describe('Names of gateway.keys.'),
        promptTokens: orNull(numberRange).describe('About how long the prompt is, as ">8000".'),
      })
      .prefault({})
      .describe('For which requests it holds. Left out: for all.'),
    require: orNull(demand).describe('What an endpoint must be. What nobody knows, it is not.'),
    prefer: orNull(demand).describe('What an endpoint had better be: tried first.'),
  })
  .refine(({ require, prefer }) => require !== null || prefer !== null, {
    error: 'a rule with "require", "prefer" or both',
  })
