import { expect, test } from 'vitest'
import { containerErrors } from '#agent/replicas/container-command.ts'
import { explainExit, type KnownError } from '#agent/replicas/exit-meaning.ts'

const failed = { code: 1, signal: null }
const insufficient: KnownError = {
  pattern: /CUDA driver version is insufficient/g,
  meaning: 'The driver is too old.',
  fix: 'Install driver 570.',
  permanent: true,
}
const noFile: KnownError = { pattern: /no such file: (\S+)/i, meaning: '$1 is missing.', fix: null }

test('known words have a meaning, however often they are asked for', () => {
  for (let time = 0; time < 2; time++) {
    expect(
      explainExit(failed, ['CUDA driver version is insufficient'], '', [insufficient]),
    ).toEqual({ meaning: 'The driver is too old.', fix: 'Install driver 570.', permanent: true })
  }
})

test('what the words name comes out in the meaning', () => {
  expect(explainExit(failed, ['No such file: /m.gguf'], '', [noFile])).toEqual({
    meaning: '/m.gguf is missing.',
    fix: null,
    permanent: false,
  })
})

test('the last lines count before those above, which count when the last say nothing', () => {
  const above = 'CUDA driver version is insufficient\n...\n'
  const known = [insufficient, noFile]
  const missing = ['no such file: x']
  expect(explainExit(failed, missing, above + missing, known).meaning).toBe('x is missing.')
  const blank = ['Engine core initialization failed. See root cause above.']
  expect(explainExit(failed, blank, above + blank, known).permanent).toBe(true)
})

test.each([
  [{ code: null, signal: 'SIGKILL' }, /memory/],
  [{ code: 137, signal: null }, /memory/],
  [{ code: 132, signal: null }, /instruction/],
  [{ code: null, signal: 'SIGSEGV' }, /crashed/],
  [{ code: null, signal: 'SIGBUS' }, /shared memory/],
])('without known words, %o speaks for itself', (end, meaning) => {
  expect(explainExit(end, ['hm'], 'hm', [noFile]).meaning).toMatch(meaning)
})

test('an end that says nothing means nothing', () => {
  const nothing = { meaning: null, fix: null, permanent: false }
  expect(explainExit(failed, ['hm'], 'hm', [noFile])).toEqual(nothing)
  expect(explainExit({ code: null, signal: null }, [], '', [])).toEqual(nothing)
})

test.each([
  [
    'docker: Error response from daemon: could not select device driver "nvidia" with capabilities: [[gpu]]',
    /GPUs/,
  ],
  [
    'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock',
    /may not use Docker/,
  ],
  [
    'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
    /does not run/,
  ],
  [
    'docker: Error response from daemon: pull access denied for vllm/nope, repository does not exist',
    /no such image/,
  ],
  ['Bind for 127.0.0.1:8001 failed: port is already allocated', /taken/],
  [
    'error gathering device information while adding custom device "/dev/kfd": no such file or directory',
    /no device \/dev\/kfd/,
  ],
  ['exec: "vllm": executable file not found in $PATH: unknown', /no program vllm/],
])('the container runtime says: %s', (words, meaning) => {
  expect(explainExit({ code: 125, signal: null }, [words], words, containerErrors).meaning).toMatch(
    meaning,
  )
})
