import { execFileSync } from 'node:child_process'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { LaunchPlan } from '#engines/engine-launch.ts'
import { shellForm } from '#engines/engine-shell-form.ts'

function plan(changes: Partial<LaunchPlan>): LaunchPlan {
  return {
    kind: 'plan',
    command: 'engine',
    args: [],
    env: {},
    secretEnv: {},
    container: null,
    servedName: 'm',
    preload: null,
    ...changes,
  }
}

/** What a real shell makes of the text, word for word. */
function wordsOf(text: string, env: Record<string, string> = {}): string[] {
  const script = `set -- ${text}\nprintf '%s\\0' "$@"`
  return execFileSync('sh', ['-c', script], { env, encoding: 'utf8' }).split('\0').slice(0, -1)
}

test.skipIf(process.platform === 'win32')('a shell reads back the words of the plan', () => {
  const word = fc.oneof(
    fc.constantFrom('$HOME', "it's", '"two words"', 'a\\b', '*', '-n', '', '`id`', 'x\ny', '!!'),
    fc.string({ maxLength: 10 }).filter((text) => !text.includes('\0')),
  )
  fc.assert(
    fc.property(word, fc.array(word, { maxLength: 5 }), word, (command, args, value) => {
      const text = shellForm(plan({ command, args, env: { NAME: value } }), 'r')
      expect(wordsOf(text)).toEqual([`NAME=${value}`, command, ...args])
    }),
    { numRuns: 60 },
  )
})

test.skipIf(process.platform === 'win32')('a secret comes from the environment', () => {
  const text = shellForm(plan({ secretEnv: { KEY: 'secret' } }), 'r')
  expect(text).not.toContain('secret')
  expect(wordsOf(text, { KEY: 'a "b" c' })).toEqual(['KEY=a "b" c', 'engine'])
})
