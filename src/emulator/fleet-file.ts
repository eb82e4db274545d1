import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { tasks } from '#core/task.ts'
import { emulatedEngines } from '#emulator/emulated-engine.ts'
import { emulatedDevices } from '#emulator/engine-model.ts'
import { FaultSyntaxError, parseFault } from '#emulator/fault.ts'
import { type EmulatorOptions, EmulatorOptionsError } from '#emulator/options.ts'
import { isFields } from '#emulator/request-fields.ts'
import { allowedBy, valueAt } from '#std/zod-issue.ts'

const positive = z.number().positive()
const notNegative = z.number().min(0)

/** Each is a server in this one process, and a slip of the finger should not fill its memory. */
const countMax = 1_000

const entry = z.strictObject({
  name: z.string().min(1),
  /** Without it, the engine that the device's figures are of, or vllm. */
  engine: z.enum(emulatedEngines).optional(),
  device: z.enum(Object.keys(emulatedDevices)).optional(),
  models: z.array(z.string().min(1)).min(1).optional(),
  host: z.string().min(1).optional(),
  port: z.number().int().min(0).max(65_535).optional(),
  /** How many of it; the others are named name-2, name-3 and take the ports after the first. */
  count: z.number().int().min(1).max(countMax).optional(),
  prefillTokensPerSecond: positive.optional(),
  decodeTokensPerSecond: positive.optional(),
  slots: z.number().int().min(1).optional(),
  kvTokens: z.number().int().min(1).optional(),
  batchTokens: z.number().int().min(1).optional(),
  speed: notNegative.optional(),
  loadMs: notNegative.optional(),
  faults: z.array(z.string()).optional(),
  seed: z.number().int().optional(),
  apiKey: z.string().min(1).optional(),
  contextTokens: z.number().int().min(1).optional(),
  keepAliveTimeoutMs: notNegative.optional(),
  tasks: z.array(z.enum(tasks)).min(1).optional(),
})

const list = z.array(entry).min(1)

/** A fleet of the simulator, whose list is called `endpoints`, can be emulated, too. */
const fleets = {
  emulators: z.strictObject({ emulators: list }),
  endpoints: z
    .strictObject({ endpoints: list })
    .transform(({ endpoints: emulators }) => ({ emulators })),
}

/**
 * Reads a fleet of emulators from YAML. Throws {@link EmulatorOptionsError} whose message names the
 * file, the key, what was found and what is allowed.
 */
export function parseFleetFile(text: string, fileName: string): readonly EmulatorOptions[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const [broken] = document.errors
  if (broken !== undefined) {
    const { line } = lines.linePos(broken.pos[0])
    const what =
      broken.code === 'TAB_AS_INDENT'
        ? 'a tab starts this line; YAML takes only spaces there'
        : `not valid YAML: ${broken.message.split('\n', 1)[0]}`
    throw new EmulatorOptionsError(`${fileName}:${line}: ${what}`)
  }
  const found: unknown = document.toJS()
  const key = isFields(found) && 'endpoints' in found ? 'endpoints' : 'emulators'
  const parsed = fleets[key].safeParse(found)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    if (issue === undefined)
      throw new EmulatorOptionsError(`${fileName}: cannot be read as a fleet`)
    throw new EmulatorOptionsError(describeIssue(issue, found, fileName))
  }
  const options = parsed.data.emulators.flatMap((one, index) =>
    expand(one, `${key}[${index}]`, fileName),
  )
  refuseTwins(options, fileName)
  return options
}

function expand(
  { count = 1, ...one }: z.infer<typeof entry>,
  place: string,
  fileName: string,
): EmulatorOptions[] {
  for (const [at, fault] of (one.faults ?? []).entries()) {
    try {
      parseFault(fault)
    } catch (error) {
      if (!(error instanceof FaultSyntaxError)) throw error
      const key = `${place}.faults[${at}]`
      throw new EmulatorOptionsError(`${fileName}: ${key}: ${error.message}`, { cause: error })
    }
  }
  const { port = 0 } = one
  return Array.from({ length: count }, (_, copy) => {
    const given = Object.entries(one).filter(([, value]) => value !== undefined)
    return {
      ...(Object.fromEntries(given) as Defined<typeof one>),
      engine: one.engine ?? engineOf(one.device),
      name: copy === 0 ? one.name : `${one.name}-${copy + 1}`,
      ...(port === 0 ? {} : { port: port + copy }),
    }
  })
}

function engineOf(device: string | undefined): EmulatorOptions['engine'] {
  return (device === undefined ? undefined : emulatedDevices[device]?.engine) ?? 'vllm'
}

/** An option that is left out is absent, not undefined. */
type Defined<Options> = {
  [Key in keyof Options]: Exclude<Options[Key], undefined>
}

function refuseTwins(options: readonly EmulatorOptions[], fileName: string): void {
  const names = new Set<string>()
  const ports = new Map<string, string>()
  for (const { name = '', host = '127.0.0.1', port = 0 } of options) {
    if (names.has(name)) {
      throw new EmulatorOptionsError(
        `${fileName}: name: found ${name} twice, allowed: a name for one`,
      )
    }
    names.add(name)
    const address = `${host}:${port}`
    const other = ports.get(address)
    if (port !== 0 && other !== undefined) {
      throw new EmulatorOptionsError(
        `${fileName}: port: found ${port} for both ${other} and ${name}, allowed: a port for one`,
      )
    }
    ports.set(address, name)
  }
}

function describeIssue(issue: z.core.$ZodIssue, root: unknown, fileName: string): string {
  const key = issue.path
    .map((step, index) =>
      typeof step === 'number' ? `[${step}]` : `${index === 0 ? '' : '.'}${String(step)}`,
    )
    .join('')
  const place = key === '' ? fileName : `${fileName}: ${key}`
  if (issue.code === 'unrecognized_keys') {
    const allowed = (issue.path.length === 0 ? Object.keys(fleets) : Object.keys(entry.shape)).join(
      ', ',
    )
    return `${place}: found the key ${issue.keys.join(', ')}, allowed: ${allowed}`
  }
  const found = JSON.stringify(valueAt(root, issue.path)) ?? 'nothing'
  return `${place}: found ${found}, allowed: ${allowedBy(issue)}`
}
