/** Reads `messages` of a chat request, and how the prompt made of them is to end. */
import { booleanField, isObject, type JsonObject, shown } from '#embedded/fields.ts'
import { invalidValue, unsupported } from '#embedded/request-error.ts'

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/**
 * How the prompt ends: with the header of a new answer, with the last assistant message left open
 * so that the model goes on writing it, or closed as it stands.
 */
type ChatEnding = 'new-answer' | 'continue-last' | 'closed'

export interface ChatConversation {
  readonly messages: readonly ChatMessage[]
  readonly ending: ChatEnding
}

const roles: ReadonlyMap<string, ChatMessage['role']> = new Map([
  ['system', 'system'],
  ['developer', 'system'], // OpenAI's newer word; chat templates know the older one
  ['user', 'user'],
  ['assistant', 'assistant'],
])

export function readConversation(body: JsonObject): ChatConversation {
  const { messages: given } = body
  if (!Array.isArray(given) || given.length === 0) {
    throw invalidValue('messages', 'messages must be an array with at least one message.')
  }
  const messages = given.map((message: unknown, index) => readMessage(message, index))
  return { messages, ending: readEnding(body, messages) }
}

/**
 * A last assistant message is continued unless the request says otherwise, so that an answer that
 * was cut off elsewhere can be finished here. The answer then holds the continuation only.
 */
function readEnding(body: JsonObject, messages: readonly ChatMessage[]): ChatEnding {
  const addPrompt = booleanField(body, 'add_generation_prompt')
  const wanted = booleanField(body, 'continue_final_message')
  const lastIsAnswer = messages.at(-1)?.role === 'assistant'
  if (wanted === true && addPrompt === true) {
    throw invalidValue(
      'continue_final_message',
      'continue_final_message and add_generation_prompt are both true; only one of them can be.',
    )
  }
  if (wanted === true && !lastIsAnswer) {
    throw invalidValue(
      'continue_final_message',
      'continue_final_message is true, so the last message must have the role assistant.',
    )
  }
  if (wanted ?? (lastIsAnswer && addPrompt !== true)) return 'continue-last'
  return addPrompt === false ? 'closed' : 'new-answer'
}

function readMessage(message: unknown, index: number): ChatMessage {
  const at = `messages[${index}]`
  if (!isObject(message)) {
    throw invalidValue('messages', `${at} is ${shown(message)}; it must be an object.`)
  }
  const { role: givenRole, tool_calls: toolCalls, content } = message
  if (givenRole === 'tool' || givenRole === 'function') {
    throw unsupported(
      'messages',
      `${at} has the role ${shown(givenRole)}; the embedded engine does not support tools.`,
    )
  }
  if (Array.isArray(toolCalls) && toolCalls.length > 0) {
    throw unsupported(
      'messages',
      `${at} has tool_calls; the embedded engine does not support tools.`,
    )
  }
  const role = typeof givenRole === 'string' ? roles.get(givenRole) : undefined
  if (role === undefined) {
    throw invalidValue(
      'messages',
      `${at}.role is ${shown(givenRole)}; it must be one of ${[...roles.keys()].join(', ')}.`,
    )
  }
  return { role, content: readContent(content, `${at}.content`) }
}

function readContent(content: unknown, at: string): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content)) {
    throw invalidValue(
      'messages',
      `${at} is ${shown(content)}; it must be a string or an array of text parts.`,
    )
  }
  return content.map((part: unknown, index) => readPart(part, `${at}[${index}]`)).join('\n')
}

function readPart(part: unknown, at: string): string {
  if (!isObject(part)) {
    throw invalidValue(
      'messages',
      `${at} is ${shown(part)}; it must be an object with type "text".`,
    )
  }
  const { type, text } = part
  if (type !== 'text') {
    throw unsupported(
      'messages',
      `${at} has the type ${shown(type)}; the embedded engine reads only text.`,
    )
  }
  if (typeof text !== 'string') {
    throw invalidValue('messages', `${at}.text is ${shown(text)}; it must be a string.`)
  }
  return text
}
