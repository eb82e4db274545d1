import { expect, test } from 'vitest'
import { minVram } from '#placement/planner/checks/min-vram.ts'
import { deployment, gibibyte, nvidia, placementNode } from '#testing/placement-input.ts'

test.each([
  { has: 24, least: null, ok: true },
  { has: 24, least: 24, ok: true },
  { has: 23.6, least: 24, ok: true },
  { has: 23, least: 24, ok: false },
  { has: 80, least: 40, ok: true },
])('$has GiB where $least GiB are asked for is enough: $ok', ({ has, least, ok }) => {
  const minVramBytes = least === null ? null : least * gibibyte
  const chat = deployment('chat', 8, { constraints: { minVramBytes } })
  expect(minVram.refuse(chat, nvidia(has), placementNode('a', [])) === null).toBe(ok)
})
