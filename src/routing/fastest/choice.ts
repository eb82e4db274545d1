/**
 * The best of the endpoints that were compared for one request so far: one that fits before one
 * that does not, then what rules prefer, then the lower cost.
 *
 * Made once and used for every decision: what it compares is written over, not made anew.
 */
import type { DispatchRequest } from '#routing/dispatcher.ts'
import type { EndpointModel } from '#routing/fastest/endpoint-model.ts'
import {
  costOf,
  type Facts,
  type Judgement,
  judge,
  judgeStall,
  judgeWork,
  newJudgement,
} from '#routing/fastest/judge.ts'

/** More than any answer takes: those that are to be tried come first, and are compared as ever. */
const beforeAllKnownMs = 1e12

export class Choice {
  /** None so far, or the one to send to. */
  best: EndpointModel | null = null
  /** Whether the best is that because it is to be tried, whatever was predicted for it. */
  explores = false
  readonly #chance: () => number
  /** Whether one that fits is looked for; else the best is taken, if it fits or not. */
  readonly #hold: boolean
  /** The two change places where the one that is looked at is the best so far. */
  #current = newJudgement()
  #ofBest = newJudgement()
  #costMs = 0
  #misses = 0
  #fits = false
  /** Of how many equal ones the best was drawn. */
  #equals = 1
  /** Whether one of unknown speed is tried now; null until there is one. */
  #tries: boolean | null = null

  constructor(chance: () => number, hold: boolean) {
    this.#chance = chance
    this.#hold = hold
  }

  /** What was predicted for the best. */
  get judgement(): Judgement {
    return this.#ofBest
  }

  clear(): void {
    this.best = null
    this.explores = false
    this.#equals = 1
    this.#fits = false
    this.#tries = null
  }

  compare(model: EndpointModel, request: DispatchRequest, facts: Facts, lossMax: number): void {
    const judgement = this.#current
    const isInTokens = request.workUnits === null
    if (isInTokens) judge(judgement, model, request, facts)
    else judgeWork(judgement, model, request, facts)
    const mustFit = this.#hold || this.#fits
    if (judgement.gate !== 'none' && mustFit) return
    const misses = request.constraint?.misses(model.id) ?? 0
    const isTry = isInTokens && this.#isToBeTried(model, facts)
    const costMs = costOf(judgement, facts) - (isTry ? beforeAllKnownMs : 0)
    const order = this.best === null ? -1 : misses - this.#misses || costMs - this.#costMs
    // Equal ones by chance: no order of a list decides which of them is always asked.
    const isBetter = order < 0 || (order === 0 && this.#chance() * ++this.#equals < 1)
    if (!isBetter && this.#fits) return
    if (judgement.gate === 'none' && isInTokens) {
      judgeStall(judgement, model, facts.nowMs, lossMax)
    }
    const fits = judgement.gate === 'none'
    if (!fits && mustFit) return
    if (!isBetter && fits === this.#fits) return
    if (order !== 0) this.#equals = 1
    this.best = model
    this.explores = isTry
    this.#misses = misses
    this.#costMs = costMs
    this.#fits = fits
    this.#current = this.#ofBest
    this.#ofBest = judgement
  }

  #isToBeTried(model: EndpointModel, { tuning }: Facts): boolean {
    if (!model.speed.isUnheardOf || model.inFlight > 0) return false
    this.#tries ??= this.#chance() < tuning.exploreShare
    return this.#tries
  }
}
