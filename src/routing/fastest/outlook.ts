/**
 * What a decision looks at beside the request that it is for: the endpoints, which of them serve
 * what, who holds which prefix, and how long prompts and answers are.
 */
import type { EndpointId } from '#core/ids.ts'
import type { DispatchEndpoint, DispatchRequest } from '#routing/dispatcher.ts'
import type { EndpointGroup } from '#routing/fastest/endpoint-group.ts'
import { EndpointGroups } from '#routing/fastest/endpoint-groups.ts'
import { EndpointModel } from '#routing/fastest/endpoint-model.ts'
import { type Facts, lossLimit, type Urgency } from '#routing/fastest/judge.ts'
import { OutputLengths } from '#routing/fastest/output-lengths.ts'
import type { FastestTuning } from '#routing/fastest/tuning.ts'
import { usualCostMs } from '#routing/fastest/usual-cost.ts'
import type { Waiting } from '#routing/fastest/waiting-line.ts'
import { PrefixIndex } from '#routing/prefix-index.ts'
import { ewma } from '#std/ewma.ts'

/** One prompt moves the mean by a hundredth. */
const meanPromptWeight = 0.01
/** What an engine of unknown size may hold of prefixes, tokens: that of a large GPU. */
const unknownKvTokens = 500_000

/** Facts of one request, to be completed for one endpoint after another. */
export type OpenFacts = Facts & { heldTokens: number }

export class Outlook {
  readonly lengths = new OutputLengths()
  readonly prefixes = new PrefixIndex()
  readonly #tuning: FastestTuning
  readonly #endpoints = new Map<EndpointId, EndpointModel>()
  readonly #groups = new EndpointGroups()
  #meanPromptTokens = 1_000

  constructor(tuning: FastestTuning) {
    this.#tuning = tuning
  }

  endpoint(id: EndpointId): EndpointModel | undefined {
    return this.#endpoints.get(id)
  }

  /** All endpoints that there are now. */
  tell(endpoints: readonly DispatchEndpoint[]): void {
    const names = new Set(endpoints.map(({ view }) => view.id))
    // What users write is relative: only what it is to the others says something of a speed.
    const meanWeight =
      endpoints.reduce((sum, { view }) => sum + view.weight, 0) / Math.max(1, endpoints.length)
    for (const id of this.#endpoints.keys()) {
      if (names.has(id)) continue
      this.#endpoints.delete(id)
      this.prefixes.forget(id)
    }
    for (const told of endpoints) {
      const { id, state, weight } = told.view
      const strength = meanWeight === 0 ? 1 : weight / meanWeight
      const known = this.#endpoints.get(id)
      if (known === undefined) {
        this.#endpoints.set(id, new EndpointModel(told, strength, this.#tuning.learn))
      } else known.tell(told, strength)
      // What starts anew has nothing in its cache, and nobody's requests.
      if (state === 'failed' || state === 'loading') {
        this.prefixes.forget(id)
        known?.forgetOthers()
      }
    }
    this.#groups.clear()
  }

  notePrompt(tokens: number): void {
    this.#meanPromptTokens = ewma(this.#meanPromptTokens, tokens, meanPromptWeight)
  }

  /** The prompt will be in the cache there. */
  noteSent({ prefixBlocks, prefixBlockTokens }: DispatchRequest, model: EndpointModel): void {
    if (prefixBlocks.length === 0) return
    const kvTokens = model.told.limits.kvTokens ?? unknownKvTokens
    this.prefixes.add(model.id, prefixBlocks, Math.ceil(kvTokens / prefixBlockTokens))
  }

  /** What a usual request would take there has changed. */
  noteMoved(model: EndpointModel, nowMs: number): void {
    this.#groups.moved(model, () => this.#usualCostMs(model, nowMs))
  }

  /** The endpoints that serve what is asked for. */
  group(request: DispatchRequest, nowMs: number): EndpointGroup {
    return this.#groups.of(request, this.#endpoints.values(), (model) =>
      this.#usualCostMs(model, nowMs),
    )
  }

  /** All that is judged by beside the endpoint; what it holds of the prompt is for each to say. */
  facts({ request, line }: Waiting, urgency: Urgency, nowMs: number): OpenFacts {
    const group = this.group(request, nowMs)
    return {
      heldTokens: 0,
      expectedTokens: this.lengths.mean(request),
      urgency,
      isAlone: line.size === 1,
      isOnly: group.all.length === 1,
      kvTokensMax: group.kvTokensMax,
      nowMs,
      tuning: this.#tuning,
    }
  }

  /** How many answers the request may cost. */
  lossMax({ request, line }: Waiting, urgency: Urgency, nowMs: number): number {
    const overloaded = line.late.length > 0
    return overloaded ? this.#tuning.lossMax : lossLimit(request, urgency, nowMs, this.#tuning)
  }

  /** How much of the prompt an endpoint is thought to hold. */
  heldTokens(model: EndpointModel, request: DispatchRequest): number {
    const { prefixBlocks, prefixBlockTokens, promptTokens } = request
    if (prefixBlocks.length === 0 || !model.prefixes.holds) return 0
    const held = this.prefixes.held(model.id, prefixBlocks) * prefixBlockTokens
    return Math.min(promptTokens - 1, held)
  }

  #usualCostMs(model: EndpointModel, nowMs: number): number {
    const usual = { promptTokens: this.#meanPromptTokens, answerTokens: this.lengths.usualMean }
    return usualCostMs(model, usual, { nowMs, ttftWorth: this.#tuning.ttftWorth })
  }
}
