import { expect, test } from 'vitest'
import { planLocally } from '#cli/local-planner.ts'
import { placementQuestion } from '#cli/placement-question.ts'
import { targetProblems } from '#cli/target-problems.ts'
import type { SpeedEstimate } from '#placement/fit.ts'

const folder = new URL('../../examples/homelab/', import.meta.url).pathname
const { input } = await placementQuestion(`${folder}motley.yaml`, {
  inventory: `${folder}inventory.json`,
})
const plan = planLocally(input)
const targets = { ttftMs: 1_000, tpotMs: 60, tokensPerSecond: null, startMs: 60_000 }

const problemsWith = (speed: Partial<SpeedEstimate>, asked: Partial<typeof targets>) =>
  targetProblems(
    {
      ...input,
      deployments: input.deployments.map((one) =>
        one.name === 'chat' ? { ...one, targets: { ...one.targets, ...asked } } : one,
      ),
    },
    {
      replicas: plan.replicas
        .filter(({ deployment }) => deployment === 'chat')
        .map((one) => ({
          ...one,
          speed: {
            ...{ promptTokensPerSecond: null, decodeTokensPerSecond: null, startMs: null },
            ...{ basis: 'unknown' as const, ...speed },
          },
        })),
    },
  )

test('targets that nothing can be held to are named, with how they come to be', () => {
  expect(problemsWith({}, targets)).toEqual([
    expect.stringMatching(
      /^deployments\.chat\.targets: ttftMs and tpotMs are not checked: nobody knows how fast .+ is on khelben; "motley benchmark"/,
    ),
    expect.stringMatching(/startMs is not checked/),
  ])
})

test('only what is not known is named, and nothing that nobody asked for', () => {
  const known = { decodeTokensPerSecond: 20, startMs: 10_000 }
  expect(problemsWith(known, targets)).toEqual([
    expect.stringMatching(/: ttftMs is not checked: nobody knows how fast at reading prompts/),
  ])
  const none = { ttftMs: null, tpotMs: null, startMs: null }
  expect(problemsWith({}, none as never)).toEqual([])
})
