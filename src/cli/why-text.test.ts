import { expect, test } from 'vitest'
import { folded } from '#cli/folded.ts'
import { type RequestRecord, requestRecord, whyText as whyTextAt } from '#cli/why-text.ts'
import { refusalPage } from '#gateway/pages/decisions.ts'

type Candidate = RequestRecord['decisions'][number]['candidates'][number]
type Refusal = Parameters<typeof refusalPage>[0]
type Fields = Omit<Partial<Candidate>, 'refusal'> & { readonly refusal?: Refusal }

function candidate(endpoint: string, { refusal, ...fields }: Fields): Candidate {
  return {
    endpoint,
    verdict: 'refused',
    refusal: refusal === undefined ? null : refusalPage(refusal, 0),
    score: null,
    state: 'ready',
    inFlight: 0,
    weight: 1,
    slowStartRatio: 1,
    isGuess: false,
    ...fields,
  }
}

const whyText = (told: RequestRecord): string => whyTextAt(told, 0)

const record: RequestRecord = {
  requestId: 'req-1',
  model: 'llama-3.1-8b',
  answeredModel: 'qwen2.5-7b',
  decisions: [
    {
      atMs: 120.4,
      model: 'llama-3.1-8b',
      strategy: 'least-connections',
      scoreMeaning: '(requests in flight + 1) / weight',
      explores: false,
      candidates: [
        candidate('h100', { verdict: 'chosen', score: 0.5, inFlight: 1, weight: 4 }),
        candidate('mi300x', {
          verdict: 'runner-up',
          score: 1.51234,
          weight: 3,
          slowStartRatio: 0.25,
        }),
        candidate('full', {
          inFlight: 8,
          refusal: { kind: 'full', inFlight: 8, maxInFlight: 8 },
        }),
        candidate('down', { state: 'failed', refusal: { kind: 'state', state: 'failed' } }),
        candidate('probed', { state: 'failing', refusal: { kind: 'probing' } }),
        candidate('resting', { refusal: { kind: 'cooling', untilMs: 1 } }),
        candidate('parked', { weight: 0, refusal: { kind: 'weight-zero' } }),
        candidate('tried', { refusal: { kind: 'tried' } }),
      ],
    },
  ],
  unserved: [],
  scriptFailures: [],
  attempts: [
    {
      endpoint: 'tried',
      model: 'llama-3.1-8b',
      outcome: 'connection reset',
      sentAfterMs: 120.4,
      durationMs: 12.3,
    },
    {
      endpoint: 'h100',
      model: 'qwen2.5-7b',
      outcome: 'ok',
      sentAfterMs: 135,
      durationMs: 12_345,
    },
  ],
  queueMs: 120.4,
  awayMs: 0,
  ttftMs: 310.2,
  totalMs: 12_480,
  status: 200,
  running: null,
}

test('a decision is told with every candidate, its numbers and why it was not chosen', async () => {
  await expect(`${whyText(record)}\n`).toMatchFileSnapshot('../../fixtures/cli/why.txt')
})

test('a script that failed is named at the decisions that were made without it', () => {
  const why = "it threw ReferenceError: 'nowhere' is not defined (line 2)"
  const scriptFailures = [{ model: 'llama-3.1-8b', why }]
  const [decision] = record.decisions as [RequestRecord['decisions'][number]]
  const fallback = { ...decision, model: 'qwen2.5-7b' }
  const text = whyText({ ...record, decisions: [decision, fallback], scriptFailures })
  const [, first, second] = text.split(/^Decision \d, /m)
  expect(first).toContain(`routing.script failed (${why}): rules alone decided.`)
  expect(second).not.toContain('routing.script')
})

test.each([
  [
    'rules forbid and a context is too short',
    {
      a: { kind: 'rule', rule: 1, why: 'is not labelled x=y' },
      b: { kind: 'context', contextTokens: 2048, neededTokens: 9_000 },
    },
    'No endpoint may take it, however long it waits.',
  ],
  [
    'one is only full',
    { a: { kind: 'script' }, b: { kind: 'full', inFlight: 1, maxInFlight: 1 } },
    'There was no place for it yet.',
  ],
  [
    'one is being loaded',
    { a: { kind: 'state', state: 'loading' }, b: { kind: 'tried' } },
    'There was no place for it yet.',
  ],
  [
    'all are down or were tried',
    { a: { kind: 'state', state: 'failed' }, b: { kind: 'tried' } },
    'No endpoint could take it then.',
  ],
] as const)('where %s, the decision says so', (_what, refusals, words) => {
  const candidates = Object.entries(refusals).map(([name, refusal]) => candidate(name, { refusal }))
  const [decision] = record.decisions as [RequestRecord['decisions'][number]]
  expect(whyText({ ...record, decisions: [{ ...decision, candidates }] })).toContain(words)
})

