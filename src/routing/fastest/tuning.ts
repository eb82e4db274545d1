/**
 * The numbers that `fastest` goes by. They were found on phases of the traces other than those it
 * is judged on. The comparisons below are of Azure's conversations on the fleets `lab` and `edge`,
 * in percent of requests that kept both targets.
 */
export interface FastestTuning {
  /**
   * Whether requests are held until an endpoint can take them in time. Without, each goes at once
   * to the best prediction: the same at light load, and 20 points of load earlier at its end.
   */
  readonly hold: boolean
  /** Whether what is said of speeds is corrected by what is seen. */
  readonly learn: boolean
  /**
   * The part of the TTFT target that a prediction may use up. 0.8 turns requests late that could
   * still be served; above 0.95 an error of the prediction alone makes them late.
   */
  readonly ttftRatioMax: number
  /** The part of the TPOT target that a step may take when all that is there decodes. */
  readonly tpotRatioMax: number
  /**
   * Answers that may be expected to end badly because of one more request. At 1 bursts of prompts
   * stall everybody; at 0.05 endpoints idle for fear of it.
   */
  readonly lossMax: number
  /**
   * To what that grows, with the square of the time that is used up, while nobody is late: one
   * answer for another is a fair price for a request whose time runs out. In an overload it is
   * not, since the next one is about to pay the same.
   */
  readonly urgentLossMax: number
  /**
   * While nobody waits, what the time to the first token counts for in the choice of an endpoint, as
   * a multiple of the time that the rest of the answer takes: a prompt delays everybody beside it.
   * Between 1 and 4 the slowest first tokens become a tenth to a quarter quicker at up to 70 % of
   * the bound, and answers no slower. While others wait it counts once, or fewer are in time.
   */
  readonly ttftWorth: number
  /**
   * What a prefix hit is worth beyond the time that it saves its own request, as a multiple of
   * that: those who come after it find the endpoint free, and the prefix in one place.
   */
  readonly prefixWorth: number
  /**
   * Late requests that go before live ones, for each live one that went. They missed their target
   * already, so each costs a live one its own: 0.05 costs two points in a long overload, and
   * without any they starve.
   */
  readonly lateShare: number
  /**
   * Otherwise late requests go where they would start within this part of their target, that is
   * where nobody waits: 1 lets them take the places of live ones that are about to arrive.
   */
  readonly lateTtftRatio: number
  /** A late request is refused after so many times its TTFT target. */
  readonly lateCapRatio: number
  /**
   * Of the requests that find an idle endpoint of unknown speed and no weight of its own, this part
   * goes there, whatever the guess says: else a quick one is never found out beside one that is
   * known. After three answers it is known; more at once would give a slow one to everybody who
   * comes first.
   */
  readonly exploreShare: number
  /** Waiting requests that are looked at each time, the most urgent first. More changes nothing. */
  readonly liveWindow: number
  readonly lateWindow: number
}

export const defaultTuning: FastestTuning = {
  hold: true,
  learn: true,
  ttftRatioMax: 0.9,
  tpotRatioMax: 0.85,
  lossMax: 0.2,
  urgentLossMax: 1,
  ttftWorth: 4,
  prefixWorth: 2,
  lateShare: 0.02,
  lateTtftRatio: 0.3,
  lateCapRatio: 30,
  exploreShare: 1 / 16,
  liveWindow: 24,
  lateWindow: 2,
}
