import { createHash } from 'node:crypto'
import { expect, test } from 'vitest'
import { type KeyConfig, keyConfig } from '#core/config/gateway.ts'
import { modelName } from '#core/ids.ts'
import { type ApiKey, checkModelAllowed, KeyRing, mayUse } from '#gateway/key-ring.ts'

const configOf = (more: Record<string, unknown> = {}): KeyConfig =>
  keyConfig.parse({ name: 'app', key: 'app-secret', ...more })

function ringWith(...configs: Record<string, unknown>[]) {
  const ring = new KeyRing()
  ring.configure(configs.map(configOf), 0)
  return ring
}

const keyOf = (ring: KeyRing, secret = 'app-secret') => ring.authenticate(secret) as ApiKey

test('without keys everybody may come in, and nothing is counted', () => {
  const ring = ringWith()
  expect(ring.required).toBe(false)
  expect(ring.authenticate(null)).toBeNull()
  expect(() => ring.admit(null, 1e9, 0).release(5)).not.toThrow()
})

test('a key is known by its secret, given as it is or as a digest', () => {
  const hash = createHash('sha256').update('hashed-secret').digest('hex')
  const ring = ringWith({}, { name: 'hashed', key: undefined, keyHash: `sha256:${hash}` })
  expect(keyOf(ring).name).toBe('app')
  expect(keyOf(ring, 'hashed-secret').name).toBe('hashed')
})

test.each([null, '', 'app-secre', 'app-secret ', 'APP-SECRET'])(
  'the key %j is not known',
  (secret) => {
    expect(() => ringWith({}).authenticate(secret)).toThrow(
      expect.objectContaining({ code: 'invalid_api_key' }),
    )
  },
)

test('a key runs maxParallel requests at a time; one that ends makes room, once', () => {
  const ring = ringWith({ maxParallel: 2 })
  const key = keyOf(ring)
  const first = ring.admit(key, 0, 0)
  ring.admit(key, 0, 0)
  expect(() => ring.admit(key, 0, 0)).toThrow(/2 requests at a time/)
  first.release(0)
  first.release(0)
  ring.admit(key, 0, 0)
  expect(() => ring.admit(key, 0, 0)).toThrow(/2 requests at a time/)
})

test('a refusal for too many requests says when to come back', () => {
  const ring = ringWith({ rpm: 60 })
  const key = keyOf(ring)
  for (let count = 0; count < 60; count++) ring.admit(key, 0, 0).release(0)
  expect(() => ring.admit(key, 0, 0)).toThrow(
    expect.objectContaining({ code: 'rate_limited', retryAfterSeconds: 1 }),
  )
  ring.admit(key, 0, 1_000)
  expect(() => ring.admit(key, 0, 1_000)).toThrow(expect.objectContaining({ code: 'rate_limited' }))
})

test('tokens are reserved before and settled after', () => {
  const ring = ringWith({ tpm: 100 })
  const key = keyOf(ring)
  const admission = ring.admit(key, 90, 0)
  expect(() => ring.admit(key, 20, 0)).toThrow(/100 tokens a minute/)
  admission.release(30)
  admission.release(30)
  ring.admit(key, 70, 0)
  expect(() => ring.admit(key, 1, 0)).toThrow(/100 tokens a minute/)
})

test('an answer that came to more than was reserved is paid for later', () => {
  const ring = ringWith({ tpm: 60 })
  const key = keyOf(ring)
  ring.admit(key, 10, 0).release(120)
  expect(() => ring.admit(key, 1, 59_000)).toThrow(
    expect.objectContaining({ code: 'rate_limited' }),
  )
  ring.admit(key, 1, 61_000)
})

test('a request that is refused for its tokens costs neither a request nor a place', () => {
  const ring = ringWith({ rpm: 2, tpm: 100, maxParallel: 2 })
  const key = keyOf(ring)
  const first = ring.admit(key, 80, 0)
  for (let count = 0; count < 5; count++) expect(() => ring.admit(key, 80, 0)).toThrow(/tokens/)
  first.release(0)
  ring.admit(key, 10, 0)
  expect(key.usage.inFlight).toBe(1)
})

test('a reload while requests of a key run keeps what they hold, and lets them give it back', () => {
  const ring = ringWith({ maxParallel: 1, tpm: 100 })
  const running = ring.admit(keyOf(ring), 100, 0)
  ring.configure([configOf({ maxParallel: 1, tpm: 100, rpm: 5 })], 0)
  expect(() => ring.admit(keyOf(ring), 0, 0)).toThrow(/1 requests at a time/)
  running.release(40)
  ring.admit(keyOf(ring), 60, 0).release(60)
  expect(keyOf(ring).usage.inFlight).toBe(0)
  expect(() => ring.admit(keyOf(ring), 1, 0)).toThrow(/tokens a minute/)
})

test('a reload that changes a limit begins it anew, and keeps the others', () => {
  const ring = ringWith({ rpm: 1, tpm: 10 })
  ring.admit(keyOf(ring), 10, 0).release(10)
  ring.configure([configOf({ rpm: 2, tpm: 10 })], 0)
  expect(() => ring.admit(keyOf(ring), 10, 0)).toThrow(/10 tokens a minute/)
  ring.configure([configOf({ rpm: 2 })], 0)
  ring.admit(keyOf(ring), 10, 0)
  ring.admit(keyOf(ring), 10, 0)
  expect(() => ring.admit(keyOf(ring), 10, 0)).toThrow(/2 requests a minute/)
})

test('a key that a reload removes is not known any more', () => {
  const ring = ringWith({})
  ring.configure([configOf({ name: 'other', key: 'other-secret' })], 0)
  expect(() => ring.authenticate('app-secret')).toThrow()
  expect(keyOf(ring, 'other-secret').name).toBe('other')
})

test('a key is for its models, under any of their names', () => {
  const ring = ringWith({ models: ['alias'] })
  const key = keyOf(ring)
  expect([mayUse(key, 'alias'), mayUse(key, 'real', 'alias'), mayUse(key, 'real')]).toEqual([
    true,
    true,
    false,
  ])
  expect([mayUse(null, 'real'), mayUse(keyOf(ringWith({})), 'real')]).toEqual([true, true])
  expect(() => checkModelAllowed(key, 'alias', modelName('real'))).not.toThrow()
  expect(() => checkModelAllowed(key, 'real', modelName('real'))).toThrow(
    expect.objectContaining({ code: 'model_not_allowed', param: 'model' }),
  )
})
