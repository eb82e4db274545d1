/** Every program whose weights are adopted. A new one is a file beside these and a line here. */
import type { CacheEnvironment, WeightsCache } from '#weights/caches/cache.ts'
import { huggingFaceCache } from '#weights/caches/hugging-face.ts'
import { lmStudioCache } from '#weights/caches/lm-studio.ts'
import { ollamaCache } from '#weights/caches/ollama.ts'

export function weightsCaches(environment: CacheEnvironment): readonly WeightsCache[] {
  return [huggingFaceCache(environment), ollamaCache(environment), lmStudioCache(environment)]
}
