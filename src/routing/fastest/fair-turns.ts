/**
 * Turns for clients who wait at the same time, so that one who sends a thousand requests at once
 * does not make the others wait for all of them.
 *
 * Start-time fair queueing: a turn is a number, and smaller ones go first. A client's next turn
 * begins where its last one ended, or where the queue is now if that is later; a turn is as long
 * as the prompt. So who has waited for little stands where the queue is, and who floods it stands
 * behind itself:
 *
 *   flood   ▐1▐2▐3▐4▐5▐6▐7▐8▐9…
 *   other   ····▲ arrives while 3 is served: goes next
 *
 * The first few turns of a client are all at once, so that among requests of no great number
 * deadlines decide and nothing else.
 */

/** Prompts of this length take one turn. */
const turnTokens = 1_000
/** A short prompt is a request, too. */
const turnMin = 0.25
const freeTurns = 8
/** Names of clients can be anything; those that owe nothing need not be known. */
const clientsMax = 10_000

interface Turns {
  /** Where the client's next turn begins. */
  next: number
  /** While which requests waited; nothing is owed from before. */
  round: number
}

export class FairTurns {
  readonly #turns = new Map<string, Turns>()
  #now = 0
  #round = 0
  /** Where most owe, looking for others again at each new one would take longer than all else. */
  #forgetsAt = clientsMax

  /** The turn of a request that begins to wait. */
  arrive(client: string, promptTokens: number): number {
    let turns = this.#turns.get(client)
    if (turns === undefined) {
      if (this.#turns.size >= this.#forgetsAt) this.#forget()
      turns = { next: 0, round: this.#round }
      this.#turns.set(client, turns)
    }
    const start = turns.round === this.#round ? Math.max(this.#now, turns.next) : this.#now
    turns.next = start + Math.max(turnMin, promptTokens / turnTokens)
    turns.round = this.#round
    return Math.max(this.#now, start - freeTurns)
  }

  /** A request of this turn was sent: that is where the queue is. */
  served(turn: number): void {
    this.#now = Math.max(this.#now, turn)
  }

  #forget(): void {
    for (const [client, { next, round }] of this.#turns) {
      if (round !== this.#round || next <= this.#now) this.#turns.delete(client)
    }
    this.#forgetsAt = Math.max(clientsMax, 2 * this.#turns.size)
  }

  /** Nobody waits: nobody owes anything to anybody. */
  clear(): void {
    this.#now = 0
    this.#round++
  }
}
