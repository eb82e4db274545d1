/** What a model is made for, by what its headers say. */
import type { WeightsFormat } from '#core/engine-build.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import type { Task } from '#core/task.ts'

interface ModelKind {
  /** As a clause: `is made for transcription`. */
  readonly madeFor: string
  readonly tasks: ReadonlySet<Task>
}

type Facts = Pick<ModelFacts, 'format' | 'architecture' | 'pooling' | 'attention' | 'chatTemplate'>

/** Why a model does not do a task; null where it does, or where its headers do not tell. */
export function taskMismatch(facts: Facts, task: Task): ModelKind | null {
  const kind = kindOf(facts)
  return kind === null || kind.tasks.has(task) ? null : kind
}

const kind = (madeFor: string, ...tasks: readonly Task[]): ModelKind => ({
  madeFor,
  tasks: new Set(tasks),
})

const hears = kind('transcription', 'transcription', 'translation')
const speaks = kind('speech', 'speech')
const ranks = kind('rerank', 'rerank', 'score', 'tokenize')
const embeds = kind('embedding', 'embedding', 'ollama-embed', 'score', 'tokenize')
/** What writes text gives vectors and scores, too, if it is asked to. */
const writes = kind(
  'text',
  ...(['chat', 'completion', 'responses', 'messages', 'ollama-chat', 'ollama-generate'] as const),
  ...(['count-tokens', 'embedding', 'ollama-embed', 'rerank', 'score', 'tokenize'] as const),
)

/** Formats of one kind of engine, whatever their headers say. */
const byFormat: Readonly<Partial<Record<WeightsFormat, ModelKind>>> = {
  ggml: hears,
  ctranslate2: hears,
  kokoro: speaks,
  xtts: speaks,
}

/** Text models with ears: what they are used for, nobody can say from their headers. */
const withEars = /audio|speech|voxtral|ultravox|omni|gemma3n|phi4mm/i

function kindOf({
  format,
  architecture,
  pooling,
  attention,
  chatTemplate,
}: Facts): ModelKind | null {
  const ofFormat = byFormat[format]
  if (ofFormat !== undefined) return ofFormat
  if (/whisper/i.test(architecture)) return hears
  if (pooling === 'rank') return ranks
  if (pooling === 'mean' || pooling === 'cls' || pooling === 'last') {
    // Some do both, and say so with a template.
    return chatTemplate === null ? embeds : null
  }
  return attention.length === 0 || withEars.test(architecture) ? null : writes
}
