/**
 * The cache of huggingface_hub, which vLLM, SGLang, MLX and newer llama.cpp share:
 * `models--<owner>--<repo>/blobs/<etag>`, where the etag of a large file is its SHA-256.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { CacheEnvironment, WeightsCache } from '#weights/caches/cache.ts'

export function huggingFaceCache({ env, home }: CacheEnvironment): WeightsCache {
  const base = env['HF_HOME'] || join(env['XDG_CACHE_HOME'] || join(home, '.cache'), 'huggingface')
  const folder = env['HF_HUB_CACHE'] || join(base, 'hub')
  return {
    name: 'Hugging Face',
    async candidates({ digest }, reference) {
      if (digest === null) return []
      const own = reference.kind === 'hf' ? [`models--${reference.owner}--${reference.repo}`] : []
      const all = await readdir(folder).catch(() => [])
      // The same content may lie in another repository: a fork, a renamed owner.
      const repositories = new Set([...own, ...all.filter((name) => name.startsWith('models--'))])
      return [...repositories].map((name) => join(folder, name, 'blobs', digest.hex))
    },
  }
}
