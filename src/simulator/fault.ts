/** What goes wrong with an endpoint, and when. Endpoints are named by their place in the fleet. */
export type Fault =
  /** Each of its steps takes so many times as long: heat, or a game on the same device. */
  | {
      readonly kind: 'slow'
      readonly endpoint: number
      readonly factor: number
      readonly atMs: number
      readonly untilMs: number
    }
  /** It is gone with all it was doing, and comes back with nothing in its memory. */
  | {
      readonly kind: 'lost'
      readonly endpoint: number
      readonly atMs: number
      readonly untilMs: number
    }
