import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ConfigError } from '#cli/config-error.ts'
import { parseConfig } from '#cli/config-file.ts'

function problems(text: string): string[] {
  try {
    parseConfig(text, { path: 'motley.yaml', env: {}, cwd: '/srv/motley' })
  } catch (error) {
    if (error instanceof ConfigError) return error.message.split('\n')
    throw error
  }
  return []
}

test('a page of prose is told as no YAML in four short lines', () => {
  const said = problems(readFileSync('README.md', 'utf8'))
  expect(said).toHaveLength(4)
  expect(said.at(-1)).toMatch(/and \d+ more like these: is this YAML at all\?$/)
  expect(said.filter((line) => line.length > 80)).toEqual([])
})
