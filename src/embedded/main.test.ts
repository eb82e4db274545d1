import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'

const program = fileURLToPath(import.meta.resolve('./main.ts'))
const execArgv = ['--conditions=motley-source']
const model = ['--model', 'models/motley-tiny.gguf', '--slots', '1']
const started: ChildProcess[] = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

function start(args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [...execArgv, program, ...args], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  started.push(child)
  return child
}

/** The JSON lines a process prints, one at a time. */
function linesOf(stdout: Readable | null): () => Promise<Record<string, unknown>> {
  if (stdout === null) throw new Error('The process was started with a pipe.')
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
  return async () => {
    const { value } = await lines.next()
    return JSON.parse(String(value)) as Record<string, unknown>
  }
}

test('prints where it listens, then that it is ready, and stops on SIGTERM', async () => {
  const child = start([...model, '--name', 'small', '--context', '512'])
  const nextLine = linesOf(child.stdout)
  const { url, pid } = await nextLine()
  expect(pid).toBe(child.pid)
  expect(await nextLine()).toMatchObject({ ready: true, model: 'small', contextTokens: 512 })

  const response = await fetch(`${String(url)}/v1/completions`, {
    method: 'POST',
    body: JSON.stringify({ prompt: 'Hello', stream: true }),
  })
  expect(response.status).toBe(200)
  const stoppedMs = performance.now()
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
  expect(performance.now() - stoppedMs).toBeLessThan(2000)
  await response.text().catch(() => {}) // the answer is cut
})

test.each([
  { args: ['--model', 'none.gguf'], says: /none.gguf does not exist/ },
  { args: [], says: /--model FILE is missing/ },
  { args: [...model, '--port', 'x'], says: /--port is x; it must be a whole number from 0/ },
])('with $args it says in one line why it cannot run, and exits with 2', async ({ args, says }) => {
  const child = start(args)
  const lines: string[] = []
  createInterface({ input: child.stdout as Readable }).on('line', (line) => lines.push(line))
  const [code] = await once(child, 'close')
  expect(code).toBe(2)
  const last = JSON.parse(lines.at(-1) ?? '') as { readonly error: string }
  expect(last.error).toMatch(says)
  expect(lines.filter((line) => line.includes('error'))).toHaveLength(1)
})

test('a damaged model is reported in the words of llama.cpp', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'motley-embedded-'))
  try {
    const path = join(folder, 'cut.gguf')
    await writeFile(path, (await readFile('models/motley-tiny.gguf')).subarray(0, 100_000))
    const child = start(['--model', path])
    const nextLine = linesOf(child.stdout)
    await nextLine()
    expect((await nextLine())['error']).toMatch(
      /cut\.gguf cannot be loaded \(tensor .* not within the file bounds.*\); .* download it again/,
    )
  } finally {
    await rm(folder, { recursive: true })
  }
})

test('ends when the process that forked it is gone', async () => {
  const child = fork(program, model, {
    execPath: process.execPath,
    execArgv,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  started.push(child)
  const nextLine = linesOf(child.stdout)
  await nextLine()
  child.disconnect() // what the kernel does to the channel when the parent is killed
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('a Ctrl-C is for the process that forked it: it goes on', async () => {
  const child = fork(program, model, {
    execPath: process.execPath,
    execArgv,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  })
  started.push(child)
  const nextLine = linesOf(child.stdout)
  const { url } = await nextLine()
  await nextLine()
  child.kill('SIGINT')
  child.kill('SIGHUP')
  expect((await fetch(`${String(url)}/health`)).status).toBe(200)
  child.kill('SIGTERM')
  expect(await once(child, 'exit')).toEqual([0, null])
})

test('with --watch-stdin ends when its stdin does', async () => {
  const child = start([...model, '--watch-stdin'])
  const nextLine = linesOf(child.stdout)
  await nextLine()
  child.stdin?.end()
  expect(await once(child, 'exit')).toEqual([0, null])
})
