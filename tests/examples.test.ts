/** The examples say what they promise: planned from their files alone, as anybody can. */
import { readFileSync } from 'node:fs'
import { describe, expect, onTestFinished, test } from 'vitest'
import { namedNode } from '#cli/fit-fleet.ts'
import { fitLocally, planLocally } from '#cli/local-planner.ts'
import { placementQuestion } from '#cli/placement-question.ts'
import { planText } from '#cli/plan-text.ts'
import { survivalText } from '#cli/survival-text.ts'
import { whyNotText } from '#cli/why-not-text.ts'
import { wishesOf } from '#cli/wishes-from-config.ts'
import { motleyConfig } from '#core/config/document.ts'
import { engineCatalog } from '#engines/index.ts'
import { openSandbox } from '#gateway/script/sandbox.ts'
import type { ScriptEndpoint } from '#gateway/script/script-wire.ts'
import type { Plan, PlanInput } from '#placement/plan.ts'
import { applyPlan } from '#placement/planner/apply-plan.ts'
import { nodeLosses } from '#placement/survival.ts'
import { whyNot } from '#placement/why-not.ts'
import { packageFile } from './harness/package-file.ts'

async function inputOf(example: string, ...whatIf: string[]): Promise<PlanInput> {
  const folder = packageFile(`examples/${example}`)
  const options = { inventory: `${folder}/inventory.json`, whatIf }
  return (await placementQuestion(`${folder}/motley.yaml`, options)).input
}

/** Where each deployment is: node and devices. */
function placesOf({ inventory }: PlanInput, plan: Plan): Record<string, string> {
  const nameOf = new Map(inventory.nodes.map(({ id, name }) => [id, name]))
  return Object.fromEntries(
    plan.replicas.map(({ deployment, setting }) => [
      deployment,
      `${nameOf.get(setting.node)} ${setting.devices.join('+')}`,
    ]),
  )
}

function refusalOf(input: PlanInput, deployment: string, nodeName: string) {
  const node = input.inventory.nodes.find(({ name }) => name === nodeName)?.id ?? ''
  const answer = whyNot(input, planLocally(input), fitLocally, { deployment, node })
  expect(answer.verdict).toBe('refused')
  return answer.blockers.map(({ check, code, ...rest }) => ({ name: code ?? check, ...rest }))
}

function golden(text: string, name: string): Promise<void> {
  for (const line of text.split('\n')) expect(line.length, line).toBeLessThanOrEqual(80)
  return expect(`${text}\n`).toMatchFileSnapshot(packageFile(`fixtures/cli/${name}.txt`))
}

describe('homelab', () => {
  test('all five workloads are where their owner has them', async () => {
    const input = await inputOf('homelab')
    const plan = planLocally(input)
    expect(placesOf(input, plan)).toEqual({
      chat: 'khelben amd-0',
      stt: 'elminster nvidia-0',
      tts: 'elminster nvidia-0',
      embeddings: 'drizzt amd-0',
      reranker: 'danilo intel-0',
    })
    expect(plan.unplaced).toEqual([])
    expect(plan.replicas.find(({ deployment }) => deployment === 'chat')?.setting.engine).toBe(
      'vllm',
    )
    await golden(planText(input, plan), 'plan-homelab')
  })

  test('the two that share the RTX 2070 have room beside each other', async () => {
    const input = await inputOf('homelab')
    const shared = planLocally(input).replicas.filter(({ setting }) =>
      setting.devices.includes('nvidia-0'),
    )
    expect(shared).toHaveLength(2)
    const taken = shared.reduce((sum, { memory }) => sum + (memory.devices[0]?.needBytes ?? 0), 0)
    expect(taken).toBeLessThan(8 * 2 ** 30)
  })

  test('a plan that was carried out leaves nothing to plan', async () => {
    const input = await inputOf('homelab')
    const plan = planLocally(input)
    const after = { ...input, inventory: applyPlan(input.inventory, plan) }
    const again = planLocally(after)
    expect(again.steps).toEqual([])
    await golden(planText(after, again), 'plan-homelab-done')
  })

  test('nobody but who tolerates it comes to the dedicated machine, whatever is lost', async () => {
    const names = ['khelben', 'elminster', 'drizzt', 'danilo']
    const owners = await Promise.all(
      names.map(async (name) => {
        const input = await inputOf('homelab', `lose ${name}`)
        return Object.entries(placesOf(input, planLocally(input)))
      }),
    )
    const onKhelben = owners.flat().filter(([, place]) => place.startsWith('khelben'))
    expect(new Set(onKhelben.map(([name]) => name))).toEqual(new Set(['chat']))
  })

  test('the loss of each machine has its own consequence', async () => {
    const input = await inputOf('homelab')
    const plan = planLocally(input)
    const losses = nodeLosses(input, plan, planLocally)
    const unplaced = Object.fromEntries(
      losses.map(({ name, unplaced: missing }) => [
        name,
        missing.map(({ deployment }) => deployment).sort(),
      ]),
    )
    expect(unplaced).toEqual({
      khelben: [],
      elminster: ['stt', 'tts'],
      drizzt: [],
      danilo: ['reranker'],
    })
    await golden(survivalText(losses, plan), 'plan-homelab-n-1')
  })

  test('one more card is where the chat would go, were it not running already', async () => {
    const input = await inputOf('homelab', 'add rtx-3090 24GiB')
    expect(placesOf(input, planLocally(input))['chat']).toBe('new-rtx-3090 nvidia-0')
  })

  test('why embeddings are not on the dedicated machine', async () => {
    const input = await inputOf('homelab')
    const node = input.inventory.nodes.find(({ name }) => name === 'khelben')?.id ?? ''
    const of = { deployment: 'embeddings', node }
    const answer = whyNot(input, planLocally(input), fitLocally, of)
    expect(answer.blockers.map(({ check }) => check)).toContain('taints')
    await golden(whyNotText(input, answer, of), 'why-not-homelab')
  })
})

