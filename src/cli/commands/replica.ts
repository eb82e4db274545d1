import { existsSync } from 'node:fs'
import { basename, resolve } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import type { Command } from 'commander'
import { z } from 'zod'
import { launchBackends, launchEngines } from '#agent/launch-words.ts'
import { askController } from '#cli/admin-client.ts'
import { readReference } from '#cli/catalog-hint.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import { contextOf, kvCacheTypesOf, slotsOf } from '#cli/count.ts'
import { weightsDirectory } from '#cli/data-directory.ts'
import { fleetHeaders } from '#cli/fleet-headers.ts'
import {
  nodesAnswer,
  replicaAnswer,
  replicaInfoText,
  replicasAnswer,
  replicasText,
} from '#cli/fleet-text.ts'
import { type GatewayOptions, withGatewayOptions } from '#cli/gateway-client.ts'
import { numberOf } from '#cli/load-values.ts'
import { findModel } from '#cli/model-names.ts'
import { logLine, printJson } from '#cli/terminal.ts'
import { openStore } from '#weights/store.ts'

const stopAnswer = z.object({
  replica: z.string(),
  deployment: z.string().nullable().default(null),
})

interface StartFlags extends GatewayOptions {
  readonly node?: string
  readonly name?: string
  readonly engine?: string
  readonly backend?: string
  readonly context?: string
  readonly slots?: string
  readonly kvCacheType?: string
  readonly offload?: string
  readonly container?: boolean
  readonly json?: boolean
}

const replicaMeaning = 'its id, or as much of its beginning as no other has'

export function addReplicasCommand(program: Command): void {
  withGatewayOptions(program.command('replicas'))
    .description('Show the replicas of the fleet: where each runs and how it is.')
    .option('--json', 'print all that is known of each')
    .action(async ({ json, ...gateway }: GatewayOptions & { json?: boolean }) => {
      const answer = await askController('/admin/v1/replicas', gateway)
      if (json) printJson(answer)
      else console.log(replicasText(replicasAnswer.parse(answer)))
    })
}

export function addReplicaCommand(program: Command): void {
  const replica = program.command('replica').description('Start, stop and look into replicas.')
  withGatewayOptions(replica.command('start'))
    .description('Run a model on a node: its weights are brought there, an engine is chosen.')
    .argument('<weights>', 'a GGUF file, or hf:…, https:…, file:… (see "motley model --help")')
    .option('--node <node>', 'where (default: the only one there is)')
    .option('--name <name>', 'what clients call the model (default: from the weights)')
    .option('--engine <engine>', 'with this engine, and no other')
    .option('--backend <backend>', 'on cuda, rocm, metal, vulkan, level-zero or cpu')
    .option('--context <tokens>', 'longest prompt plus answer, as 8192 or 8k (default 8k)')
    .option('--slots <count>', 'requests at a time (default 4)')
    .option('--kv-cache-type <type>', 'keep the KV cache in it: f16, fp8, q8_0 or q4_0')
    .option('--offload <layers>', 'leave so many layers to the CPU, which is many times slower')
    .option('--container', 'in a container of Docker or Podman')
    .option('--json', 'print what was started as JSON')
    .action(start)
  withGatewayOptions(replica.command('stop'))
    .description('End a replica. Its weights stay.')
    .argument('<replica>', replicaMeaning)
    .action(async (id: string, gateway: GatewayOptions) => {
      const answer = await askController(replicaPath(id), gateway, { method: 'DELETE' })
      const { replica, deployment } = stopAnswer.parse(answer)
      console.log(`${replica} finishes what it does, and ends`)
      if (deployment === null) return
      console.log(
        `"${deployment}" wants it: the next plan may start it again, where nothing needs its place more`,
      )
    })
  withGatewayOptions(replica.command('info'))
    .description('Say how a replica is, how it was started, and how it last ended.')
    .argument('<replica>', replicaMeaning)
    .option('--json', 'print JSON')
    .action(async (id: string, { json, ...gateway }: GatewayOptions & { json?: boolean }) => {
      const answer = await askController(replicaPath(id), gateway)
      if (json) printJson(answer)
      else console.log(replicaInfoText(replicaAnswer.parse(answer), Date.now()))
    })
  withGatewayOptions(replica.command('logs'))
    .description('Show what the engine of a replica wrote, the newest last.')
    .argument('<replica>', replicaMeaning)
    .option('-f, --follow', 'go on as it writes')
    .action(logs)
}

async function start(text: string, flags: StartFlags): Promise<void> {
  const { node, name, engine, backend, context, slots, container, json, ...more } = flags
  const { kvCacheType, offload, ...gateway } = more
  const source = await sourceOf(text)
  const replica = {
    model: name ?? nameOf(source),
    source,
    engine: oneOf(engine, '--engine', launchEngines),
    backend: oneOf(backend, '--backend', launchBackends),
    deviceIndexes: null,
    contextTokens: contextOf(context, '--context'),
    slots: slotsOf(slots),
    kind: container === true ? 'container' : 'native',
    extraArguments: [],
    ...kvCacheTypeFlag(kvCacheType),
    ...(await offloadFlag(offload, source, gateway)),
  }
  const body = { node: node ?? (await onlyNode(gateway)), replica }
  if (replica.contextTokens !== null) logLine(`reading what ${source} holds …`)
  const answer = await askController('/admin/v1/replicas', gateway, {
    ...{ method: 'POST', body },
    ...(replica.contextTokens === null ? {} : { withinMs: readWithinMs }),
  })
  const { id, model } = z.object({ id: z.string(), model: z.string() }).parse(answer)
  if (json) printJson(answer)
  else {
    console.log(`${id} is being started; clients ask it as "${model}"`)
    console.log(`"motley replica info ${id}" says how far it is`)
  }
}

