/**
 * Real processes: the controller is killed in the middle of a plan, and whoever starts it again does
 * nothing else. Then the commands say what there is, and change it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { afterTest } from './harness/after-test.ts'
import { chat } from './harness/fleet.ts'
import { packageFile } from './harness/package-file.ts'
import { untilTrue } from './harness/until-true.ts'

const weights = packageFile('models/motley-tiny.gguf')

const patienceMs = 60_000

interface Replica {
  readonly spec: { readonly id: string }
  readonly placed: { readonly deployment: string; readonly contextTokens: number } | null
  readonly reported: { readonly state: string; readonly pid: number | null } | null
}

class Machine {
  readonly folder = mkdtempSync(join(tmpdir(), 'motley-crash-'))
  readonly said: string[] = []
  #ports: readonly [number, number] = [0, 0]

  async open(): Promise<void> {
    this.#ports = [await freePort(), await freePort()]
    afterTest(() => {
      for (const pid of this.#processes()) process.kill(pid, 'SIGKILL')
      rmSync(this.folder, { recursive: true, force: true })
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#ports[0]}`
  }

  write(name: string, text: string): void {
    const [gateway, controller] = this.#ports
    const listen = `gateway: { listen: "127.0.0.1:${gateway}" }\ncontroller: { listen: "127.0.0.1:${controller}" }\n`
    writeFileSync(join(this.folder, name), `${listen}${text}`)
  }

  start(...args: readonly string[]): ChildProcess {
    const own = Object.entries(process.env).filter(([key]) => !/^(MOTLEY|NODE)_/.test(key))
    const child = spawn(process.execPath, [packageFile('bin/motley'), ...args], {
      cwd: this.folder,
      env: {
        ...Object.fromEntries(own),
        MOTLEY_DATA_DIR: join(this.folder, 'data'),
        NO_COLOR: '1',
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stderr?.on('data', (piece: Buffer) => this.said.push(piece.toString().trimEnd()))
    return child
  }

  /** What a command prints, and what it ends with. */
  async run(...args: readonly string[]): Promise<{ text: string; code: number | null }> {
    const child = this.start(...args)
    const out: string[] = []
    child.stdout?.on('data', (piece: Buffer) => out.push(piece.toString()))
    await once(child, 'close')
    return { text: out.join(''), code: child.exitCode }
  }

  async replicas(): Promise<readonly Replica[]> {
    const answer = await fetch(`${this.url}/admin/v1/replicas`)
    return ((await answer.json()) as { replicas: readonly Replica[] }).replicas
  }

  until(what: string, condition: () => Promise<boolean>): Promise<number> {
    const look = async () => {
      try {
        return await condition()
      } catch {
        return false // what is asked may be down just now
      }
    }
    return untilTrue(what, look, {
      withinMs: patienceMs,
      everyMs: 20,
      seen: () => this.said.slice(-20),
    })
  }

  /** Each deployment has one replica, and all of them answer. */
  async untilSettled(...names: readonly string[]): Promise<readonly Replica[]> {
    let seen: readonly Replica[] = []
    await this.until('every deployment answers', async () => {
      seen = await this.replicas()
      const there = seen.map(({ placed }) => placed?.deployment ?? '').sort()
      const ready = seen.every(({ reported }) => reported?.state === 'ready')
      return ready && there.join() === [...names].sort().join()
    })
    return seen
  }

  /** All that was started here, engines too: they have a path of the folder. */
  #processes(): number[] {
    return readdirSync('/proc').flatMap((name) => {
      try {
        const read = (file: string) => readFileSync(`/proc/${name}/${file}`, 'utf8')
        const isOurs =
          /^\d+$/.test(name) && `${read('cmdline')}${read('environ')}`.includes(this.folder)
        return isOurs && !/^State:\s+Z/m.test(read('status')) ? [Number(name)] : []
      } catch {
        return [] // it has ended meanwhile, or is somebody else's
      }
    })
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

const model = (name: string) => `  ${name}: { variants: [{ source: "file:${weights}" }] }\n`
const deployment = (name: string, context: number) =>
  `  ${name}: { model: m-${name}, context: ${context}, slots: 1, share: true }\n`

const wanted = (...all: readonly (readonly [string, number])[]) =>
  `models:\n${all.map(([name]) => model(`m-${name}`)).join('')}deployments:\n${all.map(([name, context]) => deployment(name, context)).join('')}`

test.skipIf(process.platform !== 'linux')(
  'a controller that is killed in the middle of a plan is followed by one that goes on',
  async () => {
    const machine = new Machine()
    await machine.open()
    machine.write('motley.yaml', wanted(['one', 128], ['two', 256], ['three', 512]))
    const first = machine.start('controller')
    await machine.until('the plan is under way', async () => (await machine.replicas()).length > 0)
    first.kill('SIGKILL')
    await once(first, 'close')

    let running = machine.start('controller')
    const before = await machine.untilSettled('one', 'two', 'three')
    const answer = await chat(machine.url, { model: 'm-two', max_tokens: 4 })
    expect({ status: answer.status, text: await answer.text() }).toMatchObject({ status: 200 })

    // Killed again when nothing is to be done: nobody notices.
    running.kill('SIGKILL')
    await once(running, 'close')
    running = machine.start('controller')
    const after = await machine.untilSettled('one', 'two', 'three')
    const pids = (replicas: readonly Replica[]) =>
      Object.fromEntries(replicas.map(({ spec, reported }) => [spec.id, reported?.pid]))
    expect(pids(after)).toEqual(pids(before))

    const plan = await machine.run('plan')
    expect(plan).toMatchObject({ code: 0, text: expect.stringMatching(/^Nothing is to be done/) })
    const why = await machine.run('why', 'two')
    expect(why.text).toMatch(/^two: 1 replica wanted, 1 ready; by the controller's configuration/)
    expect(why.text).toMatch(/motley-embedded on cpu, context 256, 1 slot/)

    // What the configuration says is its own; beside it anything can be applied, and again.
    machine.write('applied.yaml', wanted(['two', 1_024], ['four', 64]))
    const refused = await machine.run('apply', 'applied.yaml', '--yes')
    expect(refused.code).toBe(1)
    expect(machine.said.join('\n')).toMatch(/"two" belongs to the configuration/)
    machine.write('applied.yaml', wanted(['two', 256], ['four', 64]))
    const applied = await machine.run('apply', 'applied.yaml', '--yes')
    expect(applied).toMatchObject({ code: 0, text: expect.stringMatching(/Applied: added four\./) })
    await machine.untilSettled('one', 'two', 'three', 'four')
    const again = await machine.run('apply', 'applied.yaml')
    expect(again).toMatchObject({ code: 0, text: expect.stringMatching(/Nothing to apply/) })
    machine.write('applied.yaml', wanted(['four', 1_024]))
    const moved = await machine.run('apply', 'applied.yaml', '--yes')
    expect(moved).toMatchObject({ code: 0, text: expect.stringMatching(/Applied: changed four\./) })
    await machine.until('it has moved', async () => {
      const now = await machine.untilSettled('one', 'two', 'three', 'four')
      return now.some(
        ({ placed }) => placed?.deployment === 'four' && placed.contextTokens === 1_024,
      )
    })
    running.kill('SIGTERM')
    await once(running, 'close')
  },
  300_000,
)
