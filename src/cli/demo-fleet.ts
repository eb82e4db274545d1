/** The fleet of `motley up --demo`: emulated engines as processes that can really be killed. */
import { readFileSync } from 'node:fs'
import { singleStreamRates } from '#batching/single-stream-rates.ts'
import { ChildStartError, type SupervisedChild, superviseChild } from '#cli/child-process.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { type DemoReply, type DemoRequest, demoActions, listenForDemo } from '#cli/demo-control.ts'
import { packageFile, roomProgram } from '#cli/package-files.ts'
import { tableLines } from '#cli/table.ts'
import { terminalWidth } from '#cli/width.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { type EndpointConfig, endpointConfig, endpointName } from '#core/config/endpoints.ts'
import { emulatedDevices } from '#emulator/engine-model.ts'
import { parseFleetFile } from '#emulator/fleet-file.ts'

export interface DemoFleet {
  readonly endpoints: readonly EndpointConfig[]
  readonly models: readonly string[]
  /** Takes the commands of `motley demo` for the gateway on this port, which need this flag to ask it. */
  listen(port: string, flag: string): Promise<void>
  /** What there is, and how to break it, in 80 columns. */
  text(): string
  /** Starts no engine again from now on. */
  retire(): void
  stop(): Promise<void>
}

/** Long enough to see the fleet do without it, short enough to see it come back. */
const restartMs = 15_000

/** The meanest way to fail: checks see nothing, only requests do. */
const breakFault = 'lying-health'

interface DemoEngine {
  readonly name: string
  readonly engine: string
  readonly device: string
  readonly models: readonly string[]
}

/** @throws {CommandFailure} */
export async function startDemoFleet(
  config: MotleyConfig,
  log: (line: string) => void,
): Promise<DemoFleet> {
  const file = packageFile('fleets/demo.yaml')
  const engines = parseFleetFile(readFileSync(file, 'utf8'), file).map(
    ({ name = '', engine, device = '', models = [] }): DemoEngine => ({
      name,
      engine,
      device,
      models,
    }),
  )
  const taken = new Set(config.endpoints.map(endpointName))
  const clash = engines.find(({ name }) => taken.has(name))
  if (clash !== undefined) {
    throw new CommandFailure(
      'wrong',
      `an endpoint of motley.yaml is called "${clash.name}", as an engine of the demo fleet is: rename it, or leave out --demo`,
    )
  }
  const children = new Map<string, SupervisedChild>()
  await Promise.all(
    engines.map(async (engine) => {
      children.set(engine.name, await startEngine(engine, log))
    }),
  )
  const endpoints = engines.map(({ name, engine, device }) =>
    endpointConfig.parse({
      name,
      url: children.get(name)?.url,
      engine,
      weight: weightOf(device),
      labels: { device },
    }),
  )

  /** Those that were made to fail and run on. */
  const broken = new Set<string>()
  let urlFlag = ''
  const answer = async ({ action, endpoint }: DemoRequest): Promise<DemoReply> => {
    const child = children.get(endpoint)
    if (child === undefined || !demoActions.includes(action)) {
      const names = engines.map(({ name }) => name).join(', ')
      return { done: false, text: `there is no demo engine "${endpoint}", only ${names}` }
    }
    const { pid } = child
    if (action === 'start') {
      if (pid === null) child.startNow()
      else await setFaults(child.url, [])
      return {
        done: true,
        text: `${endpoint} ${startedText({ isUp: pid !== null, wasBroken: broken.delete(endpoint) })}`,
      }
    }
    if (pid === null) {
      return {
        done: false,
        text: `${endpoint} is down; "motley demo start ${endpoint}${urlFlag}" starts it`,
      }
    }
    if (action === 'kill') {
      child.kill()
      return {
        done: true,
        text: `${endpoint} is killed (pid ${pid}); it starts again in ${restartMs / 1000} s`,
      }
    }
    await setFaults(child.url, [breakFault])
    broken.add(endpoint)
    return {
      done: true,
      text: `${endpoint} fails every request and calls itself healthy, until "motley demo start ${endpoint}${urlFlag}"`,
    }
  }

  let server: Awaited<ReturnType<typeof listenForDemo>> | null = null
  return {
    endpoints,
    models: [...new Set(engines.flatMap(({ models }) => models))],
    async listen(port, flag) {
      urlFlag = flag
      server = await listenForDemo(port, answer)
    },
    text: () => demoText(engines, children, urlFlag),
    retire() {
      for (const child of children.values()) child.retire()
    },
    async stop() {
      server?.close()
      await Promise.all([...children.values()].map((child) => child.stop()))
    },
  }
}

