/** For tests: an engine that is a real process and misbehaves as it is told to. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { ProbeVerdict } from '#agent/replicas/replica-machine.ts'
import type { ReplicaSpec } from '#agent/replicas/replica-spec.ts'
import { replicaId } from '#core/ids.ts'
import type { Clock } from '#std/clock.ts'

/**
 * Plain JavaScript, since it runs outside of this package. Arguments: the port, then what it does.
 *
 *   deaf             does not hear SIGTERM
 *   loading=FILE     says that it loads while the file is there
 *   crashes=FILE     ends with exit code 3 and last words while the file is there
 *   says=TEXT        before anything else
 *   family           has a child that is deaf, which has one too; all write their numbers
 *   chatty           writes 64 KiB for each request
 */
const program = `
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
const [port, ...words] = process.argv.slice(2)
const valueOf = (name) => words.find((word) => word.startsWith(name + '='))?.slice(name.length + 1)
const has = (word) => words.includes(word)
if (valueOf('says')) console.log(valueOf('says'))
if (existsSync(valueOf('crashes') ?? '')) {
  process.stderr.write('Traceback (most recent call last):\\n\\x1b[31mRuntimeError: it has crashed\\x1b[0m')
  process.exit(3)
}
process.on('SIGTERM', () => { if (!has('deaf')) process.exit(0) })
const descendants = has('family') ? 2 : Number(valueOf('descendants') ?? 0)
console.log('process', process.pid)
// The test is over, however it ended.
setInterval(() => { if (!existsSync(process.argv[1])) process.exit(1) }, 500)
if (descendants > 0) {
  spawn(process.execPath, [process.argv[1], '0', 'deaf', 'descendants=' + (descendants - 1)], { stdio: 'inherit' })
}
createServer((request, response) => {
  if (has('chatty')) console.log('x'.repeat(65_535))
  response.statusCode = existsSync(valueOf('loading') ?? '') ? 503 : 200
  response.end(JSON.stringify({ pid: process.pid, env: process.env }))
}).listen(Number(port), '127.0.0.1')
`

export interface TestBench {
  readonly directory: string
  /** A replica of the engine above. What is there when the test ends is killed. */
  spec(name: string, words?: readonly string[], more?: Partial<ReplicaSpec>): Promise<ReplicaSpec>
  close(): Promise<void>
}

export async function openTestBench(): Promise<TestBench> {
  const directory = await mkdtemp(join(tmpdir(), 'motley-replicas-'))
  const engine = join(directory, 'engine.mjs')
  await writeFile(engine, program)
  return {
    directory,
    async spec(name, words = [], more = {}) {
      const port = await freePort()
      return {
        id: replicaId(name),
        plan: {
          command: process.execPath,
          args: [engine, String(port), ...words],
          env: {},
          container: null,
        },
        port,
        knownErrors: [],
        stop: { signal: 'SIGTERM', graceMs: 10_000 },
        about: {},
        ...more,
      }
    },
    close: () => rm(directory, { recursive: true, force: true }),
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Asks `/health` of what listens on this port. */
export async function probeTestEngine(
  { port }: { readonly port: number },
  signal: AbortSignal,
): Promise<ProbeVerdict> {
  try {
    const { status } = await fetch(`http://127.0.0.1:${port}/health`, { signal })
    if (status === 200) return 'ready'
    return status === 503 ? 'loading' : 'unhealthy'
  } catch {
    return 'refused'
  }
}

/** A clock that runs faster than the one on the wall, for pauses that nobody wants to wait for. */
export function fastClock(times: number): Clock {
  const startMs = Date.now()
  const startedMs = performance.now()
  return {
    nowMs: () => startMs + (performance.now() - startedMs) * times,
    schedule(afterMs, run) {
      const timer = setTimeout(run, Math.ceil(afterMs / times))
      return () => clearTimeout(timer)
    },
  }
}

/** Resolves when it holds; rejects after 30 s with what was awaited. */
export async function until(what: string, condition: () => unknown): Promise<void> {
  const startedMs = performance.now()
  while (!(await condition())) {
    if (performance.now() - startedMs > 30_000) throw new Error(`It did not come to this: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
