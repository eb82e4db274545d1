/**
 * A message of Anthropic's API goes on when the conversation ends with what there is of it. It is
 * told in blocks, each of which is begun, filled and ended by its number:
 *
 *   told     message_start   0 thinking ▷ … ■   1 text ▷ …
 *   rest     message_start                      0 text ▷ … ■   message_delta   message_stop
 *   told on                                     1 …        ■   message_delta   message_stop
 */
import {
  type AnswerPart,
  type Follower,
  nothingSaid,
  type TokensBefore,
  type ToldAnswer,
  type Words,
} from '#openai/continuation.ts'
import { count } from '#openai/usage.ts'
import { endsWithUser, wordsContinuation } from '#openai/words-continuation.ts'
import { asObject, jsonObject } from '#std/json-object.ts'

type Fields = Readonly<Record<string, unknown>>

export const messageContinuation = wordsContinuation({
  needsPrefill: true,
  limits: ['max_tokens'],
  forms: ['output_config', 'output_format'],
  fits(request) {
    const choice = asObject(request.value('tool_choice'))?.['type'] ?? 'auto'
    return (choice === 'auto' || choice === 'none') && endsWithUser(request)
  },
  insert(request, { text, thoughts }, { thoughtsAs }) {
    const content = [
      ...(thoughtsAs === null ? [] : [{ type: 'thinking', thinking: thoughts, signature: '' }]),
      ...(text === '' ? [] : [{ type: 'text', text }]),
    ]
    return request.append('messages', `,${JSON.stringify({ role: 'assistant', content })}`)
  },
  partOf,
  begin: () => new ToldMessage(),
})

function partOf(data: string): AnswerPart {
  const event = jsonObject(data) ?? {}
  const delta = asObject(event['delta']) ?? {}
  switch (event['type']) {
    case 'content_block_start':
      return { ...nothingSaid, isWords: isOfWords(asObject(event['content_block'])?.['type']) }
    case 'content_block_delta':
      return { ...nothingSaid, text: textIn(delta['text']), thoughts: textIn(delta['thinking']) }
    case 'message_delta':
      return { ...nothingSaid, isEnd: typeof delta['stop_reason'] === 'string' }
    case 'message_stop':
      return { ...nothingSaid, isEnd: true }
    default:
      return nothingSaid
  }
}

const textIn = (value: unknown): string => (typeof value === 'string' ? value : '')

function isOfWords(blockType: unknown): boolean {
  return blockType === 'text' || blockType === 'thinking'
}

class ToldMessage implements ToldAnswer {
  #isBegun = false
  /** Blocks that were begun and not ended, by number. */
  readonly #open = new Map<number, unknown>()
  #blocks = 0
  #promptUsage: Fields = {}

  note(data: string): void {
    const event = jsonObject(data) ?? {}
    const index = Number(event['index'])
    switch (event['type']) {
      case 'message_start':
        this.#isBegun = true
        this.#promptUsage = promptUsageIn(event)
        break
      case 'content_block_start':
        this.#open.set(index, asObject(event['content_block'])?.['type'])
        this.#blocks = index + 1
        break
      case 'content_block_stop':
        this.#open.delete(index)
        break
    }
  }