/** What a model was trained for stands in the headers of its weights, which a node reads first. */
const readWithinMs = 160_000

async function logs(id: string, { follow, ...gateway }: GatewayOptions & { follow?: boolean }) {
  const page = z.object({ text: z.string(), nextOffset: z.number(), skippedBytes: z.number() })
  let after: number | null = null
  for (;;) {
    const query: string = after === null ? '' : `?after=${after}`
    const { text, nextOffset, skippedBytes } = page.parse(
      await askController(`${replicaPath(id)}/logs${query}`, gateway),
    )
    if (after !== null && skippedBytes > 0) logLine(`${skippedBytes} bytes were written too fast`)
    process.stdout.write(text)
    if (after === null && text === '') logLine('its engine has written nothing yet')
    if (follow !== true) return
    // A page that was full has another behind it.
    if (nextOffset === after || after === null) await setTimeout(followMs)
    after = nextOffset
  }
}

/** Soon enough for somebody who reads along. */
const followMs = 700

export function addBenchmarkCommand(program: Command): void {
  withGatewayOptions(program.command('benchmark'))
    .description('Measure how fast a replica is, alone and with several requests at a time.')
    .argument('[replica]', `${replicaMeaning}; left out: the only one that is ready`)
    .option('--json', 'print JSON')
    .action(
      async (id: string | undefined, { json, ...gateway }: GatewayOptions & { json?: boolean }) => {
        const { benchmarkAnswer, benchmarkText } = await import('#cli/fleet-text.ts')
        const replica = id ?? (await onlyReplica(gateway))
        if (process.stderr.isTTY) logLine(`measuring ${replica}: a minute or two`)
        const answer = await askController(`${replicaPath(replica)}/benchmark`, gateway, {
          method: 'POST',
          withinMs: 16 * 60_000,
        })
        if (json) printJson(answer)
        else console.log(benchmarkText(benchmarkAnswer.parse(answer)))
      },
    )
}

async function onlyNode(gateway: GatewayOptions): Promise<string> {
  const answer = nodesAnswer.parse(await askController('/admin/v1/nodes', gateway))
  const nodes = answer.nodes.filter(({ inventory }) => inventory?.isRecording !== true)
  const [only] = nodes
  if (only !== undefined && nodes.length === 1) return only.name
  throw new CommandFailure(
    'wrong',
    nodes.length === 0
      ? 'no machine has joined yet: "motley token create" says how one does'
      : `say where with --node: ${nodes.map(({ name }) => name).join(', ')}`,
  )
}

async function onlyReplica(gateway: GatewayOptions): Promise<string> {
  const { replicas } = replicasAnswer.parse(await askController('/admin/v1/replicas', gateway))
  const ready = replicas.filter(({ reported }) => reported?.state === 'ready')
  const [only] = ready
  if (only !== undefined && ready.length === 1) return only.spec.id
  throw new CommandFailure(
    'wrong',
    ready.length === 0
      ? 'no replica is ready: "motley replicas" says how they are, "motley replica start" starts one'
      : `say which: ${ready.map(({ spec }) => spec.id).join(', ')}`,
  )
}

function kvCacheTypeFlag(text: string | undefined) {
  const [kvCacheType, ...others] = kvCacheTypesOf(text, '--kv-cache-type') ?? []
  if (others.length > 0) throw new CommandFailure('wrong', '--kv-cache-type takes one type')
  return kvCacheType === undefined ? {} : { kvCacheType }
}

/** How many layers there are stands in the headers, which a machine of the fleet reads. */
async function offloadFlag(text: string | undefined, source: string, gateway: GatewayOptions) {
  if (text === undefined) return {}
  const layersOnHost = numberOf(text, '--offload', { whole: true })
  const { [source]: read } = await fleetHeaders([source], gateway)
  const layerCount = read?.facts?.layerCount ?? null
  if (layerCount === null) {
    throw new CommandFailure('no', `--offload: nobody could read how many layers ${source} has`)
  }
  if (layersOnHost >= layerCount) {
    throw new CommandFailure(
      'wrong',
      `--offload takes at most ${layerCount - 1} of its ${layerCount} layers; all of them are --backend cpu`,
    )
  }
  return { offload: { layerCount, layersOnHost, expertLayersOnHost: 0 } }
}

function replicaPath(id: string): string {
  return `/admin/v1/replicas/${encodeURIComponent(id)}`
}

function nameOf(weights: string): string {
  const last = basename(weights.replace(/[#?].*$/, '')).replace(/\.gguf$/i, '')
  return last.replace(/:[^:]*$/, '').replace(/-GGUF$/i, '') || 'model'
}

function oneOf(
  text: string | undefined,
  option: string,
  allowed: readonly string[],
): string | null {
  if (text === undefined) return null
  if (allowed.includes(text)) return text
  throw new CommandFailure('wrong', `${option} takes one of ${allowed.join(', ')}, not "${text}"`)
}

/**
 * A path of this machine, a model that is here as "motley model ls" shows it, or a reference that
 * the node resolves.
 * @throws {CommandFailure}
 */
async function sourceOf(text: string): Promise<string> {
  if (existsSync(text)) return `file:${resolve(text)}`
  const isReference = /^(hf|https?|file|node):/.test(text)
  const here = isReference ? null : findModel(await openStore(weightsDirectory()).models(), text)
  if (here !== null) return here.reference
  if (!isReference && /\.gguf$|^[./~]/.test(text)) {
    throw new CommandFailure('wrong', `there is no file ${resolve(text)}`)
  }
  readReference(text)
  return text
}
