/** Ollama keeps contents by hash, as `blobs/sha256-<hex>`; a GGUF file is one of them. */
import { join } from 'node:path'
import type { CacheEnvironment, WeightsCache } from '#weights/caches/cache.ts'

/** Where the service of the Linux installer keeps its models. */
const serviceFolder = '/usr/share/ollama/.ollama/models'

export function ollamaCache({ env, home }: CacheEnvironment): WeightsCache {
  const folders = [env['OLLAMA_MODELS'] || join(home, '.ollama', 'models'), serviceFolder]
  return {
    name: 'Ollama',
    async candidates({ digest }) {
      if (digest?.kind !== 'sha256') return []
      return folders.map((folder) => join(folder, 'blobs', `sha256-${digest.hex}`))
    },
  }
}
