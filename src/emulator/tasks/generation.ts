import { type Answer, composeAnswer, type Tool, withEcho } from '#emulator/answer.ts'
import type { Conversation } from '#emulator/conversation.ts'
import type { Written } from '#emulator/formats/format.ts'
import {
  type Fields,
  fieldsField,
  isFalse,
  isFields,
  listField,
  numberField,
  textField,
} from '#emulator/request-fields.ts'
import type { TaskRequest } from '#emulator/tasks/task.ts'

/** The most choices of one request; more is a mistake of the caller. */
const choicesMax = 128

interface Generation {
  readonly idPrefix: string
  readonly conversation: Conversation
  readonly maxTokens: number | null
  readonly choices?: number
  readonly tool?: Tool | null
  /** Whether the API has a place for thoughts. */
  readonly hasReasoning?: boolean
  /** Whether the stream begins with what the caller began. */
  readonly echoes?: boolean
}

/**
 * The answer to a request of words, or null after having refused it. What all the APIs of
 * generation share: the length, the context, and the identity of the answer.
 */
export function generate(request: TaskRequest, generation: Generation): Written | null {
  const { exchange, body, model, requestedModel } = request
  const { settings, dialect } = exchange.machine
  const { conversation, maxTokens } = generation
  const choices = generation.choices ?? 1
  if (!Number.isInteger(choices) || choices < 1 || choices > choicesMax) {
    exchange.refuse(`n must be a whole number from 1 to ${choicesMax}.`, 'n')
    return null
  }
  if (maxTokens !== null && (!Number.isInteger(maxTokens) || maxTokens < 1)) {
    exchange.refuse('max_tokens must be at least 1.', 'max_tokens')
    return null
  }
  const needed = conversation.promptTokens + (maxTokens ?? 1)
  if (needed > settings.contextTokens && !dialect.truncatesPrompt) {
    exchange.fail({
      kind: 'context-length',
      promptTokens: conversation.promptTokens,
      outputTokens: maxTokens ?? 0,
      contextTokens: settings.contextTokens,
    })
    return null
  }
  const answer: Answer = composeAnswer({
    model,
    conversation: {
      ...conversation,
      promptTokens: Math.min(conversation.promptTokens, settings.contextTokens),
    },
    seed: settings.seed + (numberField(body, 'seed') ?? 0),
    choices,
    // Where a longer prompt is cut, the answer ends with the context as well.
    maxTokens: maxTokens === null ? null : Math.min(maxTokens, settings.contextTokens),
    tool: generation.tool ?? null,
    reasons: generation.hasReasoning === true && model.includes('reasoner') && !isToldNotTo(body),
    prefilledThoughts: dialect.prefilledThoughts,
  })
  return {
    id: `${generation.idPrefix}${exchange.machine.nextId()}`,
    createdSeconds: Math.floor(Date.now() / 1000),
    model: requestedModel,
    answer: generation.echoes === true ? withEcho(answer, conversation) : answer,
    habits: dialect.stream,
    errorObject: dialect.streamError,
  }
}

/** Templates of models that think take this word for "do not". */
function isToldNotTo(body: Fields): boolean {
  return isFalse(fieldsField(body, 'chat_template_kwargs') ?? {}, 'enable_thinking')
}

/**
 * The tool to call: the one that `tool_choice` names, else the first when a call is required or
 * the user writes "call the tool"; null to answer in words.
 */
export function chosenTool(body: Fields, lastUserText: string): Tool | null {
  const tools = listField(body, 'tools').filter(isFields).map(readTool)
  const [first] = tools
  if (first === undefined) return null
  const choice = textField(body, 'tool_choice')
  const named = fieldsField(body, 'tool_choice')
  if (named !== null) {
    const name = textField(fieldsField(named, 'function') ?? named, 'name')
    const type = textField(named, 'type')
    if (name !== null) return tools.find((tool) => tool.name === name) ?? null
    return type === 'any' || type === 'required' ? first : null
  }
  if (choice === 'none') return null
  const isAsked = choice === 'required' || lastUserText.toLowerCase().includes('call the tool')
  return isAsked ? first : null
}

/** OpenAI's chat nests a tool in `function`, Responses and Anthropic write it flat. */
function readTool(tool: Fields): Tool {
  const definition = fieldsField(tool, 'function') ?? tool
  return {
    name: textField(definition, 'name') ?? 'tool',
    parameters:
      fieldsField(definition, 'parameters') ?? fieldsField(definition, 'input_schema') ?? {},
  }
}
