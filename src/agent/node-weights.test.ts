/** Weights from a hub and from folders, as far as the place where an engine looks for them. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { deflateRawSync } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { bringWeights, type LocalWeights, type WeightsContext } from '#agent/node-weights.ts'
import type { Backend, LaunchKind } from '#core/engine-build.ts'
import type { LaunchPlan } from '#engines/engine-launch.ts'
import { engines } from '#engines/index.ts'
import { seededChance } from '#std/seeded-chance.ts'
import { hastyClock } from '#testing/hasty-clock.ts'
import { bytesContent, commit, startTestHub, textContent } from '#testing/test-hub.ts'
import { openHttpClient } from '#weights/http-client.ts'
import { openStore } from '#weights/store.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'motley-node-weights-'))
  cleanups.push(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const pickle = Buffer.concat([Buffer.from('PK\x03\x04\x14\0', 'latin1'), deflateRawSync('x')])
const wav = Buffer.from('RIFF\x24\0\0\0WAVEfmt ', 'latin1')
const ggml = Buffer.from('lmgg\x01\0\0\0', 'latin1')
const ctranslate2 = Buffer.from('\x06\0\0\0\x0c\0WhisperSpec\0\x03\0\0\0', 'latin1')
const ir = Buffer.from('<?xml version="1.0"?>\n<net name="main_graph" version="11">')
const numbers = Buffer.alloc(600, 0x81)
const json = Buffer.from('{}')

type Files = Readonly<Record<string, Buffer>>

interface Case {
  readonly engine: string
  readonly kind: LaunchKind
  readonly backend: Backend
  /** Of the hub; files that no engine reads lie among them. */
  readonly repository: string
  readonly files: Files
  /** Below the repository, where it has several models. */
  readonly path?: string
  /** What the started engine reads, as it sees its files, and which of them each is. */
  readonly reads: (plan: LaunchPlan) => Readonly<Record<string, string>>
}

const argument = ({ args }: LaunchPlan, name: string): string => args[args.indexOf(name) + 1] ?? ''

const cases: readonly Case[] = [
  {
    engine: 'whisper-cpp',
    kind: 'native',
    backend: 'cpu',
    repository: 'ggerganov/whisper.cpp',
    files: { 'ggml-base.bin': Buffer.concat([ggml, numbers]), 'ggml-large-v3-turbo.bin': ggml },
    path: 'ggml-large-v3-turbo.bin',
    reads: (plan) => ({ [argument(plan, '--model')]: 'ggml-large-v3-turbo.bin' }),
  },
  {
    engine: 'kokoro',
    kind: 'container',
    backend: 'cuda',
    repository: 'hexgrad/Kokoro-82M',
    files: {
      'README.md': Buffer.from('# Kokoro'),
      'config.json': json,
      'kokoro-v1_0.pth': pickle,
      'voices/af_heart.pt': Buffer.concat([pickle, numbers]),
      'samples/HEARME.wav': wav,
    },
    reads: ({ env }) => ({
      [`${env['MODEL_DIR']}/v1_0/kokoro-v1_0.pth`]: 'kokoro-v1_0.pth',
      [`${env['MODEL_DIR']}/v1_0/config.json`]: 'config.json',
    }),
  },
  {
    engine: 'xtts',
    kind: 'container',
    backend: 'cuda',
    repository: 'coqui/XTTS-v2',
    files: {
      'README.md': Buffer.from('# XTTS'),
      'config.json': json,
      'dvae.pth': Buffer.concat([pickle, numbers]),
      'model.pth': pickle,
      'samples/de_sample.wav': Buffer.concat([wav, numbers]),
      'samples/en_sample.wav': wav,
      'speakers_xtts.pth': Buffer.concat([pickle, ggml]),
      'vocab.json': Buffer.from('{"model": {}}'),
    },
    reads: () => {
      const folder = '/app/voices/tts/tts_models--multilingual--multi-dataset--xtts'
      return {
        [`${folder}/model.pth`]: 'model.pth',
        [`${folder}/config.json`]: 'config.json',
        [`${folder}/vocab.json`]: 'vocab.json',
        [`${folder}/speakers_xtts.pth`]: 'speakers_xtts.pth',
        '/app/voices/alloy.wav': 'samples/en_sample.wav',
        '/app/voices/de_sample.wav': 'samples/de_sample.wav',
      }
    },
  },
  {
    engine: 'speaches',
    kind: 'container',
    backend: 'cuda',
    repository: 'Systran/faster-whisper-small',
    files: {
      'README.md': Buffer.from('# no card'),
      'config.json': json,
      'model.bin': ctranslate2,
      'tokenizer.json': Buffer.from('{"a": 1}'),
      'vocabulary.txt': Buffer.from('a\nb\n'),
    },
    reads: ({ env, servedName }) => {
      const repository = `${env['HF_HUB_CACHE']}/models--${servedName.replace('/', '--')}`
      return {
        [`${repository}/refs/main`]: '',
        [`${repository}/snapshots/*/model.bin`]: 'model.bin',
        [`${repository}/snapshots/*/tokenizer.json`]: 'tokenizer.json',
        [`${repository}/snapshots/*/README.md`]: '',
      }
    },
  },
  {
    engine: 'openvino',
    kind: 'container',
    backend: 'cpu',
    repository: 'OpenVINO/bge-reranker',
    files: {
      'config.json': json,
      'openvino_model.bin': numbers,
      'openvino_model.xml': ir,
      'openvino_tokenizer.bin': Buffer.concat([numbers, ggml]),
      'openvino_tokenizer.xml': Buffer.concat([ir, Buffer.from('<layers/>')]),
    },
    reads: (plan) => {
      const folder = `${argument(plan, '--model_repository_path')}/${argument(plan, '--source_model')}`
      return {
        [`${folder}/openvino_model.xml`]: 'openvino_model.xml',
        [`${folder}/openvino_tokenizer.bin`]: 'openvino_tokenizer.bin',
      }
    },
  },
]

