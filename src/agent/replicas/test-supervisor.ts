/** For tests: a supervisor with real processes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { processLauncher } from '#agent/replicas/engine-process.ts'
import { markOf } from '#agent/replicas/process-mark.ts'
import type { ReplicaSpec } from '#agent/replicas/replica-spec.ts'
import { openSupervisor, type Supervisor } from '#agent/replicas/supervisor.ts'
import { probeTestEngine, type TestBench, until } from '#agent/replicas/test-engine.ts'
import type { ReplicaStatus } from '#core/replica.ts'
import { type Clock, systemClock } from '#std/clock.ts'

/** A supervisor of real processes in a folder of its own, and what tests ask of it. */
export class SupervisorWorld {
  readonly bench: TestBench
  readonly warnings: string[] = []
  #supervisor: Supervisor | null = null
  readonly #children: ChildProcess[] = []
  readonly #servers: Server[] = []

  constructor(bench: TestBench) {
    this.bench = bench
  }

  /** The one that was opened last. */
  get supervisor(): Supervisor {
    if (this.#supervisor === null) throw new Error('no supervisor is open')
    return this.#supervisor
  }

  async open(clock: Clock = systemClock, logBytesMax?: number): Promise<Supervisor> {
    this.#supervisor = await openSupervisor({
      dataDirectory: this.bench.directory,
      launcher: processLauncher(clock),
      probe: probeTestEngine,
      warn: (message) => this.warnings.push(message),
      clock,
      ...(logBytesMax === undefined ? {} : { logBytesMax }),
    })
    return this.#supervisor
  }

  /** Ends all that runs. */
  async close(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    for (const server of this.#servers) server.close()
    for (const { id } of this.supervisor.list()) {
      const { pid } = this.status(id)
      if (pid !== null) tryKill(-pid)
    }
    await this.supervisor.closeAndStop()
    await this.bench.close()
  }

  /** With the test. */
  endLater(child: ChildProcess): void {
    this.#children.push(child)
  }

  status(name: string): ReplicaStatus {
    const found = this.supervisor.list().find(({ id }) => id === name)
    if (found === undefined) throw new Error(`no replica ${name}`)
    return found
  }

  untilState(name: string, state: ReplicaStatus['state']): Promise<void> {
    return until(`${name} is ${state}`, () => this.status(name).state === state)
  }

  /** Its pid, once it is ready. */
  async startReady(spec: ReplicaSpec): Promise<number> {
    await this.supervisor.start(spec)
    await this.untilState(spec.id, 'ready')
    return this.status(spec.id).pid as number
  }

  /** The processes that the engine said it consists of. */
  async family(name: string, size: number): Promise<number[]> {
    let pids: number[] = []
    await until(`${size} processes of ${name} have said their number`, async () => {
      const text = await readFile(join(this.bench.directory, 'replicas', `${name}.log`), 'utf8')
      pids = [...text.matchAll(/^process (\d+)$/gm)].map(([, pid]) => Number(pid))
      return pids.length >= size
    })
    return pids
  }

  /** Listens at the port. A process that was just killed may have it a moment longer than it lives. */
  async occupied(port: number): Promise<Server> {
    let server = createServer()
    await until('the port is free', () => {
      server = createServer()
      return new Promise((resolve) => {
        server.once('error', () => resolve(false))
        server.listen(port, '127.0.0.1', () => resolve(true))
      })
    })
    this.#servers.push(server)
    return server
  }

  recordPath(name: string): string {
    return join(this.bench.directory, 'replicas', `${name}.json`)
  }

  async changeRecord(name: string, change: (record: never) => object): Promise<void> {
    const record = JSON.parse(await readFile(this.recordPath(name), 'utf8')) as never
    await writeFile(this.recordPath(name), JSON.stringify(change(record)))
  }

  /** A supervisor as a process of its own, so that SIGKILL is real. Prints the engine's pid. */
  async supervisingProcess(spec: ReplicaSpec): Promise<{ agent: ChildProcess; pid: number }> {
    const room = (file: string): string => new URL(file, import.meta.url).href
    const script = join(this.bench.directory, 'agent.mjs')
    await writeFile(
      script,
      `import { processLauncher } from '${room('engine-process.ts')}'
       import { openSupervisor } from '${room('supervisor.ts')}'
       import { probeTestEngine } from '${room('test-engine.ts')}'
       import { systemClock } from '${room('../../std/clock.ts')}'
       const supervisor = await openSupervisor({
         dataDirectory: ${JSON.stringify(this.bench.directory)},
         launcher: processLauncher(systemClock),
         probe: probeTestEngine,
         warn: console.error,
       })
       supervisor.onChange(({ state, pid }) => { if (state === 'ready') console.log(pid) })
       await supervisor.start(${JSON.stringify(spec)})`,
    )
    const agent = spawn(process.execPath, ['--conditions=motley-source', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    this.#children.push(agent)
    const pid = await new Promise<number>((resolve, reject) => {
      agent.stdout?.once('data', (text) => resolve(Number(text)))
      agent.once('exit', () => reject(new Error('the agent has ended')))
    })
    return { agent, pid }
  }
}

/** Ends it at once, as a crash would. Resolves when it is gone. */
export async function kill9(child: ChildProcess): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await gone
}

export async function isAlive(pid: number): Promise<boolean> {
  return (await markOf(pid)) !== null
}

export function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It is gone.
  }
}

/** The pid of whoever answers on this port. */
export async function answering(
  port: number,
): Promise<{ pid: number; env: Record<string, string> }> {
  const answer = await fetch(`http://127.0.0.1:${port}/`)
  return (await answer.json()) as { pid: number; env: Record<string, string> }
}
