/**
 * The API keys and what each of them has used. Keys are kept as SHA-256 digests only, compared in
 * constant time; limits are reserved before a request runs and settled when it is over.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { KeyConfig } from '#core/config/gateway.ts'
import type { Priority } from '#core/deployment.ts'
import { MotleyError } from '#core/errors.ts'
import type { ModelName } from '#core/ids.ts'
import type { ServiceClass } from '#core/service-class.ts'
import { TokenBucket } from '#std/token-bucket.ts'

export interface ApiKey {
  readonly name: string
  readonly admin: boolean
  readonly models: ReadonlySet<string> | null
  readonly digest: Buffer
  readonly maxParallel: number | null
  /** How urgent its requests may be at most; null where each says for itself. */
  readonly service: ServiceClass | null
  /** Which of its class go first; null where the model says. */
  readonly priority: Priority | null
  readonly usage: KeyUsage
}

/** What a key has used; it outlives reloads, for requests under way count themselves out here. */
interface KeyUsage {
  inFlight: number
  /** Requests and tokens that are left this minute; null where they are not limited. */
  requests: TokenBucket | null
  tokens: TokenBucket | null
}

/** What a request holds of its key until it is over. */
export interface Admission {
  /** `usedTokens` is what it came to. */
  release(usedTokens: number): void
}

const nothingHeld: Admission = { release() {} }

export class KeyRing {
  #keys: readonly ApiKey[] = []

  /** Takes the configured keys; one that stays keeps what it has used. */
  configure(configs: readonly KeyConfig[], nowMs: number): void {
    const before = new Map(this.#keys.map((key) => [key.name, key]))
    this.#keys = configs.map((config) => {
      const usage = before.get(config.name)?.usage ?? { inFlight: 0, requests: null, tokens: null }
      usage.requests = perMinute(usage.requests, config.rpm, nowMs)
      usage.tokens = perMinute(usage.tokens, config.tpm, nowMs)
      return {
        name: config.name,
        admin: config.admin,
        models: config.models === undefined ? null : new Set(config.models),
        digest: digestOf(config),
        maxParallel: config.maxParallel ?? null,
        service: config.class ?? null,
        priority: config.priority ?? null,
        usage,
      }
    })
  }

  get required(): boolean {
    return this.#keys.length > 0
  }

  /** Null when there are no keys at all. Throws `invalid_api_key`. */
  authenticate(presented: string | null): ApiKey | null {
    if (!this.required) return null
    if (presented === null) throw new MotleyError('invalid_api_key', 'No API key was sent.')
    const found = this.find(presented)
    if (found === null) throw new MotleyError('invalid_api_key', 'This API key is not known here.')
    return found
  }

  /** Whose key it is; null where it is nobody's. */
  find(presented: string | null): ApiKey | null {
    if (presented === null) return null
    const digest = createHash('sha256').update(presented).digest()
    let found: ApiKey | null = null
    for (const key of this.#keys) if (timingSafeEqual(key.digest, digest)) found = key
    return found
  }

  /** Reserves what the request may use. Throws `rate_limited` when that is not there. */
  admit(key: ApiKey | null, tokens: number, nowMs: number): Admission {
    if (key === null) return nothingHeld
    const { usage } = key
    if (key.maxParallel !== null && usage.inFlight >= key.maxParallel) {
      throw limited(key, `it runs ${key.maxParallel} requests at a time already`, 1)
    }
    // Everything is looked at before anything is taken, so that a refusal costs nothing.
    const requestWaitMs = usage.requests?.waitMs(1, nowMs) ?? 0
    if (requestWaitMs > 0) {
      throw limited(
        key,
        `${usage.requests?.capacity} requests a minute are used up`,
        requestWaitMs / 1000,
      )
    }
    const tokenWaitMs = usage.tokens?.waitMs(tokens, nowMs) ?? 0
    if (tokenWaitMs > 0) {
      throw limited(
        key,
        `${usage.tokens?.capacity} tokens a minute are used up`,
        tokenWaitMs / 1000,
      )
    }
    usage.requests?.tryTake(1, nowMs)
    usage.tokens?.tryTake(tokens, nowMs)
    usage.inFlight++
    let held = true
    return {
      release(usedTokens) {
        if (!held) return
        held = false
        usage.inFlight--
        usage.tokens?.settle(tokens - usedTokens)
      },
    }
  }
}

/** Throws `model_not_allowed`. */
export function checkModelAllowed(key: ApiKey | null, asked: string, model: ModelName): void {
  if (key === null || mayUse(key, asked, model)) return
  throw new MotleyError(
    'model_not_allowed',
    `The key "${key.name}" may not use the model "${asked.slice(0, 100)}".`,
    { param: 'model' },
  )
}

/** Whether the key may use a model that is known under any of these names. */
export function mayUse(key: ApiKey | null, ...names: readonly string[]): boolean {
  const models = key?.models ?? null
  return models === null || names.some((name) => models.has(name))
}

function limited(key: ApiKey, why: string, afterSeconds: number): MotleyError {
  return new MotleyError('rate_limited', `The key "${key.name}" must wait: ${why}.`, {
    retryAfterSeconds: afterSeconds,
  })
}

/** The bucket of before while its size is the same, else a full one. */
function perMinute(
  before: TokenBucket | null,
  amount: number | undefined,
  nowMs: number,
): TokenBucket | null {
  if (amount === undefined) return null
  return before?.capacity === amount ? before : new TokenBucket(amount, amount / 60, nowMs)
}

function digestOf(config: KeyConfig): Buffer {
  return config.keyHash === undefined
    ? createHash('sha256')
        .update(config.key ?? '')
        .digest()
    : Buffer.from(config.keyHash.slice('sha256:'.length), 'hex')
}
