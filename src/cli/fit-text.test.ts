/** What `motley fit` answers, in the words of the story of the desk and the homelab. */
import { expect, test } from 'vitest'
import { bestFit, fitAnswers, fitPlaces, missingSoftware } from '#cli/fit-answers.ts'
import { placesThatFit } from '#cli/fit-elsewhere.ts'
import { fitFleet, namedNode } from '#cli/fit-fleet.ts'
import { fitListText } from '#cli/fit-list-text.ts'
import { catalogFitModel, type FitModel, fitModel } from '#cli/fit-model.ts'
import { fitText } from '#cli/fit-text.ts'

const open = { contextTokens: null, slots: null, kvCacheTypes: null, offload: false }

function modelNamed(name: string): FitModel {
  const model = catalogFitModel(name)
  if (model === null) throw new Error(`no ${name}`)
  return model
}

function answersOn(device: string, name: string, wish: Parameters<typeof fitAnswers>[3] = open) {
  const inventory = { nodes: [namedNode(device)], replicas: [], memory: [], speeds: [] }
  const model = modelNamed(name)
  return fitPlaces(inventory).map((place) => ({
    place,
    answers: fitAnswers(model, place, inventory, wish),
  }))
}

function textOf(device: string, name: string, wish: Parameters<typeof fitAnswers>[3] = open) {
  const model = modelNamed(name)
  const places = answersOn(device, name, wish)
  const fits = places.some(({ answers }) => answers.some(({ fit }) => fit.kind === 'fits'))
  return `${fitText(model, places, fits ? [] : placesThatFit(model, wish))}\n`
}

test.each([
  ['llama-3.1-8b on a 4090', 'llama-3.1-8b', 'rtx-4090', open],
  ['70B with 4 bits in 24 GB, as is often promised', 'llama-3.1-70b', 'rtx-4090', open],
  ['a mixture of experts on a small card', 'qwen3-30b-a3b', 'rtx-2070', open],
  ['70B on a Mac Studio of 128 GB', 'llama-3.1-70b', 'm2-ultra-76 128GiB', open],
  ['70B over two cards', 'llama-3.1-70b:Q4_K_M', '2 x rtx-3090', open],
  [
    'a long context for four at once',
    'llama-3.1-8b',
    'rtx-4090',
    { contextTokens: 131_072, slots: 4, kvCacheTypes: null, offload: false },
  ],
  [
    '70B on a 4090 with layers on the CPU and fewer bits for its KV cache',
    'llama-3.3-70b',
    'rtx-4090',
    { contextTokens: 32_768, slots: null, kvCacheTypes: ['f16', 'q8_0'], offload: true },
  ],
  ['speech to text beside it', 'whisper-large-v3-turbo', 'rtx-2070', open],
] as const)('%s', async (title, name, device, wish) => {
  const text = textOf(device, name, wish)
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  const file = title.replace(/[^a-z0-9]+/gi, '-').toLowerCase()
  await expect(text).toMatchFileSnapshot(`../../fixtures/cli/fit/${file}.txt`)
})

test('what a small card can run', async () => {
  const [place] = answersOn('rtx-2070', 'llama-3.1-8b')
  if (place === undefined) throw new Error('no place')
  const models = ['llama-3.1-8b', 'llama-3.1-70b', 'bge-m3', 'kokoro-82m'].map((model) => ({
    model,
    best: bestFit(answersOn('rtx-2070', model)[0]?.answers ?? []),
    missing: [],
  }))
  const text = fitListText([{ place: place.place, models }])
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  await expect(`${text}\n`).toMatchFileSnapshot('../../fixtures/cli/fit/list.txt')
})

