/**
 * A fleet of real processes, from the first start to the last Ctrl-C: machines join, a replica runs,
 * and each part is killed in turn. Nobody lends a hand but to start what was killed.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import { chat } from './harness/fleet.ts'
import { temporaryFolder } from './harness/join.ts'
import { untilTrue } from './harness/until-true.ts'

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** On two busy cores a start takes seconds; a story that hangs should say where. */
const patienceMs = 30_000

interface Replica {
  readonly spec: { readonly id: string }
  readonly presence: string
  readonly reported: {
    readonly state: string
    readonly pid: number | null
    readonly restarts: number
    readonly engine: string
    readonly backend: string
  } | null
}

interface Node {
  readonly name: string
  readonly presence: string
  readonly inventory: { readonly devices: readonly { readonly name: string }[] } | null
}

class Story {
  readonly folder = temporaryFolder()
  readonly said: string[] = []
  #url = ''

  async open(): Promise<void> {
    const [gateway, controller] = await Promise.all([freePort(), freePort()])
    this.#url = `http://127.0.0.1:${gateway}`
    writeFileSync(
      join(this.folder, 'motley.yaml'),
      `gateway: { listen: "127.0.0.1:${gateway}" }\ncontroller: { listen: "127.0.0.1:${controller}" }\n`,
    )
    afterTest(() => {
      for (const pid of this.processes()) process.kill(pid, 'SIGKILL')
    })
  }

  get url(): string {
    return this.#url
  }

