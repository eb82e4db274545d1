import { jsonPage } from '#emulator/dialect.ts'
import { sendBody } from '#emulator/faults/faulty-body.ts'
import {
  isFalse,
  isFields,
  listField,
  numberField,
  textField,
  textsField,
} from '#emulator/request-fields.ts'
import { firstTokenDelayMs } from '#emulator/serve-answer.ts'
import type { TaskHandler, TaskRequest } from '#emulator/tasks/task.ts'
import { chanceOf, countTokens, hashText } from '#emulator/words.ts'

export const rerank: TaskHandler = (request) => {
  const { exchange, body } = request
  const query = textField(body, 'query')
  const documents = listField(body, 'documents').map(documentText)
  if (query === null || documents.length === 0) {
    exchange.refuse('query and documents are required.', query === null ? 'query' : 'documents')
    return
  }
  const results = documents
    .map((document, index) => ({ index, document, score: similarity(query, document) }))
    .sort((a, b) => b.score - a.score || a.index - b.index)
    .slice(0, numberField(body, 'top_n') ?? documents.length)
  judge(request, [query, ...documents], (promptTokens) =>
    exchange.machine.dialect.shapes.rerank({
      id: exchange.machine.nextId(),
      model: request.requestedModel,
      promptTokens,
      returnDocuments: !isFalse(body, 'return_documents'),
      results,
    }),
  )
}

export const score: TaskHandler = (request) => {
  const { exchange, body } = request
  const firsts = either(
    textsField(body, 'text_1'),
    textsField(body, 'queries'),
    textsField(body, 'query'),
  )
  const seconds = either(
    textsField(body, 'text_2'),
    textsField(body, 'documents'),
    textsField(body, 'items'),
  )
  const [only] = firsts
  if (only === undefined || seconds.length === 0) {
    exchange.refuse('text_1 and text_2 are required.', 'text_1')
    return
  }
  const scores = seconds.map((second, index) =>
    similarity(firsts.length === seconds.length ? (firsts[index] ?? only) : only, second),
  )
  judge(request, [...firsts, ...seconds], (promptTokens) =>
    exchange.machine.dialect.shapes.score({
      id: exchange.machine.nextId(),
      model: request.requestedModel,
      createdSeconds: Math.floor(Date.now() / 1000),
      promptTokens,
      scores,
    }),
  )
}

/** Reads all texts at the prefill rate and answers without writing a token. */
function judge(
  { exchange, model }: TaskRequest,
  texts: readonly string[],
  body: (promptTokens: number) => unknown,
): void {
  const promptTokens = texts.reduce((sum, text) => sum + countTokens(text), 0)
  const accepted = exchange.infer({
    promptTokens,
    outputTokens: 0,
    delayMs: exchange.machine.residencyDelayMs(model, null) + firstTokenDelayMs(exchange),
    onDone: () => sendBody(exchange, jsonPage(200, body(promptTokens))),
  })
  if (!accepted) exchange.fail({ kind: 'queue-full' })
}

/**
 * From 0 to 1: the share of the query's words that the document has, and a little of chance that
 * keeps the order of equals the same every time.
 */
function similarity(query: string, document: string): number {
  const wanted = wordsOf(query)
  const present = new Set(wordsOf(document))
  const shared = wanted.filter((word) => present.has(word)).length
  const overlap = wanted.length === 0 ? 0 : shared / wanted.length
  const chance = chanceOf(hashText(query), hashText(document))
  return Math.round((overlap * 0.9 + chance * 0.1) * 1e6) / 1e6
}

const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []

const either = (...lists: readonly (readonly string[])[]): readonly string[] =>
  lists.find((list) => list.length > 0) ?? []

function documentText(document: unknown): string {
  if (typeof document === 'string') return document
  return isFields(document) ? (textField(document, 'text') ?? '') : ''
}
