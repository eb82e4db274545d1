/** Every API path of the gateway, with the task that an endpoint must serve for it. */
import type { Task } from '#core/task.ts'
import type { Api } from '#openai/api.ts'
import { chatCompletions } from '#openai/chat-completions.ts'
import { completions } from '#openai/completions.ts'
import { embeddings } from '#openai/embeddings.ts'
import { images } from '#openai/images.ts'
import { messageTokens } from '#openai/message-tokens.ts'
import { messages } from '#openai/messages.ts'
import { ollamaChat, ollamaEmbed, ollamaGenerate } from '#openai/ollama-api.ts'
import { rerank } from '#openai/rerank.ts'
import { responses } from '#openai/responses.ts'
import { score } from '#openai/score.ts'
import { speech } from '#openai/speech.ts'
import { tokenize } from '#openai/tokenize.ts'
import { transcriptions } from '#openai/transcriptions.ts'
import { translations } from '#openai/translations.ts'

export interface ApiRoute {
  readonly api: Api
  readonly task: Task
}

export const apiRoutes: readonly ApiRoute[] = [
  { api: chatCompletions, task: 'chat' },
  { api: completions, task: 'completion' },
  { api: responses, task: 'responses' },
  { api: messages, task: 'messages' },
  { api: messageTokens, task: 'count-tokens' },
  { api: embeddings, task: 'embedding' },
  { api: rerank, task: 'rerank' },
  { api: score, task: 'score' },
  { api: transcriptions, task: 'transcription' },
  { api: translations, task: 'translation' },
  { api: speech, task: 'speech' },
  { api: images, task: 'image' },
  { api: tokenize, task: 'tokenize' },
  { api: ollamaChat, task: 'ollama-chat' },
  { api: ollamaGenerate, task: 'ollama-generate' },
  { api: ollamaEmbed, task: 'ollama-embed' },
]

export const routesByPath: ReadonlyMap<string, ApiRoute> = new Map(
  apiRoutes.flatMap((route) => route.api.paths.map((path) => [path, route] as const)),
)

/** Whose errors a client understands that asks at this path; null where it belongs to no API. */
export function apiOfPath(path: string): Api | null {
  const own = routesByPath.get(path)?.api ?? null
  // What of Anthropic's API is not served here is still asked for by its clients.
  return own ?? (path.startsWith('/v1/messages/') ? messages : null)
}
