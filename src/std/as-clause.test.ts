import { expect, test } from 'vitest'
import { asClause } from '#std/as-clause.ts'

test.each([
  ['This node was revoked.', 'this node was revoked'],
  ['No controller took it. See that it runs.', 'no controller took it. See that it runs'],
  ['A token lets one machine in', 'a token lets one machine in'],
  ['Another node is called rtx.', 'another node is called rtx'],
  ['Docker does not run.', 'Docker does not run'],
  ['JSON is expected.', 'JSON is expected'],
  ['Theodora is a node.', 'Theodora is a node'],
  ['', ''],
])('%j is %j within another sentence', (sentence, clause) => {
  expect(asClause(sentence)).toBe(clause)
})
