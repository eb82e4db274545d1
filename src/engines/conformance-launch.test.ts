/** One suite for the launches of all engines, with the exact commands as files to read. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type Backend, backends } from '#core/engine-build.ts'
import { kvCacheTypes, kvCacheTypesOn } from '#core/engine-memory.ts'
import { tasks } from '#core/task.ts'
import type { Engine } from '#engines/engine.ts'
import { composeForm } from '#engines/engine-compose-form.ts'
import { explainLastWords } from '#engines/engine-known-errors.ts'
import type { Launch, LaunchDevice, LaunchPlan, LaunchRequest } from '#engines/engine-launch.ts'
import { shellForm } from '#engines/engine-shell-form.ts'
import { engines } from '#engines/index.ts'
import { device, devices, launched, requestFor, secret } from '#engines/test-launch.ts'

function plan(launch: Launch, request: LaunchRequest): LaunchPlan {
  const result = launch(request)
  if (result.kind === 'problem') throw new Error(`${result.message} ${result.fix}`)
  return result
}

const seventh = { index: 7, uuid: null }

/** Every way in which Motley starts the engine on the backend, as a person would. */
function waysToStart(engine: Engine, launch: Launch, backend: Backend): string {
  const several = engine.spread !== 'single' && devices[backend].length > 1
  const parts = (['native', 'container'] as const).flatMap((kind) => {
    const runs = engine.supports.some(
      (support) => support.backend === backend && support.kinds.includes(kind),
    )
    if (!runs) return []
    const one = requestFor(engine, backend, kind)
    const two = {
      ...one,
      devices: devices[backend],
      tensorParallel: engine.spread === 'tensor-parallel' ? 2 : 1,
    }
    const conceding = { ...one, ...concessionsOf(engine, backend) }
    const first = plan(launch, one)
    const compose = composeForm(first, one.replicaId)
    return [
      `# ${kind}\n\n${shellForm(first, one.replicaId)}\n`,
      ...(several
        ? [`# ${kind}, two devices\n\n${shellForm(plan(launch, two), one.replicaId)}\n`]
        : []),
      ...(conceding.kvCacheType === null && conceding.offload === null
        ? []
        : [
            `# ${kind}, ${conceded(conceding)}\n\n${shellForm(plan(launch, conceding), one.replicaId)}\n`,
          ]),
      ...(compose === null ? [] : [`# compose\n\n${compose}`]),
    ]
  })
  return parts.join('\n')
}

/** The least that it can keep of keys and values, and the most that it can leave to the CPU. */
function concessionsOf(
  { memory }: Engine,
  backend: Backend,
): Pick<LaunchRequest, 'kvCacheType' | 'offload'> {
  if (memory === null || memory.kind === 'weights-only') return { kvCacheType: null, offload: null }
  const types = kvCacheTypesOn(memory, backend)
  const offloads =
    memory.kind === 'whole-context' && backend !== 'cpu' ? memory.offloads : 'nothing'
  const left = {
    nothing: null,
    layers: { layerCount: 32, layersOnHost: 12, expertLayersOnHost: 0 },
    'layers-and-experts': { layerCount: 48, layersOnHost: 0, expertLayersOnHost: 20 },
  }
  return { kvCacheType: types[1] ?? null, offload: left[offloads] }
}

function conceded({ kvCacheType, offload }: LaunchRequest): string {
  const parts = [
    ...(kvCacheType === null ? [] : [`KV cache in ${kvCacheType}`]),
    ...(offload === null
      ? []
      : [offload.layersOnHost > 0 ? '12 layers on the CPU' : 'experts of 20 layers on the CPU']),
  ]
  return parts.join(', ')
}

