import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  newReplicaMachine,
  type ProbeVerdict,
  type ReplicaEvent,
  type ReplicaMachine,
  resumedMachine,
  stepReplica,
} from '#agent/replicas/replica-machine.ts'

const start: ReplicaEvent = { kind: 'start' }
const stop: ReplicaEvent = { kind: 'stop', graceMs: 10_000 }
const spawned: ReplicaEvent = { kind: 'spawned' }
const ended: ReplicaEvent = { kind: 'ended', permanent: false }
const time: ReplicaEvent = { kind: 'time' }
const probed = (verdict: ProbeVerdict): ReplicaEvent => ({ kind: 'probed', verdict })

/** A machine and what it asked for, on a clock that the test holds. */
class Story {
  machine: ReplicaMachine = newReplicaMachine(0)
  nowMs = 0
  readonly asked: string[] = []

  on(...events: readonly ReplicaEvent[]): this {
    for (const event of events) {
      const step = stepReplica(this.machine, event, this.nowMs)
      this.machine = step.machine
      this.asked.push(...step.actions.map(({ kind }) => kind))
    }
    return this
  }

  pass(ms: number): this {
    this.nowMs += ms
    return this
  }

  /** Waits until the next time event, and returns how long that took. */
  passDue(): number {
    const waitedMs = (this.machine.dueAtMs ?? Number.NaN) - this.nowMs
    this.pass(waitedMs).on(time)
    return waitedMs
  }

  get state(): string {
    return this.machine.state
  }
}

const running = (): Story => new Story().on(start, spawned)
const ready = (): Story => running().on(probed('ready'))

test('it starts, loads, is ready, is asked to end and ends', () => {
  const story = new Story().on(start)
  expect(story.state).toBe('starting')
  story.on(spawned, probed('refused'))
  expect(story.state).toBe('starting')
  story.on(probed('loading'))
  expect(story.state).toBe('loading')
  story.on(probed('ready'))
  expect(story.state).toBe('ready')
  story.on(stop)
  expect(story.state).toBe('stopping')
  story.on(ended)
  expect(story.state).toBe('stopped')
  expect(story.asked).toEqual(['spawn', 'terminate'])
  expect(story.machine.dueAtMs).toBeNull()
})

test('a stop that is not heard becomes a kill after the grace, again and again', () => {
  const story = ready().on(stop)
  expect([story.passDue(), story.passDue(), story.passDue()]).toEqual([10_000, 5_000, 5_000])
  expect(story.asked).toEqual(['spawn', 'terminate', 'kill', 'kill', 'kill'])
  expect(story.on(ended).state).toBe('stopped')
})

test('each end by itself doubles the pause, from 1 s to at most 60 s', () => {
  const story = new Story().on(start)
  const pausesMs = Array.from({ length: 9 }, () => {
    // Slow enough to be no crash loop.
    story.on(spawned).pass(120_000).on(ended)
    expect(story.state).toBe('backing-off')
    return story.passDue()
  })
  expect(pausesMs).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1_000))
  expect(story.machine.restarts).toBe(9)
})

test('after a minute of being ready the pause is short again', () => {
  const story = new Story().on(start)
  for (let life = 0; life < 4; life++) {
    story.on(spawned).pass(120_000).on(ended)
    story.passDue()
  }
  story.on(spawned, probed('ready')).pass(59_999).on(ended)
  expect(story.passDue()).toBe(16_000)
  story.on(spawned, probed('ready')).pass(60_000).on(ended)
  expect(story.passDue()).toBe(1_000)
})

test('five ends within five minutes are a crash loop, tried again every five minutes', () => {
  const story = new Story().on(start)
  for (let life = 0; life < 4; life++) {
    story.on(spawned, ended)
    expect(story.state).toBe('backing-off')
    story.passDue()
  }
  story.on(spawned, ended)
  expect(story.state).toBe('crash-looping')
  expect(story.passDue()).toBe(300_000)
  expect(story.on(spawned, ended).state).toBe('crash-looping')
  story.passDue()
  story.on(spawned, probed('ready')).pass(60_000).on(ended)
  expect(story.state).toBe('backing-off')
})

test('an end that the next start would repeat is the last, until someone says start', () => {
  const story = running().on({ kind: 'ended', permanent: true })
  expect(story.state).toBe('failed')
  expect(story.machine.dueAtMs).toBeNull()
  expect(story.pass(1e9).on(time).state).toBe('failed')
  expect(story.on(start).state).toBe('starting')
})

test('a start in a pause does not wait for its end', () => {
  const story = running().on(ended).on(start)
  expect(story.state).toBe('starting')
  expect(story.asked).toEqual(['spawn', 'spawn'])
  expect(story.pass(1_000).on(time).asked).toEqual(['spawn', 'spawn'])
})

