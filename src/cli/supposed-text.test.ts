/** `motley plan --what-if` on the homelab of the examples: what is said beside the plan. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { fitLocally, planLocally } from '#cli/local-planner.ts'
import { placementQuestion } from '#cli/placement-question.ts'
import { supposedHeading, supposedLines } from '#cli/supposed-text.ts'
import type { PlanInput } from '#placement/plan.ts'

const homelab = fileURLToPath(new URL('../../examples/homelab/', import.meta.url))
const { input } = await placementQuestion(`${homelab}motley.yaml`, {
  inventory: `${homelab}inventory.json`,
})
const planned = (of: PlanInput) => ({ input: of, plan: planLocally(of) })
const now = planned(input)

async function linesFor(...whatIf: string[]): Promise<string> {
  const inventory = `${homelab}inventory.json`
  const supposed = await placementQuestion(`${homelab}motley.yaml`, { inventory, whatIf })
  expect(supposed.unsupposed).toEqual(input)
  const lines = supposedLines(now, planned(supposed.input), fitLocally)
  for (const line of lines) expect(line.length, line).toBeLessThanOrEqual(80)
  return lines.join('\n').replaceAll(/\n +/g, ' ')
}

test('what was assumed stands above the plan', () => {
  expect(supposedHeading(['lose drizzt', 'add rtx-3090'])[0]).toContain(
    'What if: lose drizzt; add rtx-3090.',
  )
  expect(supposedHeading([])).toEqual([])
})

test('a device that nobody uses is told with what stands in its way, once for all', async () => {
  const text = await linesFor('add rtx-3090 24GiB to drizzt')
  expect(text).toContain('It makes no difference')
  expect(text).toMatch(/^chat, stt, tts cannot use GeForce RTX 3090 of drizzt:/m)
  expect(text).toContain('no nvidia runtime')
  expect(text).toMatch(/embeddings could use GeForce RTX 3090 of drizzt; .* thought to be better/)
})

test('a loss that moves something is not called one without difference', async () => {
  expect(await linesFor('lose drizzt')).not.toContain('no difference')
})

test('the loss of a recording changes nothing, which is said with why', () => {
  const [node] = input.inventory.nodes
  const recording = { ...node!, id: 'rec', name: 'rec', isRecording: true }
  const withRecording = (presence: 'ready' | 'lost'): PlanInput => ({
    ...input,
    inventory: {
      ...input.inventory,
      nodes: [...input.inventory.nodes, { ...recording, presence }],
    },
  })
  const lines = supposedLines(
    planned(withRecording('ready')),
    planned(withRecording('lost')),
    fitLocally,
  )
  expect(lines.join('\n')).toContain('It makes no difference')
  expect(lines.join('\n')).toContain('rec is a recording, and ran nothing.')
})
