import type { EmulatedTask } from '#emulator/dialect.ts'
import { chat } from '#emulator/tasks/chat.ts'
import { completion } from '#emulator/tasks/completion.ts'
import { embedding } from '#emulator/tasks/embedding.ts'
import { image } from '#emulator/tasks/image.ts'
import { countMessageTokens, messages } from '#emulator/tasks/messages.ts'
import { ollamaChat, ollamaEmbed, ollamaGenerate } from '#emulator/tasks/ollama.ts'
import { rerank, score } from '#emulator/tasks/ranking.ts'
import { responses } from '#emulator/tasks/responses.ts'
import { speech } from '#emulator/tasks/speech.ts'
import type { TaskHandler } from '#emulator/tasks/task.ts'
import { tokenize } from '#emulator/tasks/tokenize.ts'
import { transcription, translation } from '#emulator/tasks/transcription.ts'

export const taskHandlers: Readonly<Record<EmulatedTask, TaskHandler>> = {
  chat,
  completion,
  responses,
  messages,
  'count-tokens': countMessageTokens,
  embedding,
  rerank,
  score,
  transcription,
  translation,
  speech,
  image,
  tokenize,
  'ollama-chat': ollamaChat,
  'ollama-generate': ollamaGenerate,
  'ollama-embed': ollamaEmbed,
}