test('a start while it stops waits until the old process is gone', () => {
  const story = ready().on(stop, start)
  expect(story.asked).toEqual(['spawn', 'terminate'])
  expect(story.on(ended).state).toBe('starting')
  expect(story.asked).toEqual(['spawn', 'terminate', 'spawn'])
  expect(ready().on(stop, start, stop, ended).state).toBe('stopped')
})

test('a stop while it is being launched reaches it as soon as it runs', () => {
  const story = new Story().on(start, stop)
  expect(story.asked).toEqual(['spawn'])
  expect(story.on(spawned).asked).toEqual(['spawn', 'terminate'])
  expect(new Story().on(start, stop, ended).state).toBe('stopped')
})

test('a ready replica may miss two probes; with the third it is ready no more', () => {
  const story = ready().on(probed('silent'), probed('unhealthy'))
  expect(story.state).toBe('ready')
  story.on(probed('ready'), probed('refused'), probed('refused'))
  expect(story.state).toBe('ready')
  expect(story.on(probed('refused')).state).toBe('starting')
  expect(ready().on(probed('loading')).state).toBe('loading')
})

test('a clock that was set back does not make a pause longer than five minutes', () => {
  const written = running()
    .pass(10 * 60_000)
    .on(ended).machine
  const resumed = resumedMachine(written, 1_000)
  expect(resumed).toMatchObject({ dueAtMs: 1_000, sinceMs: 1_000, endedAtMs: [] })
  expect(resumedMachine(written, 601_000).dueAtMs).toBe(601_000)
})

/** The world around a machine: it has processes that obey, or do not, and an order of its own. */
class World {
  machine = newReplicaMachine(0)
  nowMs = 0
  launching = 0
  processes = 0
  killed = false

  send(event: ReplicaEvent): void {
    const step = stepReplica(this.machine, event, this.nowMs)
    this.machine = step.machine
    for (const { kind } of step.actions) {
      if (kind === 'spawn') this.launching++
      else expect(this.processes).toBe(1)
      if (kind === 'kill') this.killed = true
    }
    expect(this.launching + this.processes).toBeLessThanOrEqual(1)
    const { process, state, dueAtMs } = this.machine
    expect(process).toBe(
      this.launching === 1 ? 'launching' : this.processes === 1 ? 'running' : 'none',
    )
    // Nobody is forgotten: whatever waits, waits for a process or for a time.
    if (process === 'none') {
      if (state === 'backing-off' || state === 'crash-looping') expect(dueAtMs).not.toBeNull()
      else expect(['stopped', 'failed']).toContain(state)
    }
    if (state === 'stopping') expect(dueAtMs).not.toBeNull()
  }

  launch(works: boolean, permanent: boolean): void {
    if (this.launching === 0) return
    this.launching--
    if (works) {
      this.processes++
      this.send({ kind: 'spawned' })
    } else this.send({ kind: 'ended', permanent })
  }

  end(permanent: boolean): void {
    if (this.processes === 0) return
    this.processes--
    this.killed = false
    this.send({ kind: 'ended', permanent })
  }

  pass(ms: number): void {
    this.nowMs += ms
    const { dueAtMs } = this.machine
    if (dueAtMs !== null && this.nowMs >= dueAtMs) this.send({ kind: 'time' })
  }
}

const worldStep = fc.oneof(
  fc.constant((world: World) => world.send(start)),
  fc.constant((world: World) => world.send(stop)),
  fc.record({ works: fc.boolean(), permanent: fc.boolean() }).map(
    ({ works, permanent }) =>
      (world: World) =>
        world.launch(works, permanent),
  ),
  fc.boolean().map((permanent) => (world: World) => world.end(permanent)),
  fc
    .constantFrom<ProbeVerdict>('ready', 'loading', 'refused', 'silent', 'unhealthy')
    .map((verdict) => (world: World) => world.send(probed(verdict))),
  fc.integer({ min: 0, max: 400_000 }).map((ms) => (world: World) => world.pass(ms)),
)

test('whatever happens: one process at most, no stop that hangs, and stopped after a stop', () => {
  fc.assert(
    fc.property(fc.array(worldStep, { maxLength: 60 }), (steps) => {
      const world = new World()
      for (const step of steps) step(world)
      world.send(stop)
      // The world goes on: launches come to an end, and a process ends only when it is killed.
      world.launch(true, false)
      for (let round = 0; round < 3 && world.processes > 0; round++) {
        world.pass(10_000)
        if (world.killed) world.end(false)
      }
      expect(world.machine).toMatchObject({ state: 'stopped', process: 'none', dueAtMs: null })
      world.pass(1e9)
      expect(world.launching + world.processes).toBe(0)
    }),
    { numRuns: 2_000 },
  )
})

test('an event that comes too late or twice changes nothing', () => {
  const stopped = newReplicaMachine(0)
  for (const event of [spawned, ended, time, stop, probed('ready')]) {
    expect(stepReplica(stopped, event, 5)).toEqual({ machine: stopped, actions: [] })
  }
})
