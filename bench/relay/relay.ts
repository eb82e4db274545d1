/**
 * What a relayed request and a relayed event cost in CPU: HAProxy, nginx and Motley, each on one
 * thread, in front of the same engine, in turn, several rounds. Prints microseconds and ratios.
 *
 *   node --conditions=motley-source bench/relay/relay.ts [--rounds 5] [--requests 10000] [--streams 64] [--json]
 *
 * CPU is user and system time of the proxy's processes from /proc, so it runs on Linux only. Times
 * of one machine mean little on another; the ratios within one run are the result.
 */
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { freePort, untilAnswers } from '../server-start.ts'

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    requests: { type: 'string', default: '10000' },
    streams: { type: 'string', default: '64' },
    json: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
const requests = Number(values.requests)
const streams = Number(values.streams)
const eventsPerStream = 200
const concurrency = 16

interface Proxy {
  readonly name: string
  readonly url: string
  readonly process: ChildProcess | null
}

const folder = mkdtempSync(join(tmpdir(), 'motley-bench-'))
const children: ChildProcess[] = []
const node = process.execPath
const run = promisify(execFile)

function start(command: string, args: readonly string[]): ChildProcess {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  children.push(child)
  return child
}

const has = (command: string) => spawnSync('which', [command]).status === 0

async function startProxies(enginePort: number): Promise<Proxy[]> {
  const proxies: Proxy[] = []
  if (has('haproxy')) {
    const port = await freePort()
    const file = join(folder, 'haproxy.cfg')
    writeFileSync(
      file,
      `global\n  nbthread 1\ndefaults\n  mode http\n  timeout connect 2s\n  timeout client 60s\n  timeout server 60s\nfrontend f\n  bind 127.0.0.1:${port}\n  default_backend b\nbackend b\n  balance leastconn\n  http-reuse always\n  server e 127.0.0.1:${enginePort}\n`,
    )
    proxies.push({
      name: 'haproxy',
      url: `http://127.0.0.1:${port}`,
      process: start('haproxy', ['-db', '-f', file]),
    })
  } else console.error('haproxy is not installed and left out: apt-get install haproxy')
  if (has('nginx')) {
    const port = await freePort()
    const file = join(folder, 'nginx.conf')
    writeFileSync(
      file,
      `daemon off;\nworker_processes 1;\npid ${folder}/nginx.pid;\nerror_log /dev/null;\nevents {}\nhttp {\n  access_log off;\n  client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};\n  upstream e { server 127.0.0.1:${enginePort}; keepalive 64; }\n  server { listen 127.0.0.1:${port}; keepalive_requests 1000000;\n    location / { proxy_pass http://e; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; } }\n}\n`,
    )
    proxies.push({
      name: 'nginx',
      url: `http://127.0.0.1:${port}`,
      process: start('nginx', ['-c', file]),
    })
  } else console.error('nginx is not installed and left out: apt-get install nginx-light')
  const port = await freePort()
  const file = join(folder, 'motley.yaml')
  writeFileSync(
    file,
    `gateway: { listen: "127.0.0.1:${port}", accessLog: "off" }\nendpoints: [{ url: "http://127.0.0.1:${enginePort}", name: e, engine: openai }]\n`,
  )
  proxies.push({
    name: 'motley',
    url: `http://127.0.0.1:${port}`,
    process: start(node, ['bin/motley', 'gateway', '-c', file]),
  })
  for (const { url } of proxies) await untilAnswers(url, 'bench')
  return proxies
}

/** Microseconds of user and system time of a process and its children so far. */
function cpuMicroseconds(pid: number): number {
  const ticks = (id: string) => {
    const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return Number(fields[11]) + Number(fields[12])
  }
  const family = readdirSync('/proc').filter((id) => {
    if (!/^\d+$/.test(id)) return false
    if (Number(id) === pid) return true
    try {
      return readFileSync(`/proc/${id}/stat`, 'utf8').split(') ')[1]?.split(' ')[1] === String(pid)
    } catch {
      return false
    }
  })
  // The kernel counts in hundredths of a second.
  return family.reduce((sum, id) => sum + ticks(id), 0) * 10_000
}

async function load(url: string, mode: 'whole' | 'stream', count: number) {
  const { stdout } = await run(node, [
    ...['--conditions=motley-source', 'bench/relay/client.ts'],
    ...[url, mode, String(count), String(concurrency)],
  ])
  const result = JSON.parse(stdout) as { failed: number; firstByteMsP50: number }
  if (result.failed > 0) throw new Error(`${result.failed} requests through ${url} failed`)
  return result
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? Number.NaN

const engine = start(node, ['bench/relay/engine.ts', String(eventsPerStream)])
const enginePort = await new Promise<number>((resolve) =>
  engine.stdout?.once('data', (line) => resolve(Number(line))),
)
try {
  const proxies = await startProxies(enginePort)
  const direct: Proxy = { name: 'direct', url: `http://127.0.0.1:${enginePort}`, process: null }
  for (const { url } of proxies) {
    await load(url, 'whole', 3_000)
    await load(url, 'stream', concurrency)
  }
  const results = Object.fromEntries(
    [direct, ...proxies].map(({ name }) => [
      name,
      { request: [] as number[], event: [] as number[], firstByteMs: [] as number[] },
    ]),
  )
  for (let round = 0; round < rounds; round++) {
    for (const proxy of [direct, ...proxies]) {
      const result = results[proxy.name]
      const pid = proxy.process?.pid
      const cpu = () => (pid === undefined ? 0 : cpuMicroseconds(pid))
      const before = cpu()
      const whole = await load(proxy.url, 'whole', requests)
      const between = cpu()
      await load(proxy.url, 'stream', streams)
      const after = cpu()
      result?.request.push((between - before) / requests)
      result?.event.push((after - between) / (streams * eventsPerStream))
      result?.firstByteMs.push(whole.firstByteMsP50)
    }
  }
  const ratio = (name: string, base: string, what: 'request' | 'event') =>
    median(
      (results[name]?.[what] ?? []).map(
        (value, index) => value / (results[base]?.[what][index] ?? Number.NaN),
      ),
    )
  const rows = proxies.map(({ name }) => ({
    name,
    requestMicroseconds: median(results[name]?.request ?? []),
    eventMicroseconds: median(results[name]?.event ?? []),
    addedFirstByteMs: median(
      (results[name]?.firstByteMs ?? []).map(
        (value, index) => value - (results['direct']?.firstByteMs[index] ?? 0),
      ),
    ),
    ...(proxies.some((proxy) => proxy.name === 'haproxy')
      ? {
          requestTimesHaproxy: ratio(name, 'haproxy', 'request'),
          eventTimesHaproxy: ratio(name, 'haproxy', 'event'),
        }
      : {}),
  }))
  if (values.json) console.log(JSON.stringify({ rounds, requests, streams, rows }))
  else {
    console.log('CPU of the proxy, one thread, medians of paired rounds\n')
    console.log('             µs/request   × haproxy   µs/event   × haproxy   added TTFB p50 ms')
    for (const row of rows) {
      const number = (value: number | undefined, width: number) =>
        (value ?? Number.NaN).toFixed(2).padStart(width)
      console.log(
        `${row.name.padEnd(10)}${number(row.requestMicroseconds, 13)}${number(row.requestTimesHaproxy, 12)}${number(row.eventMicroseconds, 11)}${number(row.eventTimesHaproxy, 12)}${number(row.addedFirstByteMs, 20)}`,
      )
    }
  }
} finally {
  for (const child of children) child.kill('SIGTERM')
}
