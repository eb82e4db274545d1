/**
 * Looks for engines on this machine that somebody else started: on the ports that engines usually
 * have, on the loopback interface, by the pages that tell one engine from another. What it finds it
 * tells; it starts, stops and changes nothing.
 */
import { z } from 'zod'
import { type CheckMemory, checkEndpoint, newMemory } from '#agent/endpoint-check.ts'
import type { PageFetcher } from '#agent/page-fetcher.ts'
import { endpointConfig } from '#core/config/endpoints.ts'
import { endpointId } from '#core/ids.ts'
import { engines } from '#engines/index.ts'
import { type FoundEngine, foundModelsMax } from '#protocol/agent-messages.ts'
import type { Clock } from '#std/clock.ts'
import { parseJson } from '#std/parse-json.ts'

export interface FinderOptions {
  /** Where to look. */
  readonly ports: readonly number[]
  /** Whether a replica of this agent has the port. */
  readonly isOwn: (port: number) => boolean
  readonly fetchPage: PageFetcher
  readonly clock: Clock
  /** Called with all that there is, whenever that changes. */
  readonly onChange: (found: readonly FoundEngine[]) => void
}

/** The usual ports of all engines, each once. */
export const usualPorts: readonly number[] = [
  ...new Set(engines.flatMap((engine) => engine.usualPorts)),
].toSorted((one, other) => one - other)

/** Somebody who has just started an engine looks for it within the minute. */
const lookEveryMs = 30_000

/** To be told apart, a stranger is asked for a dozen pages; that is not done to it all the time. */
const strangerMs = 10 * 60_000

interface Seen {
  readonly memory: CheckMemory
  /** Null for what answers HTTP and is no engine. */
  readonly engine: FoundEngine | null
  readonly atMs: number
}

export class EngineFinder {
  readonly #options: FinderOptions
  readonly #seen = new Map<number, Seen>()
  readonly #stop = new AbortController()
  #cancelNext = (): void => {}
  #told = '[]'

  constructor(options: FinderOptions) {
    this.#options = options
    void this.#lookAround()
  }

  /** By their ports. */
  get found(): readonly FoundEngine[] {
    return [...this.#seen.values()]
      .flatMap(({ engine }) => engine ?? [])
      .filter(({ port }) => !this.#options.isOwn(port))
      .toSorted((one, other) => one.port - other.port)
  }

  /** Looks at one port now, usual or not; null when no engine is there. */
  async lookAt(port: number): Promise<FoundEngine | null> {
    await this.#look(port)
    this.#tell()
    return this.found.find((engine) => engine.port === port) ?? null
  }

  close(): void {
    this.#cancelNext()
    this.#stop.abort(new Error('the finder is closed'))
  }

  async #lookAround(): Promise<void> {
    const { ports, clock } = this.#options
    // What was asked for by its port stays in sight as long as it is there.
    const known = [...this.#seen].flatMap(([port, { engine }]) => (engine === null ? [] : [port]))
    const nowMs = clock.nowMs()
    const due = [...new Set([...ports, ...known])].filter((port) => {
      const seen = this.#seen.get(port)
      const isStranger = seen !== undefined && seen.engine === null
      return !isStranger || nowMs - seen.atMs >= strangerMs
    })
    await Promise.all(due.map((port) => this.#look(port)))
    if (this.#stop.signal.aborted) return
    this.#tell()
    this.#cancelNext = clock.schedule(lookEveryMs, () => void this.#lookAround())
  }

  /** Resolves also when it is told to stop meanwhile. */
  async #look(port: number): Promise<void> {
    const { isOwn, fetchPage, clock } = this.#options
    const { signal } = this.#stop
    if (isOwn(port)) {
      this.#seen.delete(port)
      return
    }
    const before = this.#seen.get(port)
    const config = endpointConfig.parse({ url: `http://127.0.0.1:${port}` })
    try {
      const { report, memory } = await checkEndpoint({
        id: endpointId(`127.0.0.1:${port}`),
        config,
        memory: before?.memory ?? newMemory(config),
        fetchPage,
        clock,
        signal,
      })
      const { verdict, detail } = report.check
      // A long prefill keeps an engine from saying anything.
      if (verdict === 'silent' && before?.engine != null) return
      if (verdict === 'refused' || verdict === 'silent') {
        this.#seen.delete(port)
        return
      }
      const models = report.models?.map(({ servedName }) => servedName) ?? before?.engine?.models
      // Any page that wants a password looks like a service with keys: only a list of models counts.
      const isEngine =
        report.engine !== null &&
        (report.engine !== 'openai' ||
          (models !== undefined && !(await isGateway(fetchPage, config.url, signal))))
      this.#seen.set(port, {
        memory,
        atMs: clock.nowMs(),
        engine: isEngine
          ? {
              port,
              engine: report.engine as string,
              version: report.engineVersion?.slice(0, 200) ?? null,
              models: models?.slice(0, foundModelsMax).map((name) => name.slice(0, 500)) ?? [],
              state: verdict,
              detail: detail?.slice(0, 2_000) ?? null,
            }
          : null,
      })
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  #tell(): void {
    const { found } = this
    const text = JSON.stringify(found)
    if (text === this.#told || this.#stop.signal.aborted) return
    this.#told = text
    this.#options.onChange(found)
  }
}

const gatewayHome = z.object({ name: z.literal('motley') })

/** Whether it is a gateway of Motley, which would be attached to itself. */
async function isGateway(
  fetchPage: PageFetcher,
  url: string,
  signal: AbortSignal,
): Promise<boolean> {
  const outcome = await fetchPage({ url, path: '/', apiKey: undefined, timeoutMs: 1_000, signal })
  if (outcome.kind !== 'answer') return false
  return gatewayHome.safeParse(parseJson(outcome.answer.body)).success
}
