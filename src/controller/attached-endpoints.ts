/** Engines that somebody else runs on a node, as endpoints: which one is meant, and what it is called. */
import type { AttachedEndpoint } from '#controller/cluster-state.ts'
import type { FoundEngine } from '#protocol/agent-messages.ts'

/** A found engine, and the endpoint that it is, if it is one. */
export interface FoundView extends FoundEngine {
  /** Null until it is attached. */
  readonly attachedAs: string | null
}

/** Which engine of a node somebody means: by its kind, or by its port. */
export type FoundChoice =
  | { readonly kind: 'chosen'; readonly engine: FoundEngine }
  /** Nobody has seen an engine at this port yet: the agent can be asked to look. */
  | { readonly kind: 'port'; readonly port: number }
  /** None, or several, in a sentence. */
  | { readonly kind: 'refused'; readonly message: string }

/** `what`: an engine's name, or a port as a number in decimal. */
export function chooseFound(
  nodeName: string,
  found: readonly FoundEngine[],
  what: string,
): FoundChoice {
  if (/^\d{1,5}$/.test(what)) {
    const port = Number(what)
    const engine = found.find((one) => one.port === port)
    if (engine !== undefined) return { kind: 'chosen', engine }
    if (port >= 1 && port <= 65_535) return { kind: 'port', port }
    return { kind: 'refused', message: `${what} is no port: they go from 1 to 65535` }
  }
  const engines = found.filter(({ engine }) => engine === what)
  const [engine] = engines
  if (engine !== undefined && engines.length === 1) return { kind: 'chosen', engine }
  if (engine !== undefined) {
    const ports = engines.map(({ port }) => port).join(', ')
    return {
      kind: 'refused',
      message: `${nodeName} has ${engines.length} of ${what}: say which by its port, one of ${ports}`,
    }
  }
  const there = found.map((one) => `${one.engine} on port ${one.port}`).join(', ')
  return {
    kind: 'refused',
    message: `no ${what} was found on ${nodeName}; ${there === '' ? 'nothing was' : `there is ${there}`}; one on another port is named by that, as ${nodeName}/8001`,
  }
}

/** The engine and its node, with the port where that name is taken. */
export function attachedName(
  { engine, port }: FoundEngine,
  nodeName: string,
  isTaken: (name: string) => boolean,
): string {
  const name = `${engine}-${nodeName}`.replace(/[^A-Za-z0-9._-]+/g, '-').slice(0, 57)
  return isTaken(name) ? `${name}-${port}` : name
}

export function withAttached(
  found: readonly FoundEngine[],
  attached: readonly AttachedEndpoint[],
): FoundView[] {
  return found.map((engine) => ({
    ...engine,
    attachedAs: attached.find(({ port }) => port === engine.port)?.id ?? null,
  }))
}
