/** The programs of bench/live: emulated engines, and what stands in front of them. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { stringify } from 'yaml'
import { freePort, untilAnswers } from '../server-start.ts'

export const proxyNames = ['motley', 'haproxy', 'nginx'] as const
type ProxyName = (typeof proxyNames)[number]

export interface ServerInFront {
  readonly name: ProxyName
  readonly url: string
}

export interface Server {
  readonly name: string
  readonly url: string
  /** Requests per second that it can sustain: what an operator who knew everything would set. */
  readonly weight: number
  /** Requests at a time, likewise. */
  readonly limit: number
}

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'motley-live-'))
const children: ChildProcess[] = []

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  children.push(child)
  return child
}

const startMotley = (...args: readonly string[]) =>
  start(process.execPath, ['--conditions=motley-source', main, ...args])

export async function stopAll(): Promise<void> {
  await Promise.all(
    children.splice(0).map(async (child) => {
      if (child.exitCode !== null || child.signalCode !== null) return
      const over = once(child, 'exit')
      // nginx's workers outlive a master that is killed, and hold its pipe open.
      child.kill(child.spawnfile === 'nginx' ? 'SIGTERM' : 'SIGKILL')
      await over
    }),
  )
}

/** URLs of the emulated engines of a fleet file, by name. */
export async function emulateFleet(
  file: string,
  speed: number,
): Promise<ReadonlyMap<string, string>> {
  const child = startMotley('emulate', '--fleet', file, '--speed', String(speed), '--json')
  const urls = new Map<string, string>()
  if (child.stdout === null) throw new Error('the emulator has no output')
  const lines = createInterface({ input: child.stdout })
  let quiet = setTimeout(() => {}, 0)
  await new Promise<void>((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`motley emulate ended with ${code}`)))
    lines.on('line', (line) => {
      const { name, url } = JSON.parse(line) as { name: string; url: string }
      urls.set(name, url)
      // They are all told in one go, once all of them listen.
      clearTimeout(quiet)
      quiet = setTimeout(resolve, 500)
    })
  })
  return urls
}

/** Null, and a word about it, when it is not installed. */
export async function startProxy(
  name: ProxyName,
  servers: readonly Server[],
  targets: { readonly ttftMs: number; readonly tpotMs: number },
): Promise<ServerInFront | null> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  if (name !== 'motley' && spawnSync('which', [name]).status !== 0) {
    const packageName = name === 'nginx' ? 'nginx-light' : name
    console.error(`${name} is not installed and left out: apt-get install ${packageName}`)
    return null
  }
  const file = join(folder, `${name}-${port}`)
  if (name === 'motley') {
    writeFileSync(file, motleyConfig(port, servers, targets))
    startMotley('gateway', '-c', file)
  } else if (name === 'haproxy') {
    writeFileSync(file, haproxyConfig(port, servers))
    start('haproxy', ['-db', '-f', file])
  } else {
    writeFileSync(file, nginxConfig(port, servers))
    start('nginx', ['-c', file])
  }
  await untilAnswers(url, 'llama-3.1-8b')
  return { name, url }
}

/** Nothing is said of speeds or limits: what it goes by, it has to find out. */
function motleyConfig(
  port: number,
  servers: readonly Server[],
  targets: { readonly ttftMs: number; readonly tpotMs: number },
): string {
  return stringify({
    gateway: { listen: `127.0.0.1:${port}`, accessLog: 'off' },
    endpoints: servers.map(({ name, url }) => ({ name, url })),
    models: { 'llama-3.1-8b': { targets } },
    routing: { strategy: 'fastest' },
  })
}

/** Whole numbers up to 256, as HAProxy has them. */
function wholeWeights(servers: readonly Server[]): readonly number[] {
  const most = Math.max(...servers.map(({ weight }) => weight))
  return servers.map(({ weight }) => Math.max(1, Math.round((256 * weight) / most)))
}

const addressOf = (url: string) => new URL(url).host

function haproxyConfig(port: number, servers: readonly Server[]): string {
  const weights = wholeWeights(servers)
  const lines = servers.map(
    ({ name, url, limit }, index) =>
      `  server ${name} ${addressOf(url)} weight ${weights[index]} maxconn ${limit}`,
  )
  return `global
  nbthread 1
  maxconn 5000
defaults
  mode http
  timeout connect 5s
  timeout client 600s
  timeout server 600s
  timeout queue 600s
frontend f
  bind 127.0.0.1:${port}
  default_backend b
backend b
  balance leastconn
${lines.join('\n')}
`
}

function nginxConfig(port: number, servers: readonly Server[]): string {
  const weights = wholeWeights(servers)
  const lines = servers.map(
    ({ url }, index) => `server ${addressOf(url)} weight=${weights[index]};`,
  )
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((kind) => `${kind}_temp_path ${folder};`)
    .join(' ')
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx-${port}.pid;
error_log /dev/null;
events { worker_connections 10000; }
http {
  access_log off;
  ${temp}
  upstream engines { least_conn; ${lines.join(' ')} }
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://engines;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
      client_max_body_size 10m;
    }
  }
}
`
}