async function openContext(hubUrl: string): Promise<WeightsContext> {
  const http = openHttpClient()
  cleanups.push(() => http.close())
  return {
    http,
    hubUrl,
    hubToken: null,
    nodeHeaders: {},
    clock: hastyClock(),
    chance: seededChance(1),
    store: openStore(join(await temporaryFolder(), 'weights')),
    caches: [],
    nodes: [],
  }
}

const bring = (source: string, context: WeightsContext): Promise<LocalWeights> =>
  bringWeights(source, context, new AbortController().signal, () => {})

function planOf({ engine, kind, backend }: Case, weights: LocalWeights): LaunchPlan {
  const found = engines.find(({ id }) => id === engine)
  const plan = found?.launch?.({
    replicaId: 'speech-1',
    modelName: 'speech',
    task: found.tasks?.[0] ?? 'speech',
    weights,
    host: '127.0.0.1',
    port: 8101,
    backend,
    devices: [{ index: 0, uuid: null, busId: null, architecture: null, unifiedMemory: false }],
    contextTokens: 8192,
    slots: 1,
    memoryFraction: null,
    kvCacheType: null,
    offload: null,
    tensorParallel: 1,
    kind,
    executable: null,
    ownProgram: null,
    deviceGroupIds: [],
    cacheDirectory: null,
    allowsArchitectureOverride: false,
    extraArgs: [],
    apiKey: null,
  })
  if (plan?.kind !== 'plan') throw new Error(plan?.message ?? `no engine ${engine}`)
  return plan
}

/** Where a path of the engine is on this machine: in a container, below a mount. */
async function onMachine(path: string, { container }: LaunchPlan): Promise<string> {
  const mount = container?.mounts.find(({ target }) => path.startsWith(`${target}/`))
  if (container !== null && mount === undefined) throw new Error(`${path} is not mounted`)
  const here = mount === undefined ? path : mount.source + path.slice(mount.target.length)
  if (!here.includes('*')) return here
  const [before = '', after = ''] = here.split('*')
  const names = await readdir(before)
  expect(names).toHaveLength(1)
  return before + names[0] + after
}

/** The engine finds what it reads, and a container sees it without following links out of a mount. */
async function expectFound(each: Case, weights: LocalWeights): Promise<void> {
  const plan = planOf(each, weights)
  for (const [path, file] of Object.entries(each.reads(plan))) {
    const here = await onMachine(path, plan)
    expect(statSync(here).isFile(), path).toBe(true)
    if (file !== '') expect(readFileSync(here).equals(each.files[file] as Buffer), path).toBe(true)
  }
}

