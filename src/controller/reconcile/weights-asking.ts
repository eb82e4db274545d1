/**
 * Finds out what the weights of deployments are: a node is asked to read their headers, which costs
 * some megabytes and not the download. What is known already is not asked again.
 */
import { AgentFailure, type AgentSession } from '#controller/agent-session.ts'
import { askAgent } from '#controller/ask-agent.ts'
import { ControllerRefusal } from '#controller/controller-refusal.ts'
import type { Fleet } from '#controller/fleet.ts'
import { factsOf, wantedDeployments } from '#controller/reconcile/plan-input.ts'
import { type InspectedWeights, inspectedWeights } from '#protocol/inspected-weights.ts'
import { ownValue } from '#std/own-value.ts'

/** Headers of the largest models are megabytes, and hubs are slow at times. */
const answerWithinMs = 150_000

/** A hub that was away comes back; a reference that is wrong stays so. */
const askAgainMs = 5 * 60_000

/** Far more than are wanted at once; what people only asked about and mistyped is forgotten first. */
export const failuresMax = 500

export class WeightsAsking {
  readonly #fleet: Fleet
  readonly #onKnown: (because: string) => void
  /** Null when it is known then; else why it is not. */
  readonly #asking = new Map<string, Promise<string | null>>()
  /** When each could not be read, and why: for people, and for not asking again at once. */
  readonly #failures = new Map<string, { readonly atMs: number; readonly why: string }>()

  constructor(fleet: Fleet, onKnown: (because: string) => void) {
    this.#fleet = fleet
    this.#onKnown = onKnown
  }

  /** Why the headers of a source are not known; null while nobody has failed to read them. */
  failureOf(source: string): string | null {
    return this.#failures.get(source)?.why ?? null
  }

  /** Asks for all that is not known and not being asked for. */
  askForUnknown(): void {
    const { state } = this.#fleet
    for (const { variants } of wantedDeployments(state)) {
      for (const { source, facts } of variants) {
        if (facts === null && !Object.hasOwn(state.inspected, source)) this.#askLater(source)
      }
    }
    // What somebody starts by hand takes memory, too: how much, plans must know before it does.
    for (const { spec, placed } of Object.values(state.replicas)) {
      if (placed === null && factsOf(spec.source, state) === null) this.#askLater(spec.source)
    }
  }

  /**
   * What a source holds, for whoever plans with it before it is wanted; asked for now if it is not
   * known. Rejects with `ControllerRefusal` where no node can tell.
   */
  async read(source: string): Promise<InspectedWeights> {
    const known = () => {
      const { inspected } = this.#fleet.state
      return ownValue(inspected, source)
    }
    const why = known() === undefined ? await this.#ask(source) : null
    const read = known()
    if (read !== undefined) return read
    throw new ControllerRefusal(`${source} cannot be read: ${why ?? 'nobody has told'}`)
  }

  #askLater(source: string): void {
    const failedAtMs = this.#failures.get(source)?.atMs ?? Number.NEGATIVE_INFINITY
    if (this.#asking.has(source) || this.#fleet.clock.nowMs() - failedAtMs < askAgainMs) return
    // What cannot be written down now is asked for again with the next plan.
    this.#ask(source).catch((error: unknown) =>
      this.#fleet.log(`what ${source} holds is not kept: ${(error as Error).message}`),
    )
  }

  /** Rejects with `StoreError`. */
  #ask(source: string): Promise<string | null> {
    const before = this.#asking.get(source)
    if (before !== undefined) return before
    const sessions = this.#sessionsFor(source)
    if (sessions.length === 0) return Promise.resolve('no machine is connected that could')
    const asking = this.#askOneOf(sessions, source).finally(() => this.#asking.delete(source))
    this.#asking.set(source, asking)
    return asking
  }

  /** A file lies on one machine and not on the others, so all are asked until one knows it. */
  async #askOneOf(sessions: readonly AgentSession[], source: string): Promise<string | null> {
    const fleet = this.#fleet
    let why = ''
    for (const session of sessions) {
      try {
        const params = { source }
        const read = await askAgent(session, inspectedWeights, 'inspect', params, answerWithinMs)
        fleet.append({ type: 'weights-inspected', weights: { ...read, source } })
        this.#failures.delete(source)
        this.#onKnown(`what ${source} holds is known`)
        return null
      } catch (error) {
        if (!(error instanceof AgentFailure)) throw error
        why = error.message
      }
    }
    if (this.#failures.get(source)?.why !== why) fleet.log(`${source} cannot be read: ${why}`)
    this.#noteFailure(source, why)
    return why
  }

  /** The newest stand last: those that are wanted are asked for, and fail, again and again. */
  #noteFailure(source: string, why: string): void {
    this.#failures.delete(source)
    this.#failures.set(source, { atMs: this.#fleet.clock.nowMs(), why })
    const [oldest] = this.#failures.keys()
    if (this.#failures.size > failuresMax && oldest !== undefined) this.#failures.delete(oldest)
  }

  /** Nodes that have the weights first. */
  #sessionsFor(source: string): AgentSession[] {
    const there = this.#fleet.nodes().flatMap(({ id }) => {
      const live = this.#fleet.live.get(id)
      if (live?.session == null) return []
      return [{ session: live.session, has: live.inventory?.weights?.includes(source) ?? false }]
    })
    return there
      .toSorted((one, other) => Number(other.has) - Number(one.has))
      .map(({ session }) => session)
  }
}