test('a model that only its fallbacks answer for has a word of its own', () => {
  const unserved = [
    { model: 'big', isFallback: false },
    { model: 'middle', isFallback: true },
  ]
  const text = whyText({ ...record, model: 'big', unserved })
  expect(text).toContain('No endpoint serves big itself: only its fallbacks could answer.')
  expect(text).toContain('No endpoint serves middle, one of its fallbacks.')
})

test('a first guess is marked in the table and beside what came', () => {
  const guess = { score: 134.2, ttftMs: 23.31, tpotMs: 22.05, isGuess: true }
  const known = { score: 131.1, ttftMs: 23.31, tpotMs: 22.05 }
  const candidates = [
    candidate('new', { verdict: 'chosen', ...guess }),
    candidate('old', { verdict: 'runner-up', ...known }),
  ]
  const [decision] = record.decisions as [RequestRecord['decisions'][number]]
  const attempts = [
    {
      ...{ endpoint: 'new', model: 'm', outcome: 'ok', sentAfterMs: 0, durationMs: 102 },
      ...{ ttftMs: 35, tpotMs: 17, predicted: { ttftMs: 23.31, tpotMs: 22.05, isGuess: true } },
    },
  ]
  const text = whyText({ ...record, decisions: [{ ...decision, candidates }], attempts })
  expect(text).toContain('"~" is a first guess: too little was measured there yet.')
  expect(text).toMatch(/new +chosen +~130 ms +~23 ms +~22 ms/)
  expect(text).toMatch(/old +runner-up +131 ms +23.3 ms +22.1 ms/)
  expect(text).toContain(
    'first token 35 ms after it was sent (first guess ~23 ms), then 17 ms each (first guess ~22 ms).',
  )
})

test.each([
  ['an earlier gateway, by its name', { kind: 'on-holiday' }, 'on-holiday'],
  [
    'a newer one, in its words',
    { kind: 'on-holiday', words: 'is at the sea', passes: 'in summer', days: 3 },
    'is at the sea',
  ],
])('a reason that this version does not know is told of %s', (_of, refusal, words) => {
  const [decision] = record.decisions as [RequestRecord['decisions'][number]]
  const candidates = [{ ...candidate('odd', {}), refusal }]
  const told = requestRecord.parse({ ...record, decisions: [{ ...decision, candidates }] })
  expect(whyText(told)).toMatch(new RegExp(`odd +refused .* ${words}`))
})

test('a request that went nowhere says so', () => {
  expect(whyText({ ...record, attempts: [], status: 503 })).toContain('No endpoint was asked.')
})

test('a request that was refused is told with what its client was told, and with the gates', () => {
  const refused = { code: 'queue_full', message: 'Every endpoint of "m" is at its limit.' }
  const before = whyText({ ...record, decisions: [], attempts: [], status: 429, refused })
  expect(before).toContain('Refused (queue_full): Every endpoint of "m" is at its limit.')
  expect(before).toContain('before any decision')
  const [decision] = record.decisions
  const candidates = [
    candidate('full', { refusal: { kind: 'full', inFlight: 8, maxInFlight: 8 } }),
    candidate('late', {}),
  ]
  const after = whyText({ ...record, decisions: [{ ...decision!, candidates }], refused })
  expect(after).toMatch(/full +refused .* is at its limit: 8 of 8/)
  expect(after).toMatch(/late +refused .* could not start it in time/)
})

test('an endpoint that was chosen beside a better prediction was tried, and the decision says so', () => {
  const [decision] = record.decisions as [RequestRecord['decisions'][number]]
  const pace = { score: 260, ttftMs: 39, tpotMs: 37 }
  const candidates = [
    candidate('big', { verdict: 'runner-up', score: 86, ttftMs: 13, tpotMs: 12 }),
    candidate('plain', { verdict: 'chosen', ...pace, isGuess: true }),
  ]
  const said = 'Chosen to learn how fast it is'
  const textOf = (explores: boolean) =>
    whyText({ ...record, decisions: [{ ...decision, candidates, explores }] })
  expect(textOf(true)).toContain(said)
  expect(textOf(false)).not.toContain(said)
  const [, plain] = candidates
  const forbidden = candidate('big', { refusal: { kind: 'rule', rule: 1, why: 'is not allowed' } })
  const alone = { ...decision!, candidates: [forbidden, plain!], explores: true }
  expect(whyText({ ...record, decisions: [alone] })).not.toContain(said)
})

test('a time without any endpoint is told apart from a time without room', () => {
  const [head] = whyText({ ...record, queueMs: 5_300, awayMs: 5_151 }).split('\n')
  expect(head).toContain('149 ms of it waiting for room')
  expect(head).toContain('5151 ms of it waiting until an endpoint was there')
})

