/**
 * What a client was told of a streamed answer, kept so that another endpoint can go on from there
 * when this one breaks off. Frames are kept as they went out, and read only then: most answers are
 * whole before anybody has to look into them.
 */
import { AnswerRest } from '#gateway/answer-rest.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { AnswerContinuation, AnswerHead } from '#openai/continuation.ts'
import { AlikeFrames } from '#std/alike-frames.ts'
import { sseData } from '#std/sse-data.ts'

export class AnswerSoFar {
  readonly #continuation: AnswerContinuation
  readonly #body: Buffer
  #unread = new AlikeFrames()
  #text = ''
  #tokens = 0
  #head: AnswerHead | null = null
  /** Nothing but words was said. */
  #isWords = true
  /** The engine said that this was all. */
  #isOver = false
  /** Whether it was asked for in a way that lets others go on; null until somebody wants to. */
  #fits: boolean | null = null
  /** Whether all engines would say the same; null until somebody asks. */
  #isRepeatable: boolean | null = null
  /** Those that would not go on with what another engine had begun. */
  readonly #unwilling: Endpoint[] = []

  constructor(continuation: AnswerContinuation, body: Buffer) {
    this.#continuation = continuation
    this.#body = body
  }

  note(frame: Buffer): void {
    this.#unread.add(frame)
  }

  /** Whether any engine could go on from here. */
  get canGoOn(): boolean {
    this.#read()
    if (!this.#isWords || this.#isOver) return false
    this.#fits ??= this.#continuation.fits(this.#body)
    return this.#fits
  }

  /** Near the number of tokens of what was said. */
  get tokens(): number {
    this.#read()
    return this.#tokens
  }

  /** Whether an endpoint could go on from here. */
  canGoOnAt(endpoint: Endpoint): boolean {
    return this.#wayAt(endpoint) !== null
  }

  /** How an endpoint goes on from here; null where it cannot. */
  restAt(endpoint: Endpoint): AnswerRest | null {
    const way = this.#wayAt(endpoint)
    if (way === null) return null
    const continuation = this.#continuation
    const head = this.#head
    const said = { text: this.#text, tokens: this.#tokens }
    if (way === 'again') {
      const repeats = said.text
      return new AnswerRest(continuation, { head, splices: [], given: 0, repeats, endsOnly: false })
    }
    const splices = continuation.askForRest(this.#body, said, this.#fieldsFor(endpoint) ?? {})
    // No engine can be asked for no token at all: the one that it says more is left out.
    const endsOnly = continuation.tokensLeft(this.#body, said) <= 0
    const given = said.tokens
    return new AnswerRest(continuation, { head, splices, given, repeats: '', endsOnly })
  }

  /** It refused to; false when it had done so before. */
  refusedBy(endpoint: Endpoint): boolean {
    if (this.#unwilling.includes(endpoint)) return false
    this.#unwilling.push(endpoint)
    return true
  }

  /** By taking it up, or by saying all of it again. */
  #wayAt(endpoint: Endpoint): 'rest' | 'again' | null {
    if (!this.canGoOn) return null
    if (this.#text === '' || this.#unwilling.includes(endpoint)) return 'again'
    if (this.#fieldsFor(endpoint) !== null) return 'rest'
    this.#isRepeatable ??= this.#continuation.isRepeatable(this.#body)
    return this.#isRepeatable ? 'again' : null
  }

  /** What an engine is told beside the answer that it goes on with; null where it takes up none. */
  #fieldsFor({ continuation }: Endpoint): Readonly<Record<string, unknown>> | null {
    if (!this.#continuation.needsPrefill) return {}
    return continuation.kind === 'assistant-prefill' ? continuation.fields : null
  }

  #read(): void {
    if (this.#unread.count === 0) return
    for (const frame of this.#unread.frames()) {
      const data = sseData(frame)
      if (data === null) continue
      this.#head ??= this.#continuation.headOf(data)
      const part = this.#continuation.partOf(data)
      this.#isWords &&= part.isWords
      this.#isOver ||= part.isEnd
      this.#text += part.text
      if (part.text !== '') this.#tokens++
    }
    this.#unread = new AlikeFrames()
  }
}
