/**
 * Where requests of the rack and of the desk go by `fastest`, in the words of `motley why`. Engines
 * and time are those of the simulator, so that every number is the same on every machine.
 */
import { expect, test } from 'vitest'
import { folded } from '#cli/folded.ts'
import { requestRecord, whyText } from '#cli/why-text.ts'
import { endpointId, modelName, requestId } from '#core/ids.ts'
import type { ServiceClass } from '#core/service-class.ts'
import { decisionPage } from '#gateway/pages/decisions.ts'
import type { DecisionRecord } from '#routing/decision.ts'
import { Fastest } from '#routing/fastest/fastest.ts'
import { defaultTargets } from '#routing/service-class.ts'
import type { Arrival } from '#simulator/arrival.ts'
import type { Fault } from '#simulator/fault.ts'
import { parseFleetFile } from '#simulator/fleet-file.ts'
import { simulate } from '#simulator/simulation.ts'
import { stepSpeedOf } from '#simulator/step-speed-of.ts'
import { seededChance } from '#std/seeded-chance.ts'

interface Scene {
  readonly atMs: number
  /** What happens, and where the answer is told of, why one should expect what is told. */
  readonly says: string | null
  readonly promptTokens: number
  readonly outputTokens: number
  readonly service?: ServiceClass
}

const model = modelName('llama-3.1-8b')

/** Plays the scenes, and tells of those that say something. */
function story(
  title: string,
  fleet: string,
  scenes: readonly Scene[],
  faults: readonly Fault[] = [],
): { readonly text: string; readonly places: readonly string[] } {
  const chance = seededChance(1)
  const records = new Map<number, DecisionRecord>()
  const fastest = new Fastest({ chance, explain: true })
  const next = fastest.next.bind(fastest)
  fastest.next = (nowMs) => {
    const dispatch = next(nowMs)
    if (dispatch?.kind === 'send' && dispatch.record !== null) {
      records.set(arrivalOf.get(dispatch.request.client) ?? -1, dispatch.record)
    }
    return dispatch
  }
  const arrivalOf = new Map(scenes.map((_, index) => [`client-${index}`, index]))
  const endpoints = parseFleetFile(fleet, title)
  const names = endpoints.map(({ name }) => name)
  const { outcomes } = simulate({
    endpoints: endpoints.map((one) => ({
      ...one,
      id: one.name,
      models: null,
      weight: 1,
      maxInFlight: null,
      told: stepSpeedOf(one),
      tellsLimits: true,
    })),
    arrivals: scenes.map(
      ({ atMs, promptTokens, outputTokens, service = 'interactive' }, index): Arrival => ({
        atMs,
        model,
        client: `client-${index}`,
        service,
        targets: defaultTargets[service],
        promptTokens,
        outputTokens,
        prefixBlocks: [],
        prefixBlockTokens: 512,
      }),
    ),
    dispatcher: fastest,
    faults,
    chance,
    untilMs: 600_000,
  })
  const told = scenes.flatMap(({ says, atMs, promptTokens }, index) => {
    const outcome = outcomes[index]
    const record = records.get(index)
    if (says === null || outcome === undefined || record === undefined) return []
    const endpoint = names[outcome.endpoint] ?? ''
    const chosen = record.candidates.find(({ verdict }) => verdict === 'chosen')
    const firstMs = (outcome.firstTokenMs ?? 0) - atMs
    const totalMs = (outcome.endMs ?? 0) - atMs
    const queueMs = record.atMs - atMs
    const page = decisionPage({
      requestId: requestId(`req-${index}`),
      arrivedAtMs: 0,
      startedMs: atMs,
      model,
      answeredModel: model,
      decisions: [record],
      unserved: [],
      scriptFailures: [],
      attempts: [
        {
          endpoint: endpointId(endpoint),
          model,
          outcome: 'ok',
          loggedOutcome: 'ok',
          isRest: false,
          sentAfterMs: queueMs,
          durationMs: totalMs - queueMs,
          ttftMs: firstMs - queueMs,
          tpotMs: outcome.tokens > 1 ? (totalMs - firstMs) / (outcome.tokens - 1) : null,
          predicted: {
            ttftMs: chosen?.ttftMs ?? 0,
            tpotMs: chosen?.tpotMs ?? 0,
            isGuess: chosen?.isGuess ?? true,
          },
        },
      ],
      queueMs,
      ttftMs: firstMs,
      totalMs,
      status: 200,
      refused: null,
    })
    // The time of day would be another wherever the test runs.
    const request = { ...requestRecord.parse(page), arrivedAtMs: undefined }
    const heading = `## After ${atMs / 1_000} s, ${promptTokens} tokens: ${says}`
    return [`${heading}\n\n${folded(whyText(request, 0), { isTTY: true, columns: 80 })}`]
  })
  return {
    text: `# ${title}\n\n${told.join('\n\n')}\n`,
    places: outcomes.map(({ endpoint }) => names[endpoint] ?? ''),
  }
}

