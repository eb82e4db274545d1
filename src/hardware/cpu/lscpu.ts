/** lscpu as text or JSON, and /proc/cpuinfo: names, cores and instruction sets of the CPU. */
import { countIn, fieldsOf, listOf, nameIn, numberIn } from '#hardware/probe-fields.ts'
import { parseJson } from '#std/parse-json.ts'

export interface CpuFacts {
  readonly name: string | null
  readonly architecture: string | null
  /** Physical cores; null when only threads are told. */
  readonly cores: number | null
  readonly threads: number | null
  readonly flags: readonly string[]
  readonly numaNodes: number | null
}

type Pair = readonly [name: string, value: string]

/** Null when this is no answer of lscpu in the C locale. */
export function readLscpu(text: string): CpuFacts | null {
  const json = listOf(fieldsOf(parseJson(text))['lscpu'])
  const pairs = json.length > 0 ? jsonPairs(json, 0) : textPairs(text)
  if (!pairs.some(([name]) => name === 'CPU(s)' || name === 'Model name')) return null
  const value = (name: string): string | undefined => pairs.find(([one]) => one === name)?.[1]
  // A CPU with big and small cores has a section for each kind.
  const sections = sectionsOf(pairs)
  const names = sections.flatMap((section) => nameIn(section.get('Model name')) ?? [])
  const flags = (value('Flags') ?? '').split(/\s+/).filter(Boolean)
  return {
    name: nameIn([...new Set(names)].join(' + ')),
    architecture: nameIn(value('Architecture')) ?? architectureBy(value('Vendor ID'), flags),
    cores: coresOf(sections),
    threads: countIn(value('CPU(s)'), 1e5),
    flags,
    numaNodes: countIn(value('NUMA node(s)'), 4_095),
  }
}

function textPairs(text: string): Pair[] {
  return text.split(/\r?\n/).flatMap((line) => {
    const match = /^\s*([A-Z][^:]*):\s+(.*)$/.exec(line)
    return match === null ? [] : [[match[1] ?? '', match[2] ?? ''] as const]
  })
}

/** Newer releases nest fields in `children`. */
function jsonPairs(entries: readonly unknown[], depth: number): Pair[] {
  if (depth > 8) return []
  return entries.flatMap((entry): Pair[] => {
    const { field, data, children } = fieldsOf(entry)
    const own: Pair[] =
      typeof field === 'string' && typeof data === 'string' ? [[field.replace(/:$/, ''), data]] : []
    return [...own, ...jsonPairs(listOf(children), depth + 1)]
  })
}

function sectionsOf(pairs: readonly Pair[]): Map<string, string>[] {
  const sections: Map<string, string>[] = []
  for (const [name, value] of pairs) {
    if (name === 'Model name') sections.push(new Map())
    const section = sections.at(-1)
    if (section !== undefined && !section.has(name)) section.set(name, value)
  }
  return sections
}

function coresOf(sections: readonly ReadonlyMap<string, string>[]): number | null {
  const counts = sections.map((section) => {
    const perSocket = numberIn(section.get('Core(s) per socket'))
    const sockets = numberIn(section.get('Socket(s)')) ?? numberIn(section.get('Cluster(s)'))
    return perSocket === null || sockets === null ? null : perSocket * sockets
  })
  const total = counts.reduce<number>((sum, count) => sum + (count ?? 0), 0)
  return countIn(total || null, 1e5)
}

function architectureBy(vendor: string | undefined, flags: readonly string[]): string | null {
  if (/GenuineIntel|AuthenticAMD/.test(vendor ?? '')) return 'x86_64'
  return flags.includes('asimd') ? 'aarch64' : null
}

/** Null when it names no CPU, as the one of many ARM boards. */
export function readCpuinfo(text: string): CpuFacts | null {
  const blocks = text
    .split(/\n\s*\n/)
    .map(
      (block) =>
        new Map(
          [...block.matchAll(/^([^:\t]+?)\s*: ?(.*)$/gm)].map(
            ([, name = '', value = '']) => [name, value.trim()] as const,
          ),
        ),
    )
  const cpus = blocks.filter((block) => block.has('processor'))
  const first = cpus[0]
  if (first === undefined) return null
  const flags = (first.get('flags') ?? first.get('Features') ?? '').split(/\s+/).filter(Boolean)
  const cores = new Set(
    cpus.flatMap((cpu) =>
      cpu.has('core id') ? [`${cpu.get('physical id') ?? 0}/${cpu.get('core id')}`] : [],
    ),
  )
  return {
    name: nameIn(first.get('model name')),
    architecture: architectureBy(first.get('vendor_id'), flags),
    // One block of many was recorded: then the CPU itself says how many cores a socket has.
    cores: cpus.length > 1 ? cores.size || null : countIn(first.get('cpu cores'), 1e5),
    threads: cpus.length > 1 ? cpus.length : countIn(first.get('siblings'), 1e5),
    flags,
    numaNodes: null,
  }
}

/** The instruction sets that engines ask for, by the kernel's name of each. */
const featureNames: Readonly<Record<string, string>> = {
  sse4_2: 'sse4_2',
  avx: 'avx',
  avx2: 'avx2',
  fma: 'fma',
  f16c: 'f16c',
  avx_vnni: 'avx_vnni',
  avx512f: 'avx512f',
  avx512bw: 'avx512bw',
  avx512vl: 'avx512vl',
  avx512_vnni: 'avx512_vnni',
  avx512_bf16: 'avx512_bf16',
  avx512_fp16: 'avx512_fp16',
  amx_tile: 'amx_tile',
  amx_int8: 'amx_int8',
  amx_bf16: 'amx_bf16',
  asimd: 'neon',
  asimddp: 'dotprod',
  i8mm: 'i8mm',
  bf16: 'bf16',
  sve: 'sve',
  sve2: 'sve2',
  sme: 'sme',
}

export function featuresOf(flags: readonly string[]): string[] {
  return [...new Set(flags.flatMap((flag) => featureNames[flag.toLowerCase()] ?? []))]
}

/** What `sysctl hw.optional` of a Mac calls them. */
export const macFeatureNames: Readonly<Record<string, string>> = {
  'hw.optional.neon': 'neon',
  'hw.optional.AdvSIMD': 'neon',
  'hw.optional.arm.FEAT_DotProd': 'dotprod',
  'hw.optional.arm.FEAT_I8MM': 'i8mm',
  'hw.optional.arm.FEAT_BF16': 'bf16',
  'hw.optional.arm.FEAT_SME': 'sme',
  'hw.optional.avx2_0': 'avx2',
  'hw.optional.avx512f': 'avx512f',
}
