/** Words that commands print are explained in docs/reference, and no others are. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { packageFile } from '#cli/package-files.ts'
import { nodeRanks, ranks } from '#placement/planner/ranks/index.ts'
import { policyNames } from '#simulator/policies.ts'

/** The first cells of the tables below a heading. */
function termsOf(page: string, heading = ''): string[] {
  const text = readFileSync(packageFile(`docs/reference/${page}`), 'utf8')
  const from = text.slice(text.indexOf(heading))
  return [...from.matchAll(/^\| `([^`]+)` \|/gm)].map(([, term]) => term!).sort()
}

test('plan.md explains every term of a score', () => {
  const names = [...ranks, ...nodeRanks].map(({ name }) => name)
  expect(termsOf('plan.md', '## Terms of a score')).toEqual(names.sort())
})

test('policies.md explains every policy', () => {
  expect(termsOf('policies.md')).toEqual([...policyNames].sort())
})
