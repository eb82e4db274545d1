/**
 * Reads the configuration: motley.yaml, over it the environment, over that the options of the
 * command. Either everything is right, or every problem is said at once.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { readEnvironment } from '#cli/config-environment.ts'
import {
  ConfigError,
  type ConfigPath,
  type ConfigProblem,
  pathText,
  problemText,
} from '#cli/config-error.ts'
import { type ConfigIssue, configIssues } from '#cli/config-issues.ts'
import { readYaml, type YamlDocument } from '#cli/config-yaml.ts'
import { contradictions, type MotleyConfig, motleyConfig } from '#core/config/document.ts'
import { gatewayConfig } from '#core/config/gateway.ts'
import { type ConfigSchema, schemaAt } from '#core/config/json-schema.ts'
import { catalogNames } from '#weights/catalog/model-catalog.ts'

/** Settings that options of `motley gateway` and `motley up` give. */
export interface ConfigFlags {
  readonly listen?: string | undefined
  readonly strategy?: string | undefined
  readonly model?: string | undefined
  readonly name?: string | undefined
}

export interface ConfigRequest {
  /** The file; left out: MOTLEY_CONFIG, or motley.yaml in `cwd` where there is one. */
  readonly path?: string | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly flags?: ConfigFlags
  readonly cwd: string
  /** Models that deployments may name without variants; left out: nobody checks that. */
  readonly catalog?: ReadonlySet<string> | null
}

const flagPaths: Readonly<Record<keyof ConfigFlags, readonly string[]>> = {
  listen: ['gateway', 'listen'],
  strategy: ['routing', 'strategy'],
  model: ['embedded', 'model'],
  name: ['embedded', 'name'],
}

/** The file that a command will read, as the user names it; null when there is none to read. */
export function findConfigFile({ path, env, cwd }: ConfigRequest): string | null {
  const named = path ?? (env['MOTLEY_CONFIG'] || undefined)
  if (named !== undefined) return named
  return existsSync(resolve(cwd, 'motley.yaml')) ? 'motley.yaml' : null
}

/**
 * Where the gateway of this configuration listens, and who says so; null where nobody does. For
 * commands that only look for a gateway: the rest of the file may be wrong, and variables for its
 * secrets may be missing, as they are in the shell of somebody else.
 */
export function configuredListen(
  request: ConfigRequest,
): { readonly listen: string; readonly source: string } | null {
  const { env, cwd } = request
  const file = findConfigFile(request)
  const named = (value: unknown, source: string) => {
    const listen = gatewayConfig.shape.listen.safeParse(value)
    return value !== undefined && listen.success ? { listen: listen.data, source } : null
  }
  const fromEnvironment = named(env['MOTLEY_GATEWAY_LISTEN'] || undefined, 'MOTLEY_GATEWAY_LISTEN')
  if (fromEnvironment !== null || file === null || !existsSync(resolve(cwd, file))) {
    return fromEnvironment
  }
  const text = readText(resolve(cwd, file), file)
  const { value } = readYaml({ text, source: file, env, convert: fromText })
  const gateway = isMap(value) ? value['gateway'] : null
  return named(isMap(gateway) ? gateway['listen'] : undefined, file)
}

/** @throws {ConfigError} */
export function readConfig(request: ConfigRequest): MotleyConfig {
  const file = findConfigFile(request)
  const text = file === null ? '' : readText(resolve(request.cwd, file), file)
  const catalog = request.catalog ?? new Set(catalogNames())
  return parseConfig(text, { ...request, path: file ?? undefined, catalog })
}

/** Whether the file has this section at all, be it empty: no wish is not the wish for nothing. */
export function hasSection(request: ConfigRequest, section: keyof MotleyConfig): boolean {
  const file = findConfigFile(request)
  if (file === null) return false
  const text = readText(resolve(request.cwd, file), file)
  const { value } = readYaml({ text, source: file, env: request.env, convert: fromText })
  return typeof value === 'object' && value !== null && Object.hasOwn(value, section)
}

/**
 * The same for a text that is already read; `path` only says where it came from.
 * @throws {ConfigError}
 */
export function parseConfig(
  text: string,
  { path, env, flags = {}, cwd, catalog = null }: ConfigRequest,
): MotleyConfig {
  const source = path ?? 'motley.yaml'
  const yaml = readYaml({ text, source, env, convert: fromText })
  const problems: ConfigProblem[] = [...yaml.problems]
  const { settings, unknown } = readEnvironment(env)
  for (const { variable, text: problem } of unknown) {
    problems.push({ source: variable, line: null, text: problem })
  }
  if (!yaml.readable) throw new ConfigError(problems)

  const document = withoutEmptySections(yaml.value)
  const sources = new Map<string, string>()
  if (isMap(document)) {
    for (const { variable, path: at, value } of settings) {
      put(document, at, fromText(at, value))
      sources.set(at.join('.'), variable)
    }
    for (const [name, at] of Object.entries(flagPaths)) {
      const value = flags[name as keyof ConfigFlags]
      if (value === undefined) continue
      // Without a model file it names the bundled model, which is none of the configuration.
      if (name === 'name' && document['embedded'] === undefined) continue
      put(document, at, value)
      sources.set(at.join('.'), `--${name}`)
    }
  }

  const parsed = motleyConfig.safeParse(document)
  const wrongTogether = contradictions(document, catalog)
  if (parsed.success && problems.length === 0 && wrongTogether.length === 0) {
    const fromFlag = sources.has('embedded.model')
    const folder = dirname(resolve(cwd, source))
    return withAbsolutePaths(parsed.data, folder, fromFlag ? cwd : folder)
  }
  const wrong = configIssues(parsed.error?.issues ?? [], {
    value: document,
    variables: yaml.variables,
  })
  const wrongPaths = new Set(wrong.map((issue) => pathText(issue.path)))
  const issues: ConfigIssue[] = [
    ...wrong,
    ...wrongTogether
      .map(({ path: at, message }) => ({ path: at, text: `${pathText(at)}: ${message}` }))
      .filter((issue) => !wrongPaths.has(pathText(issue.path))),
  ]
  const said = new Set<string>()
  for (const issue of issues) {
    const problem = located(issue, sources, source, yaml)
    if (yaml.unfilled(issue.path) || said.has(problemText(problem))) continue
    said.add(problemText(problem))
    problems.push(problem)
  }
  throw new ConfigError(problems.sort((one, other) => (one.line ?? 0) - (other.line ?? 0)))
}

