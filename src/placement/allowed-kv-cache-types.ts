import type { Deployment } from '#core/deployment.ts'
import type { Backend } from '#core/engine-build.ts'
import type { EngineFacts } from '#core/engine-facts.ts'
import { type KvCacheType, kvCacheTypesOn } from '#core/engine-memory.ts'

/**
 * Which numbers a replica may keep its keys and values in, in the order in which its owner prefers
 * them; only what the engine has by itself where the owner has not said. Empty: the engine has none
 * of those that the owner wants.
 */
export function allowedKvCacheTypes(
  { kvCacheTypes }: Pick<Deployment, 'kvCacheTypes'>,
  { memory }: Pick<EngineFacts, 'memory'>,
  backend: Backend,
): readonly KvCacheType[] {
  const known = kvCacheTypesOn(memory, backend)
  return kvCacheTypes == null
    ? known.slice(0, 1)
    : kvCacheTypes.filter((type) => known.includes(type))
}