describe.each(launched)('$id', ({ engine, launch }) => {
  const supported = backends.filter((backend) =>
    engine.supports.some((support) => support.backend === backend),
  )
  const cases = engine.supports.flatMap(({ backend, kinds }) =>
    kinds.map((kind) => ({ backend, kind, request: requestFor(engine, backend, kind) })),
  )

  test.each(supported)('is started on %s as its file says', async (backend) => {
    await expect(waysToStart(engine, launch, backend)).toMatchFileSnapshot(
      `../../fixtures/engines/${engine.id}/launch/${backend}.txt`,
    )
  })

  test('runs somewhere, and says how', () => {
    expect(engine.supports.length).toBeGreaterThan(0)
    expect(engine.weightsFormats.length).toBeGreaterThan(0)
    for (const { kinds, os } of engine.supports) {
      expect(kinds.length).toBeGreaterThan(0)
      expect(os.length).toBeGreaterThan(0)
    }
    for (const { backend, kinds } of engine.supports) {
      if (backend === 'metal') expect(kinds).toEqual(['native']) // no container has Apple's GPU
    }
  })

  test('listens where only this machine can reach it', () => {
    for (const { kind, request } of cases) {
      const { args, env, container } = plan(launch, request)
      const words = [...args, ...Object.values(env)].join('\n')
      if (kind === 'native') {
        expect(container).toBeNull()
        expect(words).toContain('127.0.0.1')
        expect(words).toContain('8101')
        expect(words).not.toContain('0.0.0.0')
      } else {
        expect(container?.network).toMatchObject({ hostAddress: '127.0.0.1', hostPort: 8_101 })
      }
    }
  })

  test('shows its key to nobody', () => {
    for (const { request } of cases) {
      const made = plan(launch, request)
      if (engine.checksApiKey) expect(Object.values(made.secretEnv)).toContain(secret)
      const { secretEnv: _, ...shown } = made
      expect(JSON.stringify(shown)).not.toContain(secret)
      expect(shellForm(made, 'chat-1')).not.toContain(secret)
      expect(composeForm(made, 'chat-1') ?? '').not.toContain(secret)
    }
  })

  test('refuses a key that it would not check', () => {
    if (engine.checksApiKey) return
    for (const { request } of cases) {
      expect(launch({ ...request, apiKey: secret })).toMatchObject({ code: 'no-api-key-check' })
    }
  })

  test('appends what the user added, last and unchanged', () => {
    for (const { request } of cases) {
      const { args } = plan(launch, { ...request, extraArgs: ['--odd', "it's $HOME"] })
      expect(args.slice(-2)).toEqual(['--odd', "it's $HOME"])
    }
  })

  test('sees every device it was given and no other', () => {
    for (const { backend, request } of cases) {
      if (backend === 'cpu' || backend === 'metal') continue
      const moved = {
        ...request,
        devices: [{ ...(devices[backend][0] as LaunchDevice), ...seventh }],
      }
      const { env, args, container } = plan(launch, moved)
      expect(
        [...Object.values(env), ...(container?.gpus ?? []), ...args].join(' '),
        backend,
      ).toMatch(/\b7\b/)
    }
  })

  test('reads the weights in a container where it is told to', () => {
    for (const { request } of cases) {
      const { container, args, env } = plan(launch, request)
      if (container === null) continue
      const words = [...args, ...Object.values(env)].join('\n')
      const mounted = container.mounts.filter(({ source }) => source === '/models')
      expect(mounted).toHaveLength(1)
      if (words.includes('/models')) expect(mounted[0]?.target).toBe('/models')
    }
  })

  test('says what is wrong with a request it cannot serve', () => {
    for (const { request } of cases) {
      const wrong: Partial<LaunchRequest>[] = [
        { devices: [] },
        { backend: 'cuda', devices: [device(0, null, 'sm_35')] },
        { backend: 'rocm', devices: [device(0, null, 'gfx803')] },
        { weights: { ...request.weights, format: 'no such format' as 'gguf' } },
        { tensorParallel: 3 },
      ]
      for (const change of wrong) {
        const result = launch({ ...request, ...change })
        expect(result).toMatchObject({ kind: 'problem' })
        if (result.kind === 'plan') continue
        expect(result.message).toMatch(/^\w.*\.$/)
        expect(result.fix).toMatch(/^\w.*\.$/)
      }
    }
  })

  test('answers any request with a plan or a problem, the same each time', () => {
    fc.assert(
      fc.property(anyRequest, (request) => {
        const result = launch(request)
        expect(launch(request)).toEqual(result)
        if (result.kind === 'problem') return
        expect([result.command, ...result.args, ...Object.values(result.env)]).not.toContain('')
        expect(JSON.stringify([result.args, result.env])).not.toMatch(/undefined|NaN|\[object/)
        const compose = composeForm(result, 'replica')
        if (compose !== null) {
          expect(parse(compose).services.replica.command ?? []).toEqual(
            result.args.map((arg) => arg.replaceAll('$', '$$$$')),
          )
        }
      }),
      { numRuns: 300 },
    )
  })

  test('explains its last words, and makes nothing up', () => {
    for (const { pattern, meaning, fix } of engine.knownErrors) {
      expect(pattern.global || pattern.sticky).toBe(false) // those remember where they stopped
      expect(meaning).toMatch(/^[A-Z].*\.$/)
      expect(fix).toMatch(/^[A-Z`].*\.$/)
    }
    expect(explainLastWords(engine.knownErrors, '')).toBeNull()
    expect(explainLastWords(engine.knownErrors, 'INFO: all is well')).toBeNull()
    expect(
      explainLastWords(engine.knownErrors, 'OSError: [Errno 98] Address already in use')?.meaning,
    ).toMatch(/port/)
  })

  test('ends when it is asked to, within a time', () => {
    expect(engine.stop.graceMs).toBeGreaterThanOrEqual(1_000)
    expect(engine.stop.graceMs).toBeLessThanOrEqual(120_000)
  })
})

const word = fc.string({ minLength: 1, maxLength: 12 })
const anyDevice: fc.Arbitrary<LaunchDevice> = fc.record({
  index: fc.nat(15),
  uuid: fc.option(fc.constantFrom('GPU-1', 'MIG-2', 'GPU-0a1b2c3d4e5f6000', '')),
  busId: fc.option(word),
  architecture: fc.option(
    fc.oneof(
      fc.constantFrom('sm_75', 'sm_89', 'sm_120', 'gfx942', 'gfx1031', 'gfx1103', 'apple9'),
      fc.constantFrom('x86_64', 'aarch64', '__proto__', 'sm_', ''),
    ),
  ),
  unifiedMemory: fc.boolean(),
})
const anyRequest: fc.Arbitrary<LaunchRequest> = fc.record({
  replicaId: word,
  modelName: word,
  task: fc.constantFrom(...tasks),
  weights: fc.record({
    format: fc.constantFrom(...new Set(engines.flatMap((engine) => engine.weightsFormats))),
    path: fc.constantFrom('/models/a b', '/models/org/name', '/models/$x.gguf', 'C:\\models\\a'),
    root: fc.constantFrom('/models', '/', 'C:\\models'),
  }),
  host: fc.constant('127.0.0.1' as const),
  port: fc.integer({ min: 1, max: 65_535 }),
  backend: fc.constantFrom(...backends),
  devices: fc.array(anyDevice, { maxLength: 3 }),
  contextTokens: fc.integer({ min: 1, max: 1_000_000 }),
  slots: fc.integer({ min: 1, max: 256 }),
  kvCacheType: fc.option(fc.constantFrom(...kvCacheTypes)),
  offload: fc.option(
    fc.record({
      layerCount: fc.nat(80),
      layersOnHost: fc.nat(80),
      expertLayersOnHost: fc.nat(80),
    }),
  ),
  memoryFraction: fc.option(fc.double({ min: 0.1, max: 1, noNaN: true })),
  tensorParallel: fc.integer({ min: 1, max: 3 }),
  kind: fc.constantFrom('native', 'container'),
  executable: fc.option(word),
  ownProgram: fc.option(fc.record({ command: word, args: fc.array(word, { maxLength: 2 }) })),
  deviceGroupIds: fc.array(fc.nat(70_000), { maxLength: 2 }),
  cacheDirectory: fc.option(fc.constant('/var/cache/motley')),
  allowsArchitectureOverride: fc.boolean(),
  extraArgs: fc.array(word, { maxLength: 2 }),
  apiKey: fc.option(word),
})
