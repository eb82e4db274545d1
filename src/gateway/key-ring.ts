/**
 * The API keys and what each of them has used. Keys are kept as SHA-256 digests only, compared in
 * constant time; limits are reserved before a request runs and settled when it is over.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import type { KeyConfig } from '#core/config/gateway.ts'
import { MotleyError } from '#core/errors.ts'
import type { ModelName } from '#core/ids.ts'
import { TokenBucket } from '#std/token-bucket.ts'

export interface ApiKey {
  readonly name: string
  readonly admin: boolean
  readonly models: ReadonlySet<string> | null
  readonly digest: Buffer
  readonly requests: TokenBucket | null
  readonly tokens: TokenBucket | null
  readonly maxParallel: number | null
  inFlight: number
}

/** What a request holds of its key until it is over. */
export interface Admission {
  /** `usedTokens` is what it came to, or null when nobody said: then the reservation stands. */
  release(usedTokens: number | null): void
}

const nothingHeld: Admission = { release() {} }

export class KeyRing {
  #keys: readonly ApiKey[] = []

  /** Takes the configured keys; one that stays keeps what it has used. */
  configure(configs: readonly KeyConfig[], nowMs: number): void {
    const before = new Map(this.#keys.map((key) => [key.name, key]))
    this.#keys = configs.map((config) => {
      const known = before.get(config.name)
      const kept = <Bucket extends TokenBucket | null>(bucket: Bucket, capacity?: number) =>
        bucket?.capacity === capacity ? bucket : undefined
      return {
        name: config.name,
        admin: config.admin,
        models: config.models === undefined ? null : new Set(config.models),
        digest: digestOf(config),
        requests: kept(known?.requests ?? null, config.rpm) ?? perMinute(config.rpm, nowMs),
        tokens: kept(known?.tokens ?? null, config.tpm) ?? perMinute(config.tpm, nowMs),
        maxParallel: config.maxParallel ?? null,
        inFlight: known?.inFlight ?? 0,
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
    const digest = createHash('sha256').update(presented).digest()
    let found: ApiKey | null = null
    for (const key of this.#keys) if (timingSafeEqual(key.digest, digest)) found = key
    if (found === null) throw new MotleyError('invalid_api_key', 'This API key is not known here.')
    return found
  }

  /** Reserves what the request may use. Throws `rate_limited` when that is not there. */
  admit(key: ApiKey | null, tokens: number, nowMs: number): Admission {
    if (key === null) return nothingHeld
    if (key.maxParallel !== null && key.inFlight >= key.maxParallel) {
      throw limited(key, `it runs ${key.maxParallel} requests at a time already`, 1)
    }
    // Everything is looked at before anything is taken, so that a refusal costs nothing.
    const requestWaitMs = key.requests?.waitMs(1, nowMs) ?? 0
    if (requestWaitMs > 0) {
      throw limited(
        key,
        `${key.requests?.capacity} requests a minute are used up`,
        requestWaitMs / 1000,
      )
    }
    const tokenWaitMs = key.tokens?.waitMs(tokens, nowMs) ?? 0
    if (tokenWaitMs > 0) {
      throw limited(key, `${key.tokens?.capacity} tokens a minute are used up`, tokenWaitMs / 1000)
    }
    key.requests?.tryTake(1, nowMs)
    key.tokens?.tryTake(tokens, nowMs)
    key.inFlight++
    let held = true
    return {
      release(usedTokens) {
        if (!held) return
        held = false
        key.inFlight--
        if (usedTokens !== null) key.tokens?.settle(tokens - usedTokens)
      },
    }
  }
}

/** Throws `model_not_allowed`. `names` are all the names under which the model is known. */
export function checkModelAllowed(key: ApiKey | null, asked: string, model: ModelName): void {
  if (key === null || key.models === null) return
  if (key.models.has(model) || key.models.has(asked)) return
  throw new MotleyError(
    'model_not_allowed',
    `The key "${key.name}" may not use the model "${asked.slice(0, 100)}".`,
    { param: 'model' },
  )
}

export function mayUse(key: ApiKey | null, model: string): boolean {
  return key === null || key.models === null || key.models.has(model)
}

function limited(key: ApiKey, why: string, afterSeconds: number): MotleyError {
  return new MotleyError('rate_limited', `The key "${key.name}" must wait: ${why}.`, {
    retryAfterSeconds: afterSeconds,
  })
}

function perMinute(amount: number | undefined, nowMs: number): TokenBucket | null {
  return amount === undefined ? null : new TokenBucket(amount, amount / 60, nowMs)
}

function digestOf(config: KeyConfig): Buffer {
  return config.keyHash === undefined
    ? createHash('sha256')
        .update(config.key ?? '')
        .digest()
    : Buffer.from(config.keyHash.slice('sha256:'.length), 'hex')
}
