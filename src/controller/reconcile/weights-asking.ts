/**
 * Finds out what the weights of deployments are: a node is asked to read their headers, which costs
 * some megabytes and not the download. What is known already is not asked again.
 */
import { AgentFailure, type AgentSession } from '#controller/agent-session.ts'
import { askAgent } from '#controller/ask-agent.ts'
import type { Fleet } from '#controller/fleet.ts'
import { wantedDeployments } from '#controller/reconcile/plan-input.ts'
import { inspectedWeights } from '#protocol/inspected-weights.ts'

/** Headers of the largest models are megabytes, and hubs are slow at times. */
const answerWithinMs = 150_000

/** A hub that was away comes back; a reference that is wrong stays so. */
const askAgainMs = 5 * 60_000

export class WeightsAsking {
  readonly #fleet: Fleet
  readonly #onKnown: (because: string) => void
  readonly #asking = new Set<string>()
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
  }

  #askLater(source: string): void {
    // What cannot be written down now is asked for again with the next plan.
    this.#ask(source).catch((error: unknown) =>
      this.#fleet.log(`what ${source} holds is not kept: ${(error as Error).message}`),
    )
  }

  async #ask(source: string): Promise<void> {
    const fleet = this.#fleet
    const failedAtMs = this.#failures.get(source)?.atMs ?? Number.NEGATIVE_INFINITY
    if (this.#asking.has(source) || fleet.clock.nowMs() - failedAtMs < askAgainMs) return
    const sessions = this.#sessionsFor(source)
    if (sessions.length === 0) return
    this.#asking.add(source)
    try {
      await this.#askOneOf(sessions, source)
    } finally {
      this.#asking.delete(source)
    }
  }

  /** A file lies on one machine and not on the others, so all are asked until one knows it. */
  async #askOneOf(sessions: readonly AgentSession[], source: string): Promise<void> {
    const fleet = this.#fleet
    let why = ''
    for (const session of sessions) {
      try {
        const params = { source }
        const read = await askAgent(session, inspectedWeights, 'inspect', params, answerWithinMs)
        fleet.append({ type: 'weights-inspected', weights: { ...read, source } })
        this.#failures.delete(source)
        this.#onKnown(`what ${source} holds is known`)
        return
      } catch (error) {
        if (!(error instanceof AgentFailure)) throw error
        why = error.message
      }
    }
    if (this.#failures.get(source)?.why !== why) fleet.log(`${source} cannot be read: ${why}`)
    this.#failures.set(source, { atMs: fleet.clock.nowMs(), why })
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
