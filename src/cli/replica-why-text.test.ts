import { expect, test } from 'vitest'
import { byHandAnswer, replicaWhyText } from '#cli/replica-why-text.ts'

const nowMs = Date.UTC(2026, 0, 2)
const minute = 60_000

const replica = byHandAnswer.parse({
  spec: {
    id: 'tiny-9f1dcb',
    model: 'tiny',
    source: 'hf:owner/tiny-GGUF:Q4_K_M',
    contextTokens: null,
    slots: 2,
    engine: null,
    backend: null,
  },
  nodeName: 'tower',
  presence: 'ready',
  draining: false,
  placed: null,
  asked: { key: 'ops', atMs: nowMs - 5 * minute },
  reported: {
    state: 'ready',
    detail: null,
    engine: 'llama-server',
    backend: 'cuda',
    pid: 7,
    port: 8123,
    restarts: 0,
    lastEnd: null,
    progress: null,
    alarms: [],
  },
  memory: { devices: [{ name: 'GeForce RTX 4090', takenBytes: 6_100_000_000 }] },
})

test('a replica that was started by hand says who asked, when, where, on what and how it is', () => {
  const text = replicaWhyText(replica, 'not shown: it answers', nowMs)
  expect(text).toContain('tiny-9f1dcb on tower: ready')
  expect(text).toContain('started it by hand on tower, with the key "ops", 5 min ago')
  expect(text).toContain('llama-server on cuda, the usual context, 2 slots')
  expect(text).toContain('6.1 GB of GeForce RTX 4090')
  expect(text).not.toContain('last words')
})

test('one that does not answer tells its last words, and how often it was started again', () => {
  const reported = {
    ...replica.reported!,
    state: 'crash-looping',
    restarts: 3,
    detail: 'llama-server ended with code 1',
  }
  const log = 'one\ntwo\nthree\n\nfour\ncannot open shared object file\n'
  const text = replicaWhyText({ ...replica, reported, memory: null }, log, nowMs)
  expect(text).toContain('started again 3 times')
  expect(text).toContain('llama-server ended with code 1')
  expect(text.match(/Its last words:\n([\s\S]*)\n\n/)?.[1]?.split('\n')).toEqual([
    '    two',
    '    three',
    '    four',
    '    cannot open shared object file',
  ])
})

test('one that is ready again still tells how its engine ended, when and how often', () => {
  const meaning = 'Something killed it.'
  const lastEnd = { atMs: nowMs - 12_000, code: null, signal: 'SIGKILL', meaning }
  const reported = { ...replica.reported!, restarts: 1, lastEnd }
  const text = replicaWhyText({ ...replica, reported }, null, nowMs)
  expect(text).toContain('started again once after its engine had ended unasked')
  expect(text).toContain('last end: 12 s ago, by SIGKILL: Something killed it.')
})

test('while it is not ready, its reason says what the end means, and the end only how', () => {
  const meaning = 'It does not fit.'
  const lastEnd = { atMs: nowMs - 12_000, code: 3, signal: null, meaning }
  const reported = { ...replica.reported!, state: 'backing-off', detail: meaning, lastEnd }
  const text = replicaWhyText({ ...replica, reported }, null, nowMs)
  expect(text).toContain('last end: 12 s ago, with exit code 3\n')
  expect(text.match(/It does not fit/g)).toHaveLength(1)
})

test('what a controller of before did not note is not made up', () => {
  const text = replicaWhyText({ ...replica, asked: null }, null, nowMs)
  expect(text).toContain('somebody started it by hand on tower\n')
})