  follow(before: TokensBefore): Follower | null {
    if (!this.#isBegun) return null
    return new MessageFollower({
      open: new Map(this.#open),
      next: this.#blocks,
      promptUsage: this.#promptUsage,
      before,
    })
  }
}

/** What the beginning of a message says of its prompt; nothing where all of it is 0. */
function promptUsageIn(event: Fields): Fields {
  const usage = asObject(asObject(event['message'])?.['usage']) ?? {}
  const said = ['input_tokens', 'cache_creation_input_tokens', 'cache_read_input_tokens'].flatMap(
    (name) => {
      const tokens = count(usage[name])
      return tokens === null ? [] : [[name, tokens] as const]
    },
  )
  return said.some(([, tokens]) => tokens > 0) ? Object.fromEntries(said) : {}
}

class MessageFollower implements Follower {
  /** Blocks of the message so far that are open still, by number. */
  readonly #open: Map<number, unknown>
  /** The number that the next block gets. */
  #next: number
  /** Of the prompt, as the client was told it when the message began. */
  readonly #promptUsage: Fields
  readonly #before: TokensBefore
  /** The number in the message of each block that the rest has begun and not ended. */
  readonly #numbers = new Map<unknown, number>()

  constructor(so: {
    readonly open: Map<number, unknown>
    readonly next: number
    readonly promptUsage: Fields
    readonly before: TokensBefore
  }) {
    this.#open = so.open
    this.#next = so.next
    this.#promptUsage = so.promptUsage
    this.#before = so.before
  }

  retell(data: string, words: Words): readonly string[] {
    const event = jsonObject(data)
    switch (event?.['type']) {
      case 'message_start':
        return []
      case 'content_block_start':
        return this.#begun(event)
      case 'content_block_delta':
        return this.#filled(event, words)
      case 'content_block_stop':
        return this.#ended(event)
      case 'message_delta':
        return [...this.#endOpen(), eventFrame({ ...event, ...this.#usageOfBoth(event) })]
      default:
        return event === null ? [`data: ${data}\n\n`] : [eventFrame(event)]
    }
  }

  #begun(event: Fields): readonly string[] {
    const block = asObject(event['content_block'])
    // One of words is begun with its first word: that may stand in a block which is open already.
    return isOfWords(block?.['type']) ? [] : this.#begin(event['index'], block)
  }

  #filled(event: Fields, { text, thoughts }: Words): readonly string[] {
    const { index } = event
    const delta = asObject(event['delta']) ?? {}
    const type = typeof delta['text'] === 'string' ? 'text' : 'thinking'
    const isOfThoughts = typeof delta['thinking'] === 'string'
    const words = type === 'text' ? text : thoughts
    const isFilling = type === 'text' || isOfThoughts
    if (isFilling && words === '') return []
    const begun = this.#numbers.has(index) ? [] : this.#goOn(index, type, isFilling)
    const number = this.#numbers.get(index)
    if (number === undefined) return []
    const told = isFilling ? { ...delta, [type]: words } : delta
    return [...begun, eventFrame({ ...event, index: number, delta: told })]
  }

  #ended(event: Fields): readonly string[] {
    const number = this.#numbers.get(event['index'])
    if (number === undefined) return []
    this.#numbers.delete(event['index'])
    return [eventFrame({ ...event, index: number })]
  }

  /** In the block of this type that broke off, or in a new one where there is something to say. */
  #goOn(index: unknown, type: 'text' | 'thinking', isFilling: boolean): readonly string[] {
    const [number] = [...this.#open].find(([, openType]) => openType === type) ?? []
    if (number === undefined) {
      return isFilling ? this.#begin(index, { type, [type]: '' }) : []
    }
    this.#open.delete(number)
    this.#numbers.set(index, number)
    return []
  }

  #begin(index: unknown, block: unknown): readonly string[] {
    const ended = this.#endOpen()
    const number = this.#next++
    this.#numbers.set(index, number)
    const begun = { type: 'content_block_start', index: number, content_block: block }
    return [...ended, eventFrame(begun)]
  }

  /** Ends what broke off and is not gone on with. */
  #endOpen(): readonly string[] {
    const ended = [...this.#open.keys()].map((index) =>
      eventFrame({ type: 'content_block_stop', index }),
    )
    this.#open.clear()
    return ended
  }

  #usageOfBoth(event: Fields) {
    const usage = asObject(event['usage'])
    if (usage === null) return {}
    const { said, inPrompt } = this.#before
    const prompt = count(usage['input_tokens'])
    // The prompt of the rest has more around what was said than can be told from it.
    const asBegun = Object.entries(this.#promptUsage).filter(([name]) => name in usage)
    return {
      usage: {
        ...usage,
        ...(prompt === null ? {} : { input_tokens: Math.max(0, prompt - inPrompt) }),
        ...Object.fromEntries(asBegun),
        output_tokens: (count(usage['output_tokens']) ?? 0) + said,
      },
    }
  }
}

function eventFrame(event: Fields): string {
  return `event: ${event['type']}\ndata: ${JSON.stringify(event)}\n\n`
}
