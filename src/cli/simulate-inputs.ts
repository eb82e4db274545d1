/** What the commands under `motley simulate` are given: fleets, traces, policies, loads. */
import { readFile, stat } from 'node:fs/promises'
import { CommandFailure } from '#cli/command-failure.ts'
import { numberOf, sloOf } from '#cli/load-values.ts'
import { packageFile } from '#cli/package-files.ts'
import { type FleetEndpoint, FleetFileError, parseFleetFile } from '#simulator/fleet-file.ts'
import { type Policy, policyNames, policyOf } from '#simulator/policies.ts'
import { servesModel } from '#simulator/serves-model.ts'
import { loadTrace } from '#simulator/traces/load-trace.ts'
import { TraceError } from '#simulator/traces/parse-trace.ts'
import type { Trace, TraceRequest } from '#simulator/traces/trace.ts'
import { didYouMean } from '#std/closest.ts'

/** Fleets and traces that come with Motley, by the names that options take. */
export const ownFleets = ['lab', 'edge', 'vend', 'dc', 'homog', 'multi'] as const

export const ownTraces = {
  'azure2023-conv': 'azure2023-conv.csv.gz',
  'azure2023-code': 'azure2023-code.csv.gz',
  'mooncake-conversation': 'mooncake-conversation.jsonl.gz',
  'mooncake-synthetic': 'mooncake-synthetic.jsonl.gz',
  'servegen-multimodel': 'servegen-multimodel.csv.gz',
} as const

/** A file, or the name of one that comes with Motley. @throws {CommandFailure} */
export async function fleetOf(given: string): Promise<readonly FleetEndpoint[]> {
  const own = ownFleets.find((name) => name === given)
  const path =
    own !== undefined && !(await isFile(given)) ? packageFile(`fleets/${own}.yaml`) : given
  try {
    return parseFleetFile(await readFile(path, 'utf8'), given)
  } catch (error) {
    if (error instanceof FleetFileError) {
      throw new CommandFailure('wrong', `--fleet ${error.message}`, { cause: error })
    }
    const allowed = `a file, or one of ${ownFleets.join(', ')}`
    throw new CommandFailure(
      'wrong',
      `--fleet ${given}: there is no such file; it takes ${allowed}${didYouMean(given, ownFleets)}`,
    )
  }
}

/** A file, or the name of one that comes with Motley. @throws {CommandFailure} */
export async function traceOf(given: string): Promise<Trace> {
  const own = Object.hasOwn(ownTraces, given) ? ownTraces[given as keyof typeof ownTraces] : null
  const path = own !== null && !(await isFile(given)) ? packageFile(`traces/${own}`) : given
  try {
    return await loadTrace(path)
  } catch (error) {
    if (!(error instanceof TraceError)) throw error
    const known = Object.keys(ownTraces).join(', ')
    const meant = didYouMean(given, Object.keys(ownTraces))
    const hint = /no such file/.test(error.message)
      ? `; it takes a file, or one of ${known}${meant}`
      : ''
    throw new CommandFailure('wrong', `--trace ${error.message}${hint}`, { cause: error })
  }
}

async function isFile(path: string): Promise<boolean> {
  return (await stat(path).catch(() => null))?.isFile() ?? false
}

/** @throws {CommandFailure} naming one that there is not. */
export function policiesOf(list: string): readonly Policy[] {
  return list.split(',').map((text) => {
    const name = text.trim()
    const policy = policyOf(name)
    if (policy !== null) return policy
    const meant = didYouMean(name.split(':', 1)[0] ?? '', policyNames)
    throw new CommandFailure(
      'wrong',
      `--policies: there is no "${name}"; there are ${policyNames.join(', ')}${meant}`,
    )
  })
}

/** Far beyond what any fleet can serve, and not so far that a slip of the finger runs for hours. */
const loadMax = 5

/** @throws {CommandFailure} */
export function loadsOf(list: string, option: string): readonly number[] {
  return list.split(',').map((text) => {
    const [, percent] = /^(\d+(?:\.\d+)?) ?%$/.exec(text.trim()) ?? []
    if (percent !== undefined) {
      const part = Number(percent) / 100
      throw new CommandFailure(
        'wrong',
        `${option} takes parts, as 0.5 for a half, not "${text}"; did you mean "${part}"?`,
      )
    }
    const load = numberOf(text, option)
    if (load <= loadMax) return load
    throw new CommandFailure('wrong', `${option} takes numbers up to ${loadMax}, not "${text}"`)
  })
}

/** @throws {CommandFailure} without both targets. */
export function targetsOf(slo: string): { readonly ttftMs: number; readonly tpotMs: number } {
  const { ttftMs, tpotMs, endToEndMs } = sloOf(slo)
  if (ttftMs === null || tpotMs === null || endToEndMs !== null) {
    throw new CommandFailure('wrong', `--slo takes ttft and tpot here, as ttft=2s,tpot=100ms`)
  }
  return { ttftMs, tpotMs }
}

export interface Servable {
  readonly trace: Trace
  readonly leftOut: number
  /** What requests are taken to ask for that name no model; null where there are none. */
  readonly onlyModel: string | null
}

/** Without requests that no endpoint of their model has the memory for. @throws {CommandFailure} */
export function servable(given: Trace, fleet: readonly FleetEndpoint[]): Servable {
  const onlyModel = modelOfNameless(given, fleet)
  const trace =
    onlyModel === null
      ? given
      : {
          ...given,
          requests: given.requests.map((one) => ({ ...one, model: one.model ?? onlyModel })),
        }
  const holds = new Map<string | null, number>()
  for (const model of new Set(trace.requests.map((request) => request.model))) {
    const serving = fleet.filter((endpoint) => servesModel(endpoint, model))
    if (serving.length === 0)
      throw new CommandFailure('wrong', unservedText(trace.name, model, modelsOf(fleet)))
    holds.set(model, Math.max(...serving.map(({ kvTokens }) => kvTokens)))
  }
  const fits = ({ model, promptTokens, outputTokens }: TraceRequest) =>
    promptTokens + outputTokens <= (holds.get(model) ?? 0)
  const requests = trace.requests.filter(fits)
  if (requests.length === 0) {
    throw new CommandFailure('wrong', `${trace.name}: no endpoint can hold any of its requests`)
  }
  const leftOut = trace.requests.length - requests.length
  return { trace: { ...trace, requests }, leftOut, onlyModel }
}

/** A trace of one model need not name it, as no client has to say more to a fleet that serves one. */
function modelOfNameless({ requests }: Trace, fleet: readonly FleetEndpoint[]): string | null {
  const isServed = fleet.some((endpoint) => servesModel(endpoint, null))
  if (isServed || requests.every(({ model }) => model !== null)) return null
  const [only, another] = modelsOf(fleet)
  return another === undefined ? (only ?? null) : null
}

const modelsOf = (fleet: readonly FleetEndpoint[]): readonly string[] => [
  ...new Set(fleet.flatMap(({ models }) => models ?? [])),
]

const modelsShown = 4

function unservedText(trace: string, model: string | null, served: readonly string[]): string {
  const some = served.slice(0, modelsShown).join(', ')
  const names =
    served.length > modelsShown ? `${some} and ${served.length - modelsShown} more` : some
  return model === null
    ? `${trace} names no models, and the fleet serves several (${names}): write a column "model" into the trace, or leave "models" out of the fleet file`
    : `${trace} asks for ${model}, which no endpoint of the fleet serves: add it to "models" of the fleet file${served.length === 0 ? '' : `, which has ${names}`}`
}
