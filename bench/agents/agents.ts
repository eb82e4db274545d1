/**
 * What a fleet of agents costs its controller: CPU of a heartbeat, the time from a changed wish until
 * every agent has been told, CPU of a reconnect, memory over a while in which agents beat, report,
 * break off and come back, and what it meets when all of them lose it at once. This process is the controller and does little else; the agents
 * are two processes of simulated ones (agents-process.ts), over real TLS connections.
 *
 *   npm run bench:agents -- [--agents 200] [--faster 20] [--minutes 20] [--rounds 30] [--away 30] [--json]
 *
 * All clocks are the wall's while agents join and in the storms at the end, and run `--faster` in between, so
 * that minutes of heartbeats pass in seconds; times that are printed are the wall's. Times of one machine mean little on another.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as wallMs } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { type Controller, startController } from '#controller/controller.ts'
import { heartbeatMs, type ReplicaSpec } from '#protocol/agent-messages.ts'
import { type Clock, systemClock } from '#std/clock.ts'
import { makeCertificate } from '#std/self-signed-certificate.ts'
import { fastClock } from './fast-clock.ts'
import { type Answer, monotonicMs, type Order } from './orders.ts'

const { values } = parseArgs({
  options: {
    agents: { type: 'string', default: '200' },
    faster: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '30' },
    away: { type: 'string', default: '30' },
    json: { type: 'boolean', default: false },
  },
})
const agentCount = countOf('agents')
const factor = countOf('faster')
const minutes = countOf('minutes')
const rounds = countOf('rounds')
const awaySeconds = countOf('away')
const processCount = 2

function countOf(option: 'agents' | 'faster' | 'minutes' | 'rounds' | 'away'): number {
  const count = Number(values[option])
  if (Number.isInteger(count) && count > 0) return count
  throw new Error(`--${option} takes a whole number above 0, and not "${values[option]}"`)
}

class AgentsProcess {
  names: readonly string[] = []
  readonly #child: ChildProcess = fork(
    fileURLToPath(new URL('agents-process.ts', import.meta.url)),
    { execArgv: ['--conditions=motley-source'] },
  )
  readonly #waiting = new Map<Answer['kind'], (answer: Answer) => void>()

  constructor() {
    this.#child.on('message', (answer: Answer) => {
      if (answer.kind === 'refused') throw new Error(`an agent was refused: ${answer.message}`)
      this.#waiting.get(answer.kind)?.(answer)
      this.#waiting.delete(answer.kind)
    })
  }

  order(order: Order): void {
    this.#child.send(order)
  }

  answer<Kind extends Answer['kind']>(kind: Kind): Promise<Extract<Answer, { kind: Kind }>> {
    return new Promise((resolve) => {
      this.#waiting.set(kind, (answer) => resolve(answer as Extract<Answer, { kind: Kind }>))
    })
  }
}

/** Microseconds of user and system time of this process so far. */
function cpuMicroseconds(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** What is held once garbage has been collected, and what the system has given, in bytes. */
function memory(): { readonly heapBytes: number; readonly rssBytes: number } {
  if (globalThis.gc === undefined)
    throw new Error('node needs --expose-gc, as npm run bench:agents gives it')
  globalThis.gc()
  const { heapUsed, external, rss } = process.memoryUsage()
  return { heapBytes: heapUsed + external, rssBytes: rss }
}

function quantile(numbers: readonly number[], part: number): number {
  const sorted = numbers.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN
}

async function countAll(processes: readonly AgentsProcess[]) {
  const counts = processes.map((one) => one.answer('count'))
  for (const one of processes) one.order({ kind: 'count' })
  const all = await Promise.all(counts)
  return {
    heartbeats: all.reduce((sum, { heartbeats }) => sum + heartbeats, 0),
    connected: all.reduce((sum, { connected }) => sum + connected, 0),
  }
}

async function untilJoined(processes: readonly AgentsProcess[], order: () => void): Promise<void> {
  const joined = processes.map((one) => one.answer('joined'))
  order()
  await Promise.all(joined)
}

/** Milliseconds until the last of these agents was told of the wish. */
async function toldMs(
  processes: readonly AgentsProcess[],
  names: readonly string[],
  { model, wanted }: { readonly model: string; readonly wanted: boolean },
  change: () => void,
): Promise<number> {
  const concerned = processes.filter((one) => one.names.some((name) => names.includes(name)))
  const watching = concerned.map((one) => one.answer('watching'))
  const told = concerned.map((one) => one.answer('told'))
  for (const one of concerned) {
    const own = one.names.filter((name) => names.includes(name))
    one.order({ kind: 'watch', names: own, model, wanted })
  }
  await Promise.all(watching)
  const startMs = monotonicMs()
  change()
  return Math.max(...(await Promise.all(told)).map(({ atMs }) => atMs)) - startMs
}

function replicaOf(model: string): Omit<ReplicaSpec, 'id'> {
  return {
    model,
    source: 'hf:bartowski/Meta-Llama-3.1-8B-Instruct-GGUF:Q4_K_M',
    engine: null,
    backend: null,
    deviceIndexes: null,
    contextTokens: null,
    slots: null,
    kind: 'native',
    extraArguments: [],
  }
}

function stopAll(controller: Controller, model: string): void {
  for (const { spec } of controller.replicas()) {
    if (spec.model === model) controller.stopReplica(spec.id)
  }
}

async function startAt(port: number, pace: Clock): Promise<Controller> {
  const started = await startController({
    directory,
    certificate,
    host: '127.0.0.1',
    port,
    clock: pace,
    log: () => {},
  })
  // A gateway beside the controller looks at the whole list whenever it may have changed.
  started.onEndpointsChanged(() => void started.endpoints())
  return started
}

interface Storm {
  /** From the first moment in which the controller listens again. */
  readonly allBackMs: number
  readonly cpuMs: number
  readonly connectionsMax: number
  /** The longest that a request to a gateway in the same process would have waited. */
  readonly stallMs: number
}

/** Files and sockets of this process: what comes on top of those of before is connections. */
function openFiles(): number {
  return readdirSync('/proc/self/fd').length
}

/** The controller goes, is away for so long, and all agents come back to the next one. */
async function storm(
  processes: readonly AgentsProcess[],
  { awayMs, faster }: { readonly awayMs: number; readonly faster: number },
): Promise<Storm> {
  const { port } = controller
  const back = processes.map((one) => one.answer('joined'))
  for (const one of processes) one.order({ kind: 'storm', faster })
  // So that nobody misses the end of what it is waiting for.
  await countAll(processes)
  await controller.close()
  await wallMs(awayMs)
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const cpu = cpuMicroseconds()
  const startMs = monotonicMs()
  controller = await startAt(port, fastClock(faster))
  const filesBefore = openFiles()
  let connectionsMax = 0
  let isOver = false
  const watching = (async () => {
    while (!isOver) {
      connectionsMax = Math.max(connectionsMax, openFiles() - filesBefore)
      await wallMs(10)
    }
  })()
  await Promise.all(back)
  const allBackMs = monotonicMs() - startMs
  const cpuMs = (cpuMicroseconds() - cpu) / 1_000
  isOver = true
  await watching
  delay.disable()
  return { allBackMs, cpuMs, connectionsMax, stallMs: delay.max / 1e6 }
}

const directory = mkdtempSync(join(tmpdir(), 'motley-bench-agents-'))
const certificate = await makeCertificate('motley-controller', Date.now())
let controller = await startAt(0, systemClock)
const processes = Array.from({ length: processCount }, () => new AgentsProcess())
try {
  const share = Math.ceil(agentCount / processCount)
  console.error(`making ${agentCount} certificates`)
  await Promise.all(
    processes.map(async (one, index) => {
      const agents = Math.min(share, agentCount - index * share)
      const prepared = one.answer('prepared')
      one.order({ kind: 'prepare', agents, offset: index * share })
      one.names = (await prepared).names
    }),
  )
  const allNames = processes.flatMap(({ names }) => names)

  console.error('joining')
  const joinStartMs = monotonicMs()
  const joinStartCpu = cpuMicroseconds()
  await untilJoined(processes, () => {
    const { host, port, certificate } = controller
    const address = { host, port, fingerprint: certificate.fingerprint }
    for (const one of processes) {
      const secrets = one.names.map(
        () => controller.createToken(3_600_000).token.split('.')[0] as string,
      )
      one.order({ kind: 'join', controller: address, secrets })
    }
  })
  const joinMs = monotonicMs() - joinStartMs
  const joinCpuMicroseconds = (cpuMicroseconds() - joinStartCpu) / agentCount
  // Inventories are still on their way.
  while (controller.nodes().some(({ inventory }) => inventory === null)) await wallMs(20)
  await storm(processes, { awayMs: 0, faster: factor })

  console.error('wishes')
  const model = 'llama-3.1-8b'
  const allToldMs = await toldMs(processes, allNames, { model, wanted: true }, () => {
    for (const name of allNames) controller.startReplica(name, replicaOf(model))
  })
  const oneToldMs: number[] = []
  for (let round = 0; round < rounds; round++) {
    const name = allNames[(round * 7) % allNames.length] as string
    const extra = `extra-${round}`
    const start = () => controller.startReplica(name, replicaOf(extra))
    oneToldMs.push(await toldMs(processes, [name], { model: extra, wanted: true }, start))
    stopAll(controller, extra)
  }

  console.error('heartbeats')
  // Beats alone, when all that was reported has been heard.
  await wallMs((heartbeatMs * 2) / factor)
  const before = { ...(await countAll(processes)), cpu: cpuMicroseconds(), atMs: monotonicMs() }
  await wallMs(Math.max(5_000, (heartbeatMs * 24) / factor))
  const cpuAfter = cpuMicroseconds()
  const after = await countAll(processes)
  const beats = after.heartbeats - before.heartbeats
  const heartbeatMicroseconds = (cpuAfter - before.cpu) / beats
  const beatsPerSecond = (beats / (monotonicMs() - before.atMs)) * 1_000

  console.error(`${minutes} minutes of all of it`)
  const memories = [memory()]
  const redialled = Math.ceil(share / 10)
  const redialCpu: number[] = []
  for (let minute = 0; minute < minutes; minute++) {
    const cpu = cpuMicroseconds()
    const startMs = monotonicMs()
    await untilJoined(processes, () => {
      for (const one of processes) one.order({ kind: 'redial', agents: redialled })
    })
    // The others beat meanwhile.
    const beatsCpu = ((monotonicMs() - startMs) / 1_000) * beatsPerSecond * heartbeatMicroseconds
    redialCpu.push((cpuMicroseconds() - cpu - beatsCpu) / (redialled * processCount))
    for (const one of processes) one.order({ kind: 'report' })
    const name = allNames[minute % allNames.length] as string
    controller.startReplica(name, replicaOf('of-this-minute'))
    await wallMs(60_000 / factor)
    stopAll(controller, 'of-this-minute')
    memories.push(memory())
  }
  const { connected } = await countAll(processes)
  const ready = controller.nodes().filter(({ presence }) => presence === 'ready').length
  if (connected !== agentCount || ready !== agentCount) {
    throw new Error(`of ${agentCount} agents ${connected} are connected and ${ready} ready`)
  }

  console.error('storms')
  const storms = {
    restarted: await storm(processes, { awayMs: 0, faster: 1 }),
    away: await storm(processes, { awayMs: awaySeconds * 1_000, faster: 1 }),
  }

  const result = {
    agents: agentCount,
    faster: factor,
    heartbeatMicroseconds,
    beatsPerSecond,
    coreShareAtRealTime: (heartbeatMicroseconds * agentCount * 1_000) / heartbeatMs / 1e6,
    oneToldMs: { p50: quantile(oneToldMs, 0.5), p95: quantile(oneToldMs, 0.95) },
    allToldMs,
    joinMs,
    joinCpuMicroseconds,
    redialCpuMicroseconds: quantile(redialCpu, 0.5),
    storms,
    heapBytesByMinute: memories.map(({ heapBytes }) => heapBytes),
    rssBytesByMinute: memories.map(({ rssBytes }) => rssBytes),
    logBytes: statSync(join(directory, 'controller.sqlite')).size,
  }
  if (values.json) console.log(JSON.stringify(result))
  else console.log(resultText(result))
} finally {
  for (const one of processes) one.order({ kind: 'end' })
  await controller.close()
  rmSync(directory, { recursive: true, force: true })
}

function resultText(result: {
  readonly heartbeatMicroseconds: number
  readonly beatsPerSecond: number
  readonly coreShareAtRealTime: number
  readonly oneToldMs: { readonly p50: number; readonly p95: number }
  readonly allToldMs: number
  readonly joinMs: number
  readonly joinCpuMicroseconds: number
  readonly redialCpuMicroseconds: number
  readonly storms: { readonly restarted: Storm; readonly away: Storm }
  readonly heapBytesByMinute: readonly number[]
  readonly rssBytesByMinute: readonly number[]
}): string {
  const { oneToldMs, heapBytesByMinute, rssBytesByMinute } = result
  const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  const every = Math.max(1, Math.ceil(minutes / 5))
  const rows = heapBytesByMinute.flatMap((heapBytes, minute) =>
    minute % every === 0 || minute === minutes
      ? [
          `  minute ${String(minute).padStart(3)}   held ${mib(heapBytes)}   resident ${mib(rssBytesByMinute[minute] ?? 0)}`,
        ]
      : [],
  )
  const stormText = ({ allBackMs, cpuMs, connectionsMax, stallMs }: Storm) =>
    `${(allBackMs / 1_000).toFixed(1)} s, ${cpuMs.toFixed(0)} ms of CPU, at most ${connectionsMax} connections, the longest stall ${stallMs.toFixed(0)} ms`
  return `${agentCount} agents on one controller, clocks ${factor} times as fast

CPU of a heartbeat      ${result.heartbeatMicroseconds.toFixed(0)} µs, at ${result.beatsPerSecond.toFixed(0)} a second; ${(result.coreShareAtRealTime * 100).toFixed(2)} % of a core in real time
a wish, until told      ${oneToldMs.p50.toFixed(1)} ms for one agent (p95 ${oneToldMs.p95.toFixed(1)} ms)
                        ${result.allToldMs.toFixed(0)} ms for all, a wish each
joining                 ${result.joinMs.toFixed(0)} ms for all, ${(result.joinCpuMicroseconds / 1_000).toFixed(1)} ms of CPU each
coming back             ${(result.redialCpuMicroseconds / 1_000).toFixed(1)} ms of CPU each
all back after a restart ${stormText(result.storms.restarted)}
all back after ${awaySeconds} s    ${stormText(result.storms.away)}
memory of the controller, ${minutes} minutes of heartbeats, reports and reconnects
${rows.join('\n')}`
}
