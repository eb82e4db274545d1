/** LM Studio keeps files under the names of the hub: `<owner>/<repo>/<file>`. */
import { basename, join } from 'node:path'
import type { CacheEnvironment, WeightsCache } from '#weights/caches/cache.ts'

export function lmStudioCache({ home }: CacheEnvironment): WeightsCache {
  // The second is where versions before 0.3.6 kept them.
  const folders = [join(home, '.lmstudio', 'models'), join(home, '.cache', 'lm-studio', 'models')]
  return {
    name: 'LM Studio',
    async candidates({ path }, reference) {
      if (reference.kind !== 'hf') return []
      const { owner, repo } = reference
      return folders.flatMap((folder) => [
        join(folder, owner, repo, ...path.split('/')),
        join(folder, owner, repo, basename(path)),
      ])
    },
  }
}