/** As an operator would write it, who knows both how fast it reads and how fast it writes. */
function weightOf(device: string): number {
  const known = emulatedDevices[device]
  if (known === undefined) return 1
  const { prefillTokensPerSecond, decodeTokensPerSecond } = singleStreamRates(known)
  return Math.max(1, Math.round(Math.sqrt(prefillTokensPerSecond * decodeTokensPerSecond) / 100))
}

async function startEngine(
  { name, engine, device, models }: DemoEngine,
  log: (line: string) => void,
): Promise<SupervisedChild> {
  try {
    return await superviseChild({
      name,
      program: roomProgram('emulator/main'),
      args: (port) => [
        ...['--engine', engine, '--device', device, '--port', String(port)],
        ...models.flatMap((model) => ['--model', model]),
        '--json',
      ],
      restartMs: () => restartMs,
      log,
    })
  } catch (error) {
    if (!(error instanceof ChildStartError)) throw error
    throw new CommandFailure(
      'unreachable',
      `the demo engine ${name} does not start: ${error.message}`,
      { cause: error },
    )
  }
}

/** What `motley demo start` has done with an engine. */
export function startedText(so: { readonly isUp: boolean; readonly wasBroken: boolean }): string {
  if (!so.isUp) return 'starts'
  return so.wasBroken ? 'is mended' : 'runs already, and nothing was broken there'
}

async function setFaults(url: string, faults: readonly string[]): Promise<void> {
  const response = await fetch(new URL('/emulator/faults', url), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(faults),
  })
  if (!response.ok) throw new Error(`the emulator at ${url} answered ${response.status}`)
}

export function demoText(
  engines: readonly DemoEngine[],
  children: ReadonlyMap<string, { readonly port: number; readonly pid: number | null }>,
  flag: string,
): string {
  const rows = engines.map(({ name, engine, device, models }) => {
    const child = children.get(name)
    return [name, engine, device, models.join(' '), String(child?.port), String(child?.pid ?? '-')]
  })
  const titles = ['ENDPOINT', 'ENGINE', 'DEVICE', 'MODELS', 'PORT', 'PID']
  const table = tableLines(
    titles.map((title) => ({ title })),
    rows,
  )
  const first = engines[0]?.name ?? ''
  const ways = [
    [`motley status${flag}`, 'shows how each of them is'],
    [
      `motley demo kill ${first}${flag}`,
      `kills its process; it comes back after ${restartMs / 1000} s`,
    ],
    [`motley demo break ${first}${flag}`, 'fails every request, and calls itself healthy'],
    [`motley demo start ${first}${flag}`, 'starts it at once, or mends it'],
    [`motley why <id>${flag}`, 'says who was asked, and why: x-request-id is the id'],
  ] as const
  const width = Math.max(...ways.map(([command]) => command.length))
  const onOneLine = ways.map(([command, effect]) => `  ${command.padEnd(width)}  ${effect}`)
  const fits = onOneLine.every((line) => line.length <= terminalWidth)
  const onTwo = ways.flatMap(([command, effect]) => [`  ${command}`, `      ${effect}`])
  return `The demo fleet. These engines are emulated: their answers are made-up words, in
real time, and carry the header x-motley-emulator.

${table.map((line) => `  ${line}`).join('\n')}

Break it in another shell while you ask, and watch:

${(fits ? onOneLine : onTwo).join('\n')}
`
}
