import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const bin = join(root, 'bin', 'motley')
const folder = mkdtempSync(join(tmpdir(), 'motley-cli-'))

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs bin/motley where no configuration lies around, without a MOTLEY_… variable of the tester. */
function motley(args: readonly string[], { node = process.execPath, file = bin } = {}) {
  const own = Object.entries(process.env).filter(([name]) => !/^(MOTLEY|NODE)_/.test(name))
  return new Promise<Ended>((resolve, reject) => {
    const child = spawn(node, [file, ...args].filter(Boolean), {
      cwd: folder,
      // A folder of its own: the tester may run a Motley of their own.
      env: { ...Object.fromEntries(own), MOTLEY_DATA_DIR: join(folder, 'data') },
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => (out += chunk))
    child.stderr.on('data', (chunk) => (err += chunk))
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

const model = readFileSync(join(root, 'models', 'motley-tiny.gguf'))
writeFileSync(join(folder, 'cut.gguf'), model.subarray(0, 1_000_000))
// Its first 24 bytes promise a sensible header, and then come bytes that make no sense.
writeFileSync(
  join(folder, 'garbled.gguf'),
  Buffer.concat([model.subarray(0, 24), Buffer.alloc(1_000_000, 0xfe)]),
)
writeFileSync(join(folder, 'good.yaml'), 'endpoints: [{ url: "http://a" }, { url: "http://b" }]')
writeFileSync(join(folder, 'model.yaml'), 'embedded:\n  model: nope.gguf\n')
writeFileSync(join(folder, 'bad.yaml'), 'gateway:\n  drainMs: soon\n  pingMs: often\n')

test.each<{ args: string[]; code: number; out?: string; err?: string }>([
  { args: ['--version'], code: 0, out: 'motley 0.1.0\n' },
  {
    args: ['config', 'check', 'good.yaml'],
    code: 0,
    out: 'good.yaml is valid: 2 endpoints, 0 keys\n',
  },
  {
    args: ['config', 'check', 'bad.yaml'],
    code: 2,
    err:
      'bad.yaml:2: gateway.drainMs: found "soon", allowed: a whole number from 0 to 2147483647\n' +
      'bad.yaml:3: gateway.pingMs: found "often", allowed: a whole number from 0 to 2147483647\n',
  },
  {
    args: ['config', 'check', 'model.yaml'],
    code: 2,
    err: `model.yaml:2: embedded.model: the model file ${join(folder, 'nope.gguf')} does not exist; name a GGUF file that does\n`,
  },
  {
    args: ['gateway', '-c', 'none.yaml'],
    code: 2,
    err: 'motley: none.yaml: cannot be read: there is no such file; check its name and the folder you are in\n',
  },
  {
    args: ['up', '--listen', '127.0.0.1:0', '--model', 'none.gguf'],
    code: 2,
    err: `motley: the model file ${join(folder, 'none.gguf')} does not exist; name a GGUF file that does\n`,
  },
  {
    args: ['up', '--listen', '127.0.0.1:0', '--model', '.'],
    code: 2,
    err: `motley: ${folder} is not a file; name the GGUF file itself\n`,
  },
  { args: ['gatewy'], code: 2, err: "motley: unknown command 'gatewy'; did you mean gateway?\n" },
  {
    args: ['up', '--port', '80'],
    code: 2,
    err: "motley: unknown option '--port'; address and port are --listen <host:port>; see motley up --help\n",
  },
  {
    args: ['why-not', 'chat'],
    code: 2,
    err: "motley: missing required argument 'node'; see motley why-not --help\n",
  },
  { args: ['help', 'nope'], code: 2, err: "motley: unknown command 'nope'; see motley --help\n" },
  {
    args: ['up', '--listen', 'foo'],
    code: 2,
    err: 'motley: --listen: found "foo", allowed: host:port, as 127.0.0.1:7070 or [::1]:7070, with a port up to 65535\n',
  },
  { args: ['-v'], code: 0, out: 'motley 0.1.0\n' },
  { args: ['-V'], code: 0, out: 'motley 0.1.0\n' },
  { args: ['version'], code: 0, out: 'motley 0.1.0\n' },
  {
    args: ['status', '--jsn'],
    code: 2,
    err: "motley: unknown option '--jsn'; did you mean --json?\n",
  },
])('motley $args ends with $code', async ({ args, code, out = '', err = '' }) => {
  expect(await motley(args)).toEqual({ code, out, err })
})

test.each([
  {
    file: 'cut.gguf',
    why: "tensor 'blk.1.ffn_down.weight' data is not within the file bounds, model is corrupted or incomplete",
  },
  { file: 'garbled.gguf', why: 'its header makes no sense' },
])('motley up with the damaged model $file says what is wrong with it', async ({ file, why }) => {
  const { code, err } = await motley(['up', '--listen', '127.0.0.1:0', '--model', file])
  expect(code).toBe(2)
  // A slow machine serves "still loading" before it has come to the damage.
  expect(err.split('\n').at(-2)).toBe(
    `motley: the model file ${join(folder, file)} cannot be loaded (${why}); it may be damaged or too new for this engine: download it again or choose another`,
  )
})

test('a gateway that does not answer is told by its URL, and what to do', async () => {
  const closed = createServer().listen(0, '127.0.0.1')
  await once(closed, 'listening')
  const url = `http://127.0.0.1:${(closed.address() as AddressInfo).port}`
  closed.close()
  expect(await motley(['status', '--url', url])).toEqual({
    code: 3,
    out: '',
    err: `motley: no gateway answers at ${url} (nothing listens there): start one with "motley up", or name another with --url\n`,
  })
})

const terminal = '/usr/bin/script'
test.skipIf(process.platform !== 'linux' || !existsSync(terminal))(
  'on a terminal a long error is folded at 80 columns, between words',
  async () => {
    const command = `stty cols 80; '${process.execPath}' '${bin}' up --listen foo`
    const { out } = await motley(['-qec', command, '/dev/null'], { file: '', node: terminal })
    expect(out).toBe(
      'motley: --listen: found "foo", allowed: host:port, as 127.0.0.1:7070 or\r\n' +
        '  [::1]:7070, with a port up to 65535\r\n',
    )
  },
)

test('help is asked for, or shown where a command is missing', async () => {
  const [asked, missing] = await Promise.all([motley(['--help']), motley([])])
  expect(asked).toMatchObject({ code: 0, err: '' })
  expect(missing).toMatchObject({ code: 2, out: '', err: asked.out })
})

test('a key is made, and its hash is what the configuration takes', async () => {
  const { out } = await motley(['key', 'create', '--name', 'app', '--json'])
  const { name, key, keyHash } = JSON.parse(out)
  const sha256 = new Uint8Array(
    await crypto.subtle.digest('SHA-256', new TextEncoder().encode(key)),
  )
  expect({ name, keyHash }).toEqual({
    name: 'app',
    keyHash: `sha256:${Buffer.from(sha256).toString('hex')}`,
  })
})

test.skipIf(process.platform === 'win32')(
  'it is found through a link, as npx makes one',
  async () => {
    const link = join(folder, 'motley')
    symlinkSync(bin, link)
    expect(await motley(['--version'], { file: link })).toMatchObject({ code: 0 })
  },
)

test('a clone without its packages is told as that', async () => {
  const clone = mkdtempSync(join(tmpdir(), 'motley-clone-'))
  cpSync(join(root, 'bin'), join(clone, 'bin'), { recursive: true })
  cpSync(join(root, 'src', 'cli'), join(clone, 'src', 'cli'), { recursive: true })
  expect(await motley(['up'], { file: join(clone, 'bin', 'motley') })).toEqual({
    code: 3,
    out: '',
    err: 'motley needs its packages: run "npm ci" here\n',
  })
})

const systemNode = '/usr/bin/node'
test.skipIf(!existsSync(systemNode))('the Node of the system starts it, however old', async () => {
  expect(await motley(['--version'], { node: systemNode })).toEqual({
    code: 0,
    out: 'motley 0.1.0\n',
    err: '',
  })
})

test.each([
  { args: ['why-not', 'chat', 'nowhere'], err: /there is no node "nowhere"; there is khelben/ },
  { args: ['why-not', 'nothing', 'khelben'], err: /there is no deployment "nothing"; there is/ },
  { args: ['plan', '--what-if', 'lose nowhere'], err: /there is no node "nowhere"; there is/ },
])(
  'a name that the fleet does not have ends $args.0 with 1',
  async ({ args: [name, ...rest], err }) => {
    const homelab = join(root, 'examples', 'homelab')
    const file = join(homelab, 'motley.yaml')
    const options = ['--inventory', join(homelab, 'inventory.json')]
    const which = name === 'plan' ? [file] : ['--file', file]
    const ended = await motley([name ?? '', ...rest, ...which, ...options])
    expect(ended).toMatchObject({ code: 1, out: '', err: expect.stringMatching(err) })
  },
)

test('a change that is not understood is wrong usage', async () => {
  const homelab = join(root, 'examples', 'homelab')
  const options = ['--inventory', join(homelab, 'inventory.json')]
  const args = ['plan', join(homelab, 'motley.yaml'), ...options, '--what-if', 'sell khelben']
  expect(await motley(args)).toMatchObject({ code: 2, out: '' })
})