test('a machine on which no engine is installed is not called too small', () => {
  const node = { ...namedNode('rtx-4090'), engines: [], containers: { kind: 'none' } as const }
  const inventory = { nodes: [node], replicas: [], memory: [], speeds: [] }
  const [place] = fitPlaces(inventory)
  if (place === undefined) throw new Error('no place')
  const models = ['llama-3.1-8b', 'llama-3.1-405b'].map((model) => {
    const answers = fitAnswers(modelNamed(model), place, inventory, open)
    return { model, best: bestFit(answers), missing: missingSoftware(answers) }
  })
  const text = fitListText([{ place, models }]).replace(/\s+/g, ' ')
  expect(text).toMatch(
    /nothing of the catalogue runs there yet: what runs it is not installed \(.*llama-server/,
  )
  expect(text).toMatch(/would fit, with .* installed there: llama-3\.1-8b not: llama-3\.1-405b/)
})

test('what is allowed to make a model fit is taken, and what would is named as one writes it', () => {
  const closed = textOf('rtx-4090', 'llama-3.1-70b:Q4_K_M').replace(/\s+/g, ' ')
  expect(closed).toContain('with offload: true')
  expect(textOf('rtx-4090', 'llama-3.1-70b:IQ2_XXS')).toMatch(/kvCacheTypes:\s+\[f16,\s+q8_0\]/)
  const [offloaded] = answersOn('rtx-4090', 'llama-3.1-70b:Q4_K_M', { ...open, offload: true })
  expect(offloaded?.answers[0]?.fit.kind).toBe('fits')
  const small = { ...open, kvCacheTypes: ['f16', 'q8_0'] as const }
  const [shrunk] = answersOn('rtx-4090', 'llama-3.1-70b:IQ2_XXS', small)
  expect(shrunk?.answers[0]?.fit).toMatchObject({ kind: 'fits', setting: { kvCacheType: 'q8_0' } })
})

test('a machine without software for containers is told of that, and of no other device', () => {
  const node = {
    ...namedNode('rtx-4090'),
    ...{ engines: [], containers: { kind: 'none' as const } },
  }
  const inventory = { nodes: [node], replicas: [], memory: [], speeds: [] }
  const [place] = fitPlaces(inventory)
  const answers = fitAnswers(modelNamed('kokoro-82m'), place!, inventory, open)
  expect(missingSoftware(answers)).toEqual(['Docker or Podman'])
  expect(fitText(modelNamed('kokoro-82m'), [{ place: place!, answers }])).toMatch(
    /no software for containers; to change that:\s+install Docker or Podman/,
  )
})

test('a recording is looked at only where there is no machine', () => {
  const box = namedNode('rtx-4090')
  const recorded = { ...namedNode('h200'), isRecording: true }
  const nodesOf = (...nodes: (typeof box)[]) =>
    fitPlaces({ nodes, replicas: [], memory: [], speeds: [] }).map(({ node }) => node.name)
  expect(nodesOf(recorded, box)).toEqual(['rtx-4090'])
  expect(nodesOf(recorded)).toEqual(['h200'])
})

test('an alias says of what', () => {
  expect(textOf('h200', 'mistral-7b')).toMatch(
    /^mistral-7b: .*\nAn alias of mistral-7b-v0\.3 in the catalogue/,
  )
  expect(textOf('h200', 'llama-3.3-70b')).not.toContain('alias')
})

test('70B in Q4 needs 42.5 GB for its weights alone, so 24 GB are refused with both numbers', () => {
  const [place] = answersOn('rtx-4090', 'llama-3.1-70b:Q4_K_M')
  const fit = place?.answers[0]?.fit
  if (fit?.kind !== 'no') throw new Error('it must not fit')
  const [device] = fit.memory?.devices ?? []
  const weights = device?.terms.find(({ name }) => name === 'weights')?.bytes ?? 0
  expect(weights / 1e9).toBeCloseTo(42.5 - 0.6, 0)
  expect(fit.blockers[0]?.what).toMatch(/needs 40\.\d GiB .* an estimate may take 20\.\d GiB/)
  expect(fit.suggestions.at(-1)).toMatch(
    /^\d+ of 80 layers on GeForce RTX 4090, .* tokens\/s, with offload: true$/,
  )
})

/** People reckon parameters × bits / 8. That leaves out scales, KV cache and buffers. */
test.each([
  { name: 'llama-2-7b:Q4_K_M', claimedGb: 4, contextTokens: 4_096 },
  { name: 'llama-2-13b:Q4_K_M', claimedGb: 7, contextTokens: 4_096 },
  { name: 'llama-3.1-8b:Q4_K_M', claimedGb: 5, contextTokens: 131_072 },
  { name: 'llama-3.1-70b:Q4_K_M', claimedGb: 35, contextTokens: 131_072 },
])('$name at $contextTokens tokens needs more than the $claimedGb GB of rules of thumb', (row) => {
  const wish = { ...open, contextTokens: row.contextTokens, slots: 1 }
  const [place] = answersOn('h200', row.name, wish)
  const memory = place?.answers[0]?.fit.memory
  const [device] = memory?.devices ?? []
  const kv = device?.terms.find(({ name }) => name === 'kv-cache')
  expect(kv?.why).toContain(`${row.contextTokens.toLocaleString('en')} tokens`)
  expect((device?.needBytes ?? 0) / 1e9).toBeGreaterThan(row.claimedGb * 1.2)
})

test('a 4090 with 8B in bf16 by vLLM holds 41,408 tokens, as vLLM 0.19 reported', () => {
  const [place] = answersOn('rtx-4090', 'llama-3.1-8b:BF16')
  const [answer] = place?.answers ?? []
  expect(answer?.engine.id).toBe('vllm')
  const tokens = answer?.fit.memory?.kvCacheTokens ?? 0
  expect(Math.abs(tokens / 41_408 - 1)).toBeLessThan(0.05)
})

test('an unknown model or device is answered with the nearest one', async () => {
  await expect(fitModel('llama-3.1-8')).rejects.toThrow('did you mean llama-3.1-8b?')
  await expect(fitModel('llama-3.1-8b:Q9')).rejects.toThrow(
    'there is no Q9 of llama-3.1-8b; there is',
  )
  await expect(fitFleet({ on: 'rtx-4091' })).rejects.toThrow('did you mean rtx-4090?')
  await expect(fitFleet({ on: 'rtx-4090', inventory: 'x' })).rejects.toThrow('not both')
  await expect(fitFleet({ inventory: 'nowhere.json' })).rejects.toThrow(
    '--inventory nowhere.json: there is no such file; "motley nodes --json"',
  )
})