/**
 * A problem that only the machine shows, as a file that is not there, at the place where the
 * setting was written.
 */
export function problemAt(request: ConfigRequest, path: ConfigPath, text: string): ConfigProblem {
  const file = findConfigFile(request)
  const source = file ?? 'motley.yaml'
  const written = file === null ? '' : readText(resolve(request.cwd, file), file)
  const yaml = readYaml({ text: written, source, env: request.env, convert: fromText })
  return { source, line: yaml.line(path), text: `${pathText(path)}: ${text}` }
}

function readText(file: string, named: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why =
      code === 'ENOENT'
        ? 'there is no such file; check its name and the folder you are in'
        : code === 'EACCES'
          ? 'this user may not read it'
          : code === 'EISDIR'
            ? 'it is a folder; name the file in it'
            : message
    throw new ConfigError([{ source: named, line: null, text: `cannot be read: ${why}` }])
  }
}

/** Who wrote the setting: an option, a variable, or a line of the file. */
function located(
  { path, text }: ConfigIssue,
  sources: ReadonlyMap<string, string>,
  file: string,
  yaml: YamlDocument,
): ConfigProblem {
  const outside = sources.get(path.join('.'))
  if (outside !== undefined) {
    // Whoever typed an option has not typed the name of the setting.
    const name = `${pathText(path)}: `
    const isOption = outside.startsWith('--') && text.startsWith(name)
    return { source: outside, line: null, text: isOption ? text.slice(name.length) : text }
  }
  return { source: file, line: yaml.line(path), text }
}

/** A text as the kind of value its place takes; where it cannot be one, the text as it is. */
function fromText(path: ConfigPath, text: string): unknown {
  const kinds = kindsOf(schemaAt(path))
  if (kinds.has('string')) return text
  if ((kinds.has('number') || kinds.has('integer')) && /^[+-]?\d+(\.\d+)?$/.test(text.trim())) {
    return Number(text)
  }
  if (kinds.has('boolean') && /^(true|false)$/.test(text)) return text === 'true'
  return text
}

function kindsOf(schema: ConfigSchema | null): ReadonlySet<string> {
  if (schema === null) return new Set()
  return new Set([
    ...(schema.type === undefined ? [] : [schema.type]),
    ...(schema.anyOf ?? []).flatMap((option) => [...kindsOf(option)]),
  ])
}

/** `endpoints:` with every entry commented out reads as null, and means that there are none. */
function withoutEmptySections(value: unknown, path: ConfigPath = []): unknown {
  if (value === null && path.length === 0) return {}
  if (!isMap(value)) return value
  const filled: Record<string, unknown> = Object.create(null)
  for (const [key, child] of Object.entries(value)) {
    const childPath = [...path, key]
    const kinds = kindsOf(schemaAt(childPath))
    if (child === null && (kinds.has('object') || kinds.has('array'))) continue
    filled[key] = withoutEmptySections(child, childPath)
  }
  return filled
}

function put(document: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path
  if (key === undefined) return
  if (rest.length === 0) {
    document[key] = value
    return
  }
  document[key] ??= {}
  const inner = document[key]
  // Something else than a map stands in the file: that is said, and nothing is put over it.
  if (isMap(inner)) put(inner, rest, value)
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** The file says where its own relative paths start, an option starts where the user is. */
function withAbsolutePaths(
  config: MotleyConfig,
  folder: string,
  modelFolder: string,
): MotleyConfig {
  const { embedded, routing } = config
  const models = Object.entries(config.models).map(([name, model]) => {
    const variants = model.variants.map((variant) => ({
      ...variant,
      source: absoluteSource(variant.source, folder),
    }))
    return [name, { ...model, variants }] as const
  })
  return {
    ...config,
    models: Object.fromEntries(models),
    routing:
      routing.script === undefined
        ? routing
        : { ...routing, script: resolve(folder, routing.script) },
    ...(embedded === undefined
      ? {}
      : { embedded: { ...embedded, model: resolve(modelFolder, embedded.model) } }),
  }
}

/** Nodes know no folder of this file: what is a path becomes one from the root. */
function absoluteSource(source: string, folder: string): string {
  if (source.startsWith('file://')) return source
  const path = /^file:(.*)$/.exec(source)?.[1] ?? (/^(\.{0,2}|~)\//.test(source) ? source : null)
  if (path === null || path.startsWith('~')) return source
  return `file:${resolve(folder, path)}`
}