describe('desk', () => {
  test('70B wants CUDA with 40 GB, which nothing here has', async () => {
    const input = await inputOf('desk')
    const plan = planLocally(input)
    const missing = plan.unplaced.find(({ deployment }) => deployment === 'large')
    expect(missing?.because.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['minVram', 'backends']),
    )
    expect(placesOf(input, plan)['large-anywhere']).toBe('mac-studio apple-0')
  })

  test('70B in 24 GB with Q4 is answered with the numbers', async () => {
    const refusals = refusalOf(await inputOf('desk'), 'promised', 'gaming-pc')
    const memory = refusals.find(({ name }) => name === 'memory')
    const [, need, room] =
      /needs ([\d.]+) GiB .* may take ([\d.]+) GiB/.exec(memory?.what ?? '') ?? []
    expect(Number(need)).toBeGreaterThan(39)
    expect(Number(room)).toBeLessThan(24)
    const [short] = memory?.short ?? []
    expect(short).toMatchObject({ device: 'nvidia-0' })
    expect(short?.shortBytes).toBeCloseTo((short?.neededBytes ?? 0) - (short?.freeBytes ?? 0))
    expect((short?.neededBytes ?? 0) / 2 ** 30).toBeCloseTo(Number(need), 0)
  })

  test('why it is not: the room that is missing, of which engine, and the rest on demand', async () => {
    const input = await inputOf('desk')
    const node = input.inventory.nodes.find(({ name }) => name === 'gaming-pc')?.id ?? ''
    const of = { deployment: 'promised', node }
    const answer = whyNot(input, planLocally(input), fitLocally, of)
    const texts = [false, true].map((all) => whyNotText(input, answer, of, all))
    await golden(texts.join('\n\n'), 'why-not-desk')
  })

  test('the plan', async () => {
    const input = await inputOf('desk')
    await golden(planText(input, planLocally(input)), 'plan-desk')
  })
})

describe('platform: what would fail later is refused by name', () => {
  test.each([
    { deployment: 'kernels', node: 'batch-1', name: 'kernel-mismatch', what: /FP8 on gfx90a/ },
    { deployment: 'assumption', node: 'batch-1', name: 'cuda-assumption', what: /none for rocm/ },
    {
      deployment: 'misplaced',
      node: 'cpu-farm',
      name: 'latency-on-throughput',
      what: /45 ms at the least .* 30 ms is wanted/,
    },
  ])('$name', async ({ deployment, node, name, what }) => {
    const refusals = refusalOf(await inputOf('platform'), deployment, node)
    expect(refusals).toContainEqual(
      expect.objectContaining({ name, what: expect.stringMatching(what) }),
    )
  })

  test('the same work has a place where it belongs', async () => {
    const input = await inputOf('platform')
    expect(placesOf(input, planLocally(input))['latency']).toBe('edge-1 nvidia-0')
    await golden(planText(input, planLocally(input)), 'plan-platform')
  })
})

test('a model that is made for something else is refused by name, whichever of its files is read', () => {
  const { deployments } = wishesOf(
    motleyConfig.parse({
      deployments: {
        stt: { model: 'llama-3.1-8b', task: 'transcription' },
        chat: { model: 'whisper-large-v3-turbo' },
      },
    }),
  )
  const inventory = { nodes: [namedNode('rtx-4090')], replicas: [], memory: [], speeds: [] }
  const empty = { wantedReplicas: {}, reserve: 'none', frozen: false } as const
  const { unplaced } = planLocally({ ...empty, deployments, inventory, engines: engineCatalog })
  expect(unplaced.map(({ deployment, because }) => [deployment, because[0]?.code])).toEqual([
    ['chat', 'task-mismatch'],
    ['stt', 'task-mismatch'],
  ])
})

test('the routing script of the desk keeps large models for CUDA, and long prompts from the CPU', async () => {
  const sandbox = await openSandbox(
    readFileSync(packageFile('examples/desk/routing.js'), 'utf8'),
    () => 0,
  )
  onTestFinished(() => sandbox.close())
  const vramBytes = 80 * 2 ** 30
  const all = (
    [
      ['rack', 'cuda'],
      ['studio', 'metal'],
      ['box', 'cpu'],
    ] as const
  ).map(
    ([name, backend]): ScriptEndpoint => ({
      ...{ name, backend, vramBytes, state: 'ready', engine: 'vllm', node: null, labels: {} },
      ...{ weight: 1, inFlight: 0, ttftMs: null },
    }),
  )
  const asked = { model: 'm', task: 'chat', key: null, maxTokens: null, stream: true } as const
  const namesFor = (parameterCount: number | null, promptTokens: number) =>
    sandbox.choose({ ...asked, parameterCount, promptTokens }, all)
  expect(namesFor(70e9, 10)).toEqual({ kind: 'endpoints', names: ['rack'] })
  expect(namesFor(8e9, 10)).toEqual({ kind: 'endpoints', names: ['rack', 'studio', 'box'] })
  expect(namesFor(null, 9_000)).toEqual({ kind: 'endpoints', names: ['rack', 'studio'] })
})