const question = { promptTokens: 200, outputTokens: 150 }
/** The first of the pages that rtx could not start within two seconds. */
const overflow = 28
const page = { promptTokens: 1_500, outputTokens: 200 }

test('the rack: the strong box takes what comes, and the other one what would wait for it', async () => {
  const burst = Array.from(
    { length: 32 },
    (_, at): Scene => ({
      ...page,
      atMs: 10_000 + at,
      says: at === overflow ? 'rtx has pages to read for two seconds, and amd has time' : null,
    }),
  )
  const { text, places } = story(
    'The rack: an RTX PRO 6000 and an RX 7900 XTX behind one API',
    `endpoints:
      - { name: rtx, device: rtx-pro-6000 }
      # Measured with four bits; it serves bf16 as the other one does.
      - { name: amd, device: rx-7900-xtx, engine: vllm, stepFactor: 3.3 }`,
    [
      { ...question, atMs: 0, says: 'nothing else is there, and rtx is the faster one' },
      ...burst,
      { ...question, atMs: 60_000, says: 'rtx has crashed' },
    ],
    [{ kind: 'lost', endpoint: 0, atMs: 50_000, untilMs: 90_000 }],
  )
  expect([places[0], places[1 + overflow], places.at(-1)]).toEqual(['rtx', 'amd', 'amd'])
  expect(places.slice(1, 33).filter((place) => place === 'rtx').length).toBeGreaterThan(24)
  await expect(text).toMatchFileSnapshot('../fixtures/stories/rack.txt')
})

test('the desk: a gaming PC, a Mac and a CPU box each get what they can do in time', async () => {
  const class24 = Array.from(
    { length: 24 },
    (_, at): Scene => ({ promptTokens: 1_500, outputTokens: 400, atMs: 10_000 + at, says: null }),
  )
  const { text, places } = story(
    'The desk: an RTX 4090, a Mac Studio and a machine without a GPU',
    `endpoints:
      # Measured with bf16; all three read the same GGUF of four bits.
      - { name: gaming, device: rtx-4090, engine: llama-server, slots: 8, stepFactor: 0.35 }
      - { name: studio, device: m2-ultra-76 }
      - { name: box, device: epyc-9334 }`,
    [
      { ...question, atMs: 0, says: 'a lone question goes to the gaming PC' },
      ...class24,
      { ...question, atMs: 11_000, says: 'a whole class writes, and each machine has its part' },
      {
        promptTokens: 20,
        outputTokens: 60,
        service: 'batch',
        atMs: 60_000,
        says: 'a batch job takes what is free, when all of it is',
      },
    ],
  )
  expect(places[0]).toBe('gaming')
  expect(new Set(places.slice(1, 25)).size).toBeGreaterThan(1)
  await expect(text).toMatchFileSnapshot('../fixtures/stories/desk.txt')
})
