import { emptyPrefix, type Prefix, withText, withTokens } from '#emulator/prefix.ts'
import {
  type Fields,
  fieldsField,
  isFields,
  listField,
  textField,
} from '#emulator/request-fields.ts'
import { countTokens, hashText } from '#emulator/words.ts'

/** What a request says so far, whatever API it came through. */
export interface Conversation {
  /** Depends on every role and text before the answer. */
  readonly hash: number
  readonly promptTokens: number
  /** The same tokens, as the prefix cache of an engine knows them. */
  readonly prefix: Prefix
  /** The beginning of the answer that the caller wants continued; '' for none. */
  readonly prefill: string
  /** What was thought before it; '' for nothing. */
  readonly prefilledThoughts: string
  /** Whether the last message is the assistant's, continued or not. */
  readonly endsWithAssistant: boolean
  readonly lastUserText: string
}

/** What an image costs in prompt tokens; real ones differ by size and model. */
const imageTokens = 256

/** Chat templates put some tokens around each message. */
const tokensPerMessage = 4

/** Reads `messages`; with `continues`, a last assistant message is the start of the answer. */
export function readMessages(
  messages: readonly unknown[],
  continues: boolean,
  system: string | null = null,
): Conversation {
  let hash = system === null ? 0 : hashText(system, 7)
  let promptTokens = system === null ? 0 : countTokens(system) + tokensPerMessage
  let prefix = system === null ? emptyPrefix : withMessage(emptyPrefix, 'system', system, 0)
  let lastUserText = ''
  let prefill = ''
  let prefilledThoughts = ''
  let endsWithAssistant = false
  for (const [index, message] of messages.entries()) {
    if (!isFields(message)) continue
    const role = textField(message, 'role') ?? 'user'
    const { text, thoughts, images } = readContent(message)
    promptTokens +=
      countTokens(text) + countTokens(thoughts) + images * imageTokens + tokensPerMessage
    prefix = withMessage(prefix, role, text, images)
    const isLast = index === messages.length - 1
    endsWithAssistant = isLast && role === 'assistant'
    if (role === 'user') lastUserText = text
    if (endsWithAssistant && continues) {
      prefill = text
      prefilledThoughts = thoughts
    } else {
      hash = hashText(text, hashText(role, hash + 1))
    }
  }
  return {
    hash,
    promptTokens,
    prefix,
    prefill,
    prefilledThoughts,
    endsWithAssistant,
    lastUserText,
  }
}

/** A bare prompt: the text goes on, so nothing of it is an answer yet. */
export function readPrompt(prompt: string): Conversation {
  return {
    hash: hashText(prompt, 1),
    promptTokens: countTokens(prompt),
    prefix: withText(emptyPrefix, prompt),
    prefill: '',
    prefilledThoughts: '',
    endsWithAssistant: false,
    lastUserText: prompt,
  }
}

/**
 * What a template adds stands after the text, so that an answer goes on where the next turn has its
 * text. Which image it is makes no difference.
 */
function withMessage(prefix: Prefix, role: string, text: string, images: number): Prefix {
  const said = withTokens(withText(prefix, text), images * imageTokens, 1)
  return withTokens(said, tokensPerMessage, hashText(role))
}

function readContent(message: Fields): { text: string; thoughts: string; images: number } {
  const names = ['reasoning', 'reasoning_content', 'thinking']
  let thoughts =
    names.map((name) => textField(message, name) ?? '').find((text) => text !== '') ?? ''
  const plain = textField(message, 'content')
  if (plain !== null) return { text: plain, thoughts, images: listField(message, 'images').length }
  let text = ''
  let images = 0
  for (const part of listField(message, 'content')) {
    if (!isFields(part)) continue
    const partText = textField(part, 'text')
    thoughts += textField(part, 'thinking') ?? ''
    if (partText !== null) {
      text += partText
    } else if (fieldsField(part, 'image_url') ?? fieldsField(part, 'source')) {
      images += 1
    }
  }
  return { text, thoughts, images }
}
