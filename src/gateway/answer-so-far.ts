/**
 * What a client was told of a streamed answer, kept so that another endpoint can go on from there
 * when this one breaks off. Frames are kept as they went out, and read only then: most answers are
 * whole before anybody has to look into them.
 */
import type { Continuation } from '#core/continuation.ts'
import type { Task } from '#core/task.ts'
import { AnswerRest } from '#gateway/answer-rest.ts'
import type { Endpoint } from '#gateway/endpoint.ts'
import type { AnswerContinuation, Prefill, SaidSoFar, ToldAnswer } from '#openai/continuation.ts'
import { AlikeFrames } from '#std/alike-frames.ts'
import { frameData } from '#std/frame-data.ts'
import type { Framing } from '#std/frame-splitter.ts'

interface RestWay {
  readonly kind: 'rest'
  readonly how: Prefill
  /** Whether its stream may begin with what it was given. */
  readonly mayRepeat: boolean
}

/** How an endpoint goes on: from there, or by saying all of it again. */
type Way = RestWay | { readonly kind: 'again' }

const again: Way = { kind: 'again' }
const nothingBefore = { said: 0, inPrompt: 0 }

export class AnswerSoFar {
  readonly #continuation: AnswerContinuation
  readonly #task: Task
  readonly #framing: Framing
  readonly #body: Buffer
  readonly #formFields: readonly string[]
  #unread = new AlikeFrames()
  /** Null until somebody wants to go on from it. */
  #told: ToldAnswer | null = null
  #text = ''
  #thoughts = ''
  #textTokens = 0
  #thoughtTokens = 0
  /** Nothing but thoughts and words was said. */
  #isWords = true
  /** The engine said that this was all. */
  #isOver = false
  /** Whether it was asked for in a way that lets others go on; null until somebody wants to. */
  #fits: boolean | null = null
  /** Whether all engines would say the same; null until somebody asks. */
  #isRepeatable: boolean | null = null
  /** Those that would not go on with what another engine had begun. */
  readonly #unwilling: Endpoint[] = []
  /** Those that began another answer. */
  readonly #others: Endpoint[] = []

  /** `formFields` of a request hold an answer to a form, at one engine or another. */
  constructor(
    continuation: AnswerContinuation,
    of: {
      readonly task: Task
      readonly framing: Framing
      readonly body: Buffer
      readonly formFields: readonly string[]
    },
  ) {
    this.#continuation = continuation
    this.#task = of.task
    this.#framing = of.framing
    this.#body = of.body
    this.#formFields = of.formFields
  }

  note(frame: Buffer): void {
    this.#unread.add(frame)
  }

  /** Whether any engine could go on from here. */
  get canGoOn(): boolean {
    this.#read()
    if (!this.#isWords || this.#isOver) return false
    this.#fits ??= this.#continuation.fits(this.#body, this.#formFields)
    return this.#fits
  }

  /** Near the number of tokens of what was said. */
  get tokens(): number {
    this.#read()
    return this.#textTokens + this.#thoughtTokens
  }

  /** Whether an endpoint could go on from here. */
  canGoOnAt(endpoint: Endpoint): boolean {
    return this.#wayAt(endpoint) !== null
  }

  /** How an endpoint goes on from here; null where it cannot. */
  restAt(endpoint: Endpoint): AnswerRest | null {
    const way = this.#wayAt(endpoint)
    if (way === null) return null
    return way.kind === 'rest' ? this.#restBy(way) : this.#again()
  }

  /** It refused to; false when it had done so before. */
  refusedBy(endpoint: Endpoint): boolean {
    if (this.#unwilling.includes(endpoint)) return false
    this.#unwilling.push(endpoint)
    return true
  }

  /** What it says is of another answer: it goes on with this one no more. */
  differsAt(endpoint: Endpoint): void {
    this.#others.push(endpoint)
  }

  #restBy({ how, mayRepeat }: RestWay): AnswerRest {
    const continuation = this.#continuation
    const said: SaidSoFar = { text: this.#text, thoughts: this.#thoughts, tokens: this.tokens }
    const areThoughtsGiven = how.thoughtsAs !== null
    const before = {
      said: said.tokens,
      inPrompt: areThoughtsGiven ? said.tokens : this.#textTokens,
    }
    return new AnswerRest(continuation, {
      framing: this.#framing,
      follower: this.#told?.follow(before) ?? null,
      splices: continuation.askForRest(this.#body, said, how),
      before,
      repeats: '',
      echo: mayRepeat ? said : null,
      mayThink: said.text === '',
      // No engine can be asked for no token at all: the one that it says more is left out.
      endsOnly: continuation.tokensLeft(this.#body, said) <= 0,
    })
  }

  /** Thoughts that nobody ended are not counted: the answer has those that come now. */
  #again(): AnswerRest {
    return new AnswerRest(this.#continuation, {
      framing: this.#framing,
      follower: this.#told?.follow(nothingBefore) ?? null,
      splices: [],
      before: nothingBefore,
      repeats: this.#text,
      echo: null,
      mayThink: this.#text === '',
      endsOnly: false,
    })
  }

  #wayAt(endpoint: Endpoint): Way | null {
    if (!this.canGoOn || this.#others.includes(endpoint)) return null
    if (this.#unwilling.includes(endpoint)) return again
    const rest = this.tokens === 0 ? null : this.#restWayAt(endpoint)
    if (rest !== null) return rest
    if (this.#text === '') return again
    this.#isRepeatable ??= this.#continuation.isRepeatable(this.#body)
    return this.#isRepeatable ? again : null
  }

  /** How an engine takes up what there is; null where it does not. */
  #restWayAt({ continuation }: Endpoint): RestWay | null {
    const plain = { fields: {}, thoughtsAs: null }
    if (!this.#continuation.needsPrefill) return { kind: 'rest', how: plain, mayRepeat: false }
    if (continuation.kind !== 'assistant-prefill') return null
    const { tasks } = continuation
    const mayRepeat = continuation.mayRepeat.includes(this.#task)
    const how = tasks.includes(this.#task) ? this.#prefillBy(continuation) : null
    return how === null ? null : { kind: 'rest', how, mayRepeat }
  }

  #prefillBy({ fields, thoughts }: Continuation & { kind: 'assistant-prefill' }): Prefill | null {
    if (this.#thoughts === '') return { fields, thoughtsAs: null }
    if (thoughts.kind === 'given') {
      return this.#text !== '' || thoughts.goOn ? { fields, thoughtsAs: thoughts.names } : null
    }
    return this.#text === ''
      ? null
      : { fields: { ...fields, ...thoughts.fields }, thoughtsAs: null }
  }

  #read(): void {
    if (this.#unread.count === 0) return
    this.#told ??= this.#continuation.begin()
    for (const frame of this.#unread.frames()) {
      const data = frameData(frame, this.#framing)
      if (data === null) continue
      this.#told.note(data)
      const part = this.#continuation.partOf(data)
      this.#isWords &&= part.isWords
      this.#isOver ||= part.isEnd
      this.#text += part.text
      this.#thoughts += part.thoughts
      if (part.text !== '') this.#textTokens++
      if (part.thoughts !== '') this.#thoughtTokens++
    }
    this.#unread = new AlikeFrames()
  }
}