describe.each(cases)('$repository for $engine', (each) => {
  test('comes from a hub to where the engine looks, and leaves with all of it', async () => {
    const files = Object.fromEntries(
      Object.entries(each.files).map(([path, bytes]) => [path, bytesContent(bytes)]),
    )
    const hub = await startTestHub({ repositories: { [each.repository]: { files } } })
    cleanups.push(() => hub.close())
    const context = await openContext(hub.url)
    const source = ['hf:', each.repository, each.path && `/${each.path}`].join('')
    const weights = await bring(source, context)
    await expectFound(each, weights)
    // A second start finds it, and asks for nothing but the list.
    expect(await bring(source, context)).toEqual({ ...weights, transferredBytes: 0 })

    const [model] = await context.store.models()
    if (model === undefined) throw new Error('nothing is listed')
    await context.store.removeModel(model)
    const left = await readdir(context.store.directory, { recursive: true, withFileTypes: true })
    expect(left.filter((entry) => entry.isFile()).map(({ name }) => name)).toEqual([])
  })

  test('is taken from a folder as it lies there', async () => {
    const folder = join(await temporaryFolder(), each.repository)
    for (const [path, bytes] of Object.entries(each.files)) {
      const full = join(folder, path)
      mkdirSync(dirname(full), { recursive: true })
      writeFileSync(full, bytes)
    }
    const source = `file:${folder}${each.path === undefined ? '' : `/${each.path}`}`
    await expectFound(each, await bring(source, await openContext('http://127.0.0.1:9')))
  })
})

test('of several models in a folder or a repository one has to be named', async () => {
  const folder = await temporaryFolder()
  for (const name of ['ggml-base.bin', 'ggml-small.bin']) writeFileSync(join(folder, name), ggml)
  const hub = await startTestHub({
    repositories: {
      'o/r': { files: { 'ggml-base.bin': bytesContent(ggml), 'ggml-tiny.bin': textContent('x') } },
    },
  })
  cleanups.push(() => hub.close())
  const context = await openContext(hub.url)
  await expect(bring(`file:${folder}`, context)).rejects.toThrow(
    `${folder} has 2 models; name one, as file:${folder}/ggml-base.bin: ggml-base.bin, ggml-small.bin`,
  )
  await expect(bring('hf:o/r', context)).rejects.toThrow(
    'o/r has 2 models; name one, as hf:o/r/ggml-base.bin: ggml-base.bin, ggml-tiny.bin',
  )
  expect(await context.store.models()).toEqual([])
})

const otherDisk = '/dev/shm'
const hasOtherDisk = existsSync(otherDisk) && statSync(otherDisk).dev !== statSync(tmpdir()).dev

test.skipIf(!hasOtherDisk)(
  'what lies on another disk is named, so that a container sees it',
  async () => {
    const folder = await mkdtemp(join(otherDisk, 'motley-node-weights-'))
    cleanups.push(() => rm(folder, { recursive: true, force: true }))
    const file = join(folder, 'ggml-base.bin')
    writeFileSync(file, ggml)
    const weights = await bring(`file:${file}`, await openContext('http://127.0.0.1:9'))
    expect(weights.outside).toEqual([file])
    expect(readFileSync(weights.path).equals(ggml)).toBe(true)
    const beside = join(await temporaryFolder(), 'ggml-base.bin')
    writeFileSync(beside, ggml)
    const here = await bring(`file:${beside}`, await openContext('http://127.0.0.1:9'))
    expect(here.outside).toEqual([])
  },
)

test('a cache of Hugging Face names the commit that was pulled', async () => {
  const each = cases.find(({ engine }) => engine === 'speaches') as Case
  const files = { 'config.json': textContent('{}'), 'model.bin': bytesContent(ctranslate2) }
  const vocabulary = { 'vocabulary.json': textContent('[]') }
  const hub = await startTestHub({
    repositories: { 'o/r': { files: { ...files, ...vocabulary } } },
  })
  cleanups.push(() => hub.close())
  const weights = await bring('hf:o/r', await openContext(hub.url))
  expect(weights.path).toBe(join(weights.root, 'models--o--r', 'snapshots', commit))
  expect(planOf(each, weights).servedName).toBe('o/r')
})
