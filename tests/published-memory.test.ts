/**
 * What Motley reckons beside what others measured: every run of `fixtures/models/published.json`. The
 * table is a golden file, so that a change of the arithmetic shows what it does to each of them.
 */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Backend } from '#core/engine-build.ts'
import { engineCatalog } from '#engines/index.ts'
import type { MemoryNeed, MemoryTerm } from '#placement/fit.ts'
import { estimateMemory } from '#placement/memory/estimate-memory.ts'
import { catalogVariant } from '#weights/catalog/model-catalog.ts'

interface Measured {
  readonly model: string
  readonly quant: string
  readonly engine: string
  readonly weights_gpu_mib?: number | readonly number[]
  readonly weights_cpu_mib?: number
  readonly kv_mib?: number | readonly number[]
  readonly compute_gpu_mib?: number | readonly number[]
  readonly compute_host_mib?: number
  readonly total_gpu_mib?: number
  readonly gtt_peak_mib?: number
  readonly gtt_baseline_mib?: number
}

const measured: readonly Measured[] = JSON.parse(
  readFileSync('fixtures/models/published.json', 'utf8'),
).measured_memory

const mebibyte = 2 ** 20
const list = (value: number | readonly number[] | undefined): readonly number[] =>
  value === undefined ? [] : typeof value === 'number' ? [value] : value

interface Row {
  readonly what: string
  readonly of: string
  readonly measuredMib: number
  readonly estimatedMib: number
}

/** One line for each figure of a run. */
function rowsOf(run: Measured): readonly Row[] {
  const [, count = '1'] = /(\d) GPUs/.exec(run.engine) ?? []
  const contextTokens = Number(
    /ctx (\d+)/.exec(run.engine)?.[1] ?? /pp(\d+)/.exec(run.engine)?.[1] ?? 8_192,
  )
  const isUnified = run.gtt_peak_mib !== undefined
  const backend: Backend = /Metal/.test(run.engine)
    ? 'metal'
    : /Vulkan/.test(run.engine)
      ? 'vulkan'
      : /ROCm/.test(run.engine)
        ? 'rocm'
        : 'cuda'
  const need = needOf(run, backend, Number(count), contextTokens, isUnified)
  const what = `${run.model} ${run.quant}`
  const where = `${backend} ${contextTokens}`
  const row = (of: string, measuredMib: number, bytes: number): Row => ({
    what,
    of: `${where} ${of}`,
    measuredMib,
    estimatedMib: bytes / mebibyte,
  })
  if (run.gtt_peak_mib !== undefined) {
    const [device] = need.devices
    const taken = run.gtt_peak_mib - (run.gtt_baseline_mib ?? 0)
    return [row('all', taken, device?.needBytes ?? 0)]
  }
  const parts = [
    ['weights', 'weights', list(run.weights_gpu_mib)],
    ['KV cache', 'kv-cache', list(run.kv_mib)],
    ['compute', 'compute', list(run.compute_gpu_mib)],
  ] as const
  const rows = parts.flatMap(([title, name, values]) =>
    values.map((value, index) =>
      row(
        values.length > 1 ? `${title} ${index}` : title,
        value,
        bytesOf(need.devices[index]?.terms ?? [], name),
      ),
    ),
  )
  if (run.weights_cpu_mib !== undefined) {
    rows.push(row('host weights', run.weights_cpu_mib, bytesOf(need.hostTerms, 'weights')))
  }
  if (run.compute_host_mib !== undefined) {
    rows.push(row('host compute', run.compute_host_mib, bytesOf(need.hostTerms, 'compute')))
  }
  return rows
}

function bytesOf(terms: readonly MemoryTerm[], name: MemoryTerm['name']): number {
  return terms.filter((term) => term.name === name).reduce((sum, { bytes }) => sum + bytes, 0)
}

function needOf(
  run: Measured,
  backend: Backend,
  deviceCount: number,
  contextTokens: number,
  isUnified: boolean,
): MemoryNeed {
  const engine = engineCatalog.find(({ id }) => id === 'llama-server')
  const quantization = run.quant === 'F16' && run.model.startsWith('gpt-oss') ? 'MXFP4' : run.quant
  const facts = catalogVariant(run.model, quantization)?.facts
  if (engine === undefined || !facts) throw new Error(`${run.model} ${run.quant} is not known`)
  return estimateMemory({
    facts,
    engine: engine.memory,
    backend,
    devices: Array.from({ length: deviceCount }, (_, index) => ({
      id: `d${index}`,
      totalBytes: 2 ** 40,
      usableBytes: 2 ** 40,
      sharesHostMemory: isUnified,
    })),
    contextTokens,
    slots: 1,
    kvCacheType: 'f16',
    flashAttention: isUnified,
    memoryFraction: null,
    tensorParallel: 1,
    offload: null,
  })
}

const rows = measured.flatMap(rowsOf)
const errorOf = ({ measuredMib, estimatedMib }: Row) => estimatedMib / measuredMib - 1

/** What a device takes in all is what placement promises; a single buffer may be off by more. */
const isWhole = ({ of }: Row) => of.endsWith(' all')

test('the table of estimates beside measurements', async () => {
  const line = (...cells: readonly string[]) =>
    `${cells[0]?.padEnd(34)}${cells[1]?.padEnd(24)}${cells
      .slice(2)
      .map((cell) => cell.padStart(10))
      .join('')}`
  const lines = rows.map((row) =>
    line(
      row.what,
      row.of,
      row.measuredMib.toFixed(1),
      row.estimatedMib.toFixed(1),
      `${(100 * errorOf(row)).toFixed(1).replace(/^-(0.0)$/, '$1')} %`,
    ),
  )
  const head = line('MODEL', 'WHAT, IN MIB', 'MEASURED', 'RECKONED', 'ERROR')
  await expect(`${[head, ...lines].join('\n')}\n`).toMatchFileSnapshot(
    '../fixtures/models/estimates.txt',
  )
})

test('every published total is met within 10 percent', () => {
  const wholes = rows.filter(isWhole)
  expect(wholes).toHaveLength(11)
  for (const row of wholes) {
    expect(Math.abs(errorOf(row)), `${row.what} ${row.of}`).toBeLessThanOrEqual(0.1)
  }
})

test('weights and KV cache are met to a thousandth, on each of several devices too', () => {
  const exact = rows.filter(({ of }) => /weights|KV cache/.test(of))
  expect(exact.length).toBeGreaterThan(10)
  for (const row of exact) {
    expect(Math.abs(errorOf(row)), `${row.what} ${row.of}`).toBeLessThanOrEqual(0.001)
  }
})

test('compute buffers are met to the last digit that logs print', () => {
  for (const row of rows.filter(({ of }) => of.includes('compute'))) {
    expect(Math.abs(errorOf(row)), `${row.what} ${row.of}`).toBeLessThanOrEqual(0.005)
  }
})