  /** Starts a command in this folder, with data of its own. */
  start(name: string, ...args: readonly string[]): ChildProcess {
    const own = Object.entries(process.env).filter(([key]) => !/^(MOTLEY|NODE)_/.test(key))
    const child = spawn(process.execPath, [here('bin/motley'), ...args], {
      cwd: this.folder,
      env: { ...Object.fromEntries(own), MOTLEY_DATA_DIR: join(this.folder, name), NO_COLOR: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const note = (piece: Buffer) => this.said.push(`${name}: ${piece.toString().trimEnd()}`)
    child.stderr?.on('data', note)
    if (name !== 'shell') child.stdout?.on('data', note)
    return child
  }

  /** What a command prints that ends by itself. */
  async run(...args: readonly string[]): Promise<string> {
    const child = this.start('shell', ...args)
    const out: string[] = []
    child.stdout?.on('data', (piece: Buffer) => out.push(piece.toString()))
    await once(child, 'close')
    expect({ args, code: child.exitCode, said: this.said.slice(-3) }).toMatchObject({ code: 0 })
    return out.join('')
  }

  async page<Page>(path: string, method = 'GET'): Promise<Page> {
    const answer = await fetch(`${this.#url}/admin/v1/${path}`, { method })
    return (await answer.json()) as Page
  }

  async nodes(): Promise<readonly Node[]> {
    return (await this.page<{ nodes: readonly Node[] }>('nodes')).nodes
  }

  async replica(): Promise<Replica | undefined> {
    return (await this.page<{ replicas: readonly Replica[] }>('replicas')).replicas[0]
  }

  until(what: string, condition: () => Promise<boolean> | boolean): Promise<number> {
    const look = async () => {
      try {
        return await condition()
      } catch {
        return false // what is asked may be down just now
      }
    }
    return untilTrue(what, look, {
      withinMs: patienceMs,
      everyMs: 50,
      seen: () => this.said.slice(-20),
    })
  }

  async readyReplica(): Promise<Replica> {
    let found: Replica | undefined
    await this.until('the replica is ready', async () => {
      found = await this.replica()
      return found?.reported?.state === 'ready' && found.presence === 'ready'
    })
    return found as Replica
  }

  /** Until the replica answers through the gateway; resolves with the endpoint's name. */
  async answers(): Promise<string | null> {
    let endpoint: string | null = null
    await this.until('the replica answers', async () => {
      const answer = await chat(this.#url, { model: 'story', max_tokens: 4 })
      await answer.text()
      endpoint = answer.headers.get('x-motley-endpoint')
      return answer.status === 200
    })
    return endpoint
  }

  /** All that was started here, and what that has started: engines have a path of the folder. */
  processes(): number[] {
    return readdirSync('/proc').flatMap((name) => {
      try {
        const isOurs = /^\d+$/.test(name) && wordsOf(name).includes(this.folder)
        return isOurs && !/^State:\s+Z/m.test(readFileSync(`/proc/${name}/status`, 'utf8'))
          ? [Number(name)]
          : []
      } catch {
        return [] // it has ended meanwhile, or is somebody else's
      }
    })
  }
}

/** Of a process: its command line and its environment. */
const wordsOf = (pid: string): string =>
  readFileSync(`/proc/${pid}/cmdline`, 'utf8') + readFileSync(`/proc/${pid}/environ`, 'utf8')

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function killed(child: ChildProcess): Promise<void> {
  const closed = once(child, 'exit')
  child.kill('SIGKILL')
  await closed
}

async function interrupted(child: ChildProcess): Promise<unknown> {
  const exit = once(child, 'exit')
  child.kill('SIGINT')
  return (await exit)[0]
}

test.skipIf(process.platform !== 'linux')(
  'machines join, a replica answers, and whoever is killed, nothing is lost',
  { timeout: 120_000 },
  async () => {
    const story = new Story()
    await story.open()
    let up = story.start('up', 'up')
    await story.until('it serves', async () => (await fetch(`${story.url}/health/ready`)).ok)

    // Three machines join: two recorded ones, and one that can really run something.
    const joins = async () => {
      const made = JSON.parse(await story.run('token', 'create', '--json'))
      const { host, port } = made.controller
      return ['--join', `${host}:${port}`, '--token', made.token, '--listen', '127.0.0.1:0']
    }
    const [forRtx, forMac, forDesk] = await Promise.all([joins(), joins(), joins()])
    const recorded = [
      story.start(
        'rtx',
        'agent',
        ...forRtx,
        '--name',
        'rtx',
        '--recording',
        here('fixtures/hardware/nvidia/rtx-4090'),
      ),
      story.start(
        'mac',
        'agent',
        ...forMac,
        '--name',
        'mac',
        '--recording',
        here('fixtures/hardware/apple/m2-ultra'),
      ),
    ]
    let desk = story.start('desk', 'agent', ...forDesk, '--name', 'desk')
    await story.until('four nodes are ready', async () => {
      const nodes = await story.nodes()
      return (
        nodes.filter(({ presence, inventory }) => presence === 'ready' && inventory).length === 4
      )
    })
    const devicesOf = async (name: string) =>
      (await story.nodes()).find((node) => node.name === name)?.inventory?.devices ?? []
    expect((await devicesOf('rtx')).map(({ name }) => name)).toContain('NVIDIA GeForce RTX 4090')
    expect((await devicesOf('mac'))[0]?.name).toMatch(/M2 Ultra/)

    // A replica is started there and answers through the gateway.
    const started = JSON.parse(
      await story.run(
        'replica',
        'start',
        here('models/motley-tiny.gguf'),
        '--node',
        'desk',
        '--name',
        'story',
        '--context',
        '256',
        '--slots',
        '2',
        '--json',
      ),
    )
    const first = await story.readyReplica()
    expect(first).toMatchObject({
      spec: { id: started.id },
      reported: { engine: 'motley-embedded', backend: 'cpu', restarts: 0 },
    })
    expect(await story.answers()).toBe(started.id)
    expect(await story.run('replica', 'logs', started.id)).toMatch(/starts .*node/)

    // What it can do is measured, and kept.
    const { now } = await story.page<{ now: { decodeTokensPerSecond: number } }>(
      `replicas/${started.id}/benchmark`,
      'POST',
    )
    expect(now.decodeTokensPerSecond).toBeGreaterThan(1)

    // The engine is killed: it is started again, as another process.
    process.kill(first.reported?.pid ?? 0, 'SIGKILL')
    await story.until(
      'it was started again',
      async () => (await story.replica())?.reported?.restarts === 1,
    )
    const { pid } = (await story.readyReplica()).reported ?? {}
    expect(pid).not.toBe(first.reported?.pid)
    await story.answers()

    // The agent is killed: its engine runs on, and is found again.
    await killed(desk)
    desk = story.start('desk', 'agent', '--listen', '127.0.0.1:0')
    await story.until('the agent is back', () =>
      story.said.includes('desk: desk is part of the fleet'),
    )
    await story.until('it has told', async () => (await story.replica())?.reported?.pid === pid)
    expect(await story.answers()).toBe(started.id)

    // The controller is killed, its gateway with it: agents and engines run on, and come back.
    await killed(up)
    up = story.start('up', 'up')
    await story.until('four nodes are back', async () => {
      return (await story.nodes()).filter(({ presence }) => presence === 'ready').length === 4
    })
    expect((await story.readyReplica()).reported?.pid).toBe(pid)
    expect(await story.answers()).toBe(started.id)
    const { measurements } = await story.page<{ measurements: readonly unknown[] }>('measurements')
    expect(measurements).toEqual([expect.objectContaining(now)])
    expect(await story.run('nodes')).toMatch(/^NODE +STATE/)

    // Ctrl-C everywhere: all that is left is the replica that should run.
    const codes = await Promise.all([...recorded, desk, up].map(interrupted))
    expect(codes).toEqual([0, 0, 0, 0])
    await story.until('nothing else runs', () => story.processes().length === 1)
    expect(story.processes()).toEqual([pid])
    process.kill(pid ?? 0, 'SIGTERM')
    await story.until('nothing runs', () => story.processes().length === 0)
  },
)
