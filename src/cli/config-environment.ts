/** `MOTLEY_…` environment variables: one for each single-valued setting of two sections. */
import { scalarPaths } from '#core/config/json-schema.ts'
import { didYouMean } from '#std/closest.ts'

/** Sections whose settings somebody changes from one start to the next. */
const sections = ['gateway', 'routing'] as const

/** Variables that are no settings: read by commands. */
const otherVariables: readonly string[] = [
  'MOTLEY_CONFIG',
  'MOTLEY_KEY',
  'MOTLEY_URL',
  'MOTLEY_DATA_DIR',
  'MOTLEY_ENGINE_PATH',
]

/** Kubernetes puts these into every container beside a Service whose name starts with "motley". */
export const setByKubernetes =
  /^MOTLEY_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$/

export interface EnvironmentSetting {
  readonly variable: string
  readonly path: readonly string[]
  readonly value: string
}

/** MOTLEY_GATEWAY_DRAIN_MS for gateway.drainMs. */
function variableName(path: readonly string[]): string {
  const words = path.map((step) => step.replace(/[A-Z]/g, (letter) => `_${letter}`))
  return ['MOTLEY', ...words].join('_').toUpperCase()
}

/** Every such variable and the setting it gives. */
export function settingVariables(): ReadonlyMap<string, readonly string[]> {
  const paths = sections.flatMap((section) => scalarPaths(section))
  return new Map(paths.map((path) => [variableName(path), path]))
}

/** What the environment sets. An empty variable counts as not set, as compose files write it. */
export function readEnvironment(env: Readonly<Record<string, string | undefined>>): {
  readonly settings: readonly EnvironmentSetting[]
  readonly unknown: readonly { readonly variable: string; readonly text: string }[]
} {
  const given = Object.entries(env).filter(
    (entry): entry is [string, string] =>
      entry[0].startsWith('MOTLEY_') &&
      entry[1] !== undefined &&
      entry[1] !== '' &&
      !otherVariables.includes(entry[0]) &&
      !setByKubernetes.test(entry[0]),
  )
  if (given.length === 0) return { settings: [], unknown: [] }
  const known = settingVariables()
  const settings: EnvironmentSetting[] = []
  const unknown: { variable: string; text: string }[] = []
  for (const [variable, value] of given) {
    const path = known.get(variable)
    if (path === undefined) {
      const close = didYouMean(variable, [...known.keys(), ...otherVariables])
      unknown.push({ variable, text: `no setting has this name${close}` })
    } else {
      settings.push({ variable, path, value })
    }
  }
  return { settings, unknown }
}