test('an answer that broke off is not headed as one that came whole', () => {
  const refused = { code: 'stream_interrupted', message: 'The engine on "h100" stopped.' }
  const text = whyText({ ...record, refused })
  expect(text).toContain('broke off after 12.5 s (it had begun with 200)')
  expect(text).toContain('Broken off (stream_interrupted): The engine on "h100" stopped.')
})

test.each([
  [
    { kind: 'asking', endpoint: 'h100', attempt: 2, isRest: true, sentAfterMs: 135 },
    'running at h100, 12.5 s after it came, first token after 310 ms',
    'Attempt 2: qwen2.5-7b on h100: sent after 135 ms, for the rest; not over.',
  ],
  [
    { kind: 'waiting', for: 'room', forMs: 900 },
    'waiting for room since 900 ms, 12.5 s after it came',
    'Attempt 1: llama-3.1-8b on tried:',
  ],
  [
    { kind: 'waiting', for: 'endpoint', forMs: 900 },
    'waiting for an endpoint that is not there since 900 ms',
    'Attempt 1: llama-3.1-8b on tried:',
  ],
])('a request that is $kind is told as far as it has come', (running, head, below) => {
  const [first] = record.attempts
  const told = requestRecord.parse({ ...record, attempts: [first], status: null, running })
  expect(whyText(told)).toContain(head)
  expect(whyText(told)).toContain(below)
})

test('a request whose body named no model is told without one', () => {
  const refused = { code: 'invalid_json', message: 'The request body is not a JSON object.' }
  const text = whyText({ ...record, model: '', decisions: [], attempts: [], refused })
  expect(text).toContain('for no model that could be read')
})

test('what fastest predicted is told beside what came, with the gate that each endpoint failed', async () => {
  const predicted: RequestRecord = {
    ...record,
    answeredModel: 'llama-3.1-8b',
    decisions: [
      {
        model: 'llama-3.1-8b',
        atMs: 120,
        strategy: 'fastest',
        scoreMeaning: 'predicted milliseconds until the answer is complete',
        explores: false,
        candidates: [
          candidate('rtx-4090', {
            verdict: 'chosen',
            score: 4_610,
            ttftMs: 212.4,
            tpotMs: 22.1,
            inFlight: 3,
          }),
          candidate('mac-studio', {
            verdict: 'runner-up',
            score: 7_310,
            ttftMs: 1_310,
            tpotMs: 31.2,
          }),
          ...(
            [
              ['strix', { kind: 'ttft', predictedMs: 4_100, leftMs: 1_790 }],
              ['arc', { kind: 'tpot', predictedMs: 130, targetMs: 100 }],
              ['epyc', { kind: 'kv-cache', neededTokens: 41_000, kvTokens: 32_768 }],
              ['l4', { kind: 'stall', stallMs: 480, answersLost: 2.4 }],
              ['a100', { kind: 'silent' }],
              ['t4', { kind: 'work', aheadMs: 2_300 }],
            ] as const
          ).map(([endpoint, refusal]) =>
            candidate(endpoint, { refusal, score: 9_000, ttftMs: 4_100, tpotMs: 40, inFlight: 12 }),
          ),
        ],
      },
    ],
    attempts: [
      {
        endpoint: 'rtx-4090',
        model: 'llama-3.1-8b',
        outcome: 'ok',
        sentAfterMs: 120,
        durationMs: 4_702,
        ttftMs: 198.2,
        tpotMs: 22.6,
        predicted: { ttftMs: 212.4, tpotMs: 22.1, isGuess: false },
      },
    ],
    totalMs: 4_822,
  }
  const text = folded(whyText(predicted), { isTTY: true, columns: 80 })
  await expect(`${text}\n`).toMatchFileSnapshot('../../fixtures/cli/why-fastest.txt')
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
})

test('an attempt that went on with an answer is told as one for the rest', () => {
  const [first, second] = record.attempts as [RequestRecord['attempts'][number], object]
  const attempts = [first, { ...first, ...second, isRest: true }]
  expect(whyText({ ...record, attempts })).toMatch(/sent after 135 ms, for the rest; /)
})

test('a record of a large fleet counts those that it does not tell of', () => {
  const [decision] = record.decisions as [RequestRecord['decisions'][number]]
  const large = { ...record, decisions: [{ ...decision, leftOut: 9_984 }] }
  expect(whyText(large)).toMatch(/\n {2}and 9984 more\n/)
  expect(whyText(record)).not.toContain('more')
})

test('nothing that a client wrote moves the cursor of a terminal', () => {
  const rogue = 'gpt\u001b[2J\n4'
  const told = requestRecord.parse({
    ...record,
    model: rogue,
    unserved: [{ model: rogue, isFallback: true }],
    refused: { code: 'model_not_found', message: `No endpoint serves "${rogue}".` },
  })
  const text = whyText(told)
  expect(text).not.toContain('\u001b[2J')
  expect(text).toContain('No endpoint serves "gpt?[2J 4".')
})
