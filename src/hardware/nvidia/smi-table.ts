/**
 * Plain `nvidia-smi`: a table drawn for people. The last resort of its tools, because long names are
 * cut; but inside a container that holds one MIG instance only it knows the instance's memory.
 */
import type { MemoryUser } from '#core/device.ts'
import { withMigOn } from '#hardware/nvidia/smi-log.ts'
import type { PartialDevice } from '#hardware/probe.ts'
import {
  busIdIn,
  celsiusIn,
  countIn,
  gpuBytes,
  indexIn,
  nameIn,
  percentIn,
  versionIn,
  wattsIn,
} from '#hardware/probe-fields.ts'

export interface SmiTable {
  readonly driverVersion: string | null
  readonly cudaVersion: string | null
  readonly devices: readonly PartialDevice[]
  /** Processes of each GPU, by its index. */
  readonly users: ReadonlyMap<number, readonly MemoryUser[]>
}

const gpuRow =
  /^\|\s*(\d+)\s{2,}(.+?)\s+(?:On|Off|N\/A|WDDM|TCC|MCDM)\s*\|\s*([0-9A-Fa-f:.]+)\s+\S+\s*\|/
const factsRow =
  /^\|\s*\S+\s+(\S+)\s+\S+\s+(\S+)\s*\/\s*(\S+)\s*\|\s*(.*?)\s*\|\s*(\S+)\s+(.*?)\s*\|/
const migRow =
  /^\|\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\|\s*(\d+\s*MiB)\s*\/\s*(\d+\s*MiB)\s*\|\s*(\d+)/
const processRow =
  /^\|\s*(\d+)\s+(\S+)\s+(\S+)\s+(\d+)\s+(C\+G|C|G)\s+(.+?)\s+(\d+\s*MiB|N\/A)\s*\|/

export function readSmiTable(text: string): SmiTable {
  const lines = text.split(/\r?\n/)
  const gpus: { gpu: PartialDevice; mig: boolean }[] = []
  const instances: PartialDevice[] = []
  const users = new Map<number, MemoryUser[]>()
  for (const [line, row] of lines.entries()) {
    const seen = gpuRow.exec(row)
    if (seen !== null) {
      const facts = factsRow.exec(lines[line + 1] ?? '')
      const mig = /\|\s*Enabled\s*\|\s*$/.test(lines[line + 2] ?? '')
      gpus.push({ gpu: gpuOf(seen, facts), mig })
      continue
    }
    const slice = migRow.exec(row)
    if (slice !== null) instances.push(instanceOf(slice, gpus))
    const process = processRow.exec(row)
    if (process !== null) addUser(users, process)
  }
  const [driver, cuda] = [
    /(?:Driver|KMD) Version:\s*(\S+)/.exec(text)?.[1],
    /CUDA (?:UMD )?Version:\s*(\S+)/.exec(text)?.[1],
  ]
  return {
    driverVersion: versionIn(driver),
    cudaVersion: versionIn(cuda),
    devices: [...gpus.map(({ gpu, mig }) => (mig ? withMigOn(gpu) : gpu)), ...instances],
    users,
  }
}

function gpuOf(row: RegExpExecArray, facts: RegExpExecArray | null): PartialDevice {
  const index = indexIn(row[1])
  const bus = busIdIn(row[3])
  const [used, total] = (facts?.[4] ?? '').split('/')
  const totalBytes = gpuBytes(total)
  return {
    vendor: 'nvidia',
    identity: { bus, numbers: [`nvidia-smi:${index}`] },
    index,
    name: nameIn(row[2]?.replace(/\s*\.{3}$/, '…')),
    memory: {
      dedicated: totalBytes === null ? null : { totalBytes, usedBytes: gpuBytes(used) },
    },
    temperatureCelsius: celsiusIn(facts?.[1]),
    powerWatts: wattsIn(facts?.[2]),
    powerLimitWatts: wattsIn(facts?.[3]),
    utilizationRatio: percentIn(facts?.[5]),
    ...([...row, ...(facts ?? [])].some((cell) => cell === 'ERR!')
      ? { blockedBecause: 'the driver answers ERR! for it' }
      : {}),
    ...(facts?.[6] === 'Prohibited' ? { blockedBecause: 'its compute mode is Prohibited' } : {}),
  }
}

function instanceOf(
  row: RegExpExecArray,
  gpus: readonly { readonly gpu: PartialDevice }[],
): PartialDevice {
  const index = indexIn(row[1])
  const gpu = gpus.find((one) => one.gpu.index === index)?.gpu
  const totalBytes = gpuBytes(row[6])
  return {
    vendor: 'nvidia',
    identity: { numbers: [`mig:${index}/${row[4]}`] },
    index,
    name: gpu?.name ?? null,
    parent: gpu?.identity.bus ?? null,
    busId: gpu?.identity.bus ?? null,
    integrated: false,
    memory: {
      dedicated: totalBytes === null ? null : { totalBytes, usedBytes: gpuBytes(row[5]) },
    },
    computeUnits: countIn(row[7], 1e4),
  }
}

function addUser(users: Map<number, MemoryUser[]>, row: RegExpExecArray): void {
  const [, gpu, , , pidText, , name, used] = row
  const [index, pid] = [indexIn(gpu), countIn(pidText, 2 ** 31)]
  if (index === null || pid === null) return
  const list = users.get(index) ?? []
  list.push({ pid, name: nameIn(name), usedMemoryBytes: gpuBytes(used) })
  users.set(index, list)
}
