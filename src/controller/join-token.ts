/**
 * Join tokens: `mt-<secret>.<fingerprint>`. The secret proves that somebody let this machine in,
 * once; the fingerprint tells the machine whom to let in the secret on, so that nobody in between
 * gets to see it.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { ClusterState } from '#controller/cluster-state.ts'
import type { RefusalCode } from '#protocol/agent-messages.ts'
import { ownValue } from '#std/own-value.ts'

export function newSecret(): string {
  return `mt-${randomBytes(24).toString('base64url')}`
}

/** What is kept of a secret. */
export function digestOf(secret: string): string {
  return createHash('sha256').update(secret).digest('hex')
}

/** Why this secret lets nobody in, or null. */
export function tokenRefusal(
  state: ClusterState,
  secret: string,
  nowMs: number,
): Extract<RefusalCode, 'token_unknown' | 'token_used' | 'token_expired'> | null {
  const digest = digestOf(secret)
  const token = ownValue(state.tokens, digest)
  if (token === undefined) return 'token_unknown'
  if (token.usedBy !== null) return 'token_used'
  return token.expiresAtMs <= nowMs ? 'token_expired' : null
}
