/** The short answers of nvidia-smi: -L, --version, topo -m, nvlink -s. */
import type { DeviceLink } from '#core/device.ts'
import type { PartialDevice } from '#hardware/probe.ts'
import { indexIn, nameIn, numberIn, versionIn, withoutAnsi } from '#hardware/probe-fields.ts'

/** `-L`: each GPU, and below it its MIG instances. */
export function readList(text: string): PartialDevice[] {
  const devices: PartialDevice[] = []
  let gpu: PartialDevice | null = null
  for (const line of text.split(/\r?\n/)) {
    const whole = /^GPU (\d+): (.+?) \(UUID: (GPU-[0-9a-f-]+)\)/i.exec(line)
    if (whole !== null) {
      const [index, uuid] = [indexIn(whole[1]), whole[3] ?? null]
      const identity = { uuid, numbers: [`nvidia-smi:${index}`] }
      gpu = { vendor: 'nvidia', identity, index, name: nameIn(whole[2]) }
      devices.push(gpu)
      continue
    }
    const slice = /^\s+MIG (\S+)\s+Device\s+(\d+): \(UUID: (MIG-[0-9a-zA-Z/-]+)\)/.exec(line)
    if (slice === null || gpu === null) continue
    devices.push({
      vendor: 'nvidia',
      identity: { uuid: slice[3] ?? null, numbers: [`mig:${gpu.index}/${indexIn(slice[2])}`] },
      index: gpu.index ?? null,
      name: gpu.name ?? null,
      partition: slice[1] ?? null,
      parent: gpu.identity.uuid ?? null,
      integrated: false,
    })
  }
  return devices
}

export interface SmiVersions {
  readonly driverVersion: string | null
  readonly cudaVersion: string | null
}

/** `--version`; from driver 595 on the version moves to lines of other names. */
export function readVersions(text: string): SmiVersions {
  const line = (pattern: RegExp): string | null => versionIn(pattern.exec(text)?.[1])
  return {
    driverVersion:
      line(/^KMD version\s*:\s*(\S+)/im) ??
      line(/^DRIVER version\s*:\s*(\S+)/im) ??
      line(/^NVIDIA-SMI version\s*:\s*(\S+)/im),
    cudaVersion: line(/^CUDA (?:UMD )?Version\s*:\s*(\S+)/im),
  }
}

/** `topo -m`: how each GPU reaches each other one, and its NUMA node. */
export function readTopology(text: string): PartialDevice[] {
  const lines = withoutAnsi(text).split(/\r?\n/)
  const at = lines.findIndex(
    (line) => /^\s*GPU\d+\b/.test(line) && !/^GPU\d+\s+\S*X/.test(line.trim()),
  )
  const tabs = (lines[at] ?? '').includes('\t')
  const cells = (line: string): string[] =>
    (tabs ? line.split('\t') : line.trim().split(/\s{2,}|\s(?=X\s)/)).map((cell) => cell.trim())
  const titles = cells(lines[at] ?? '')
  const header = tabs ? titles : ['', ...titles]
  if (at < 0) return []
  return lines.slice(at + 1).flatMap((line): PartialDevice[] => {
    const row = cells(line)
    const index = indexIn(/^GPU(\d+)$/.exec(row[0] ?? '')?.[1])
    if (index === null) return []
    const links = header.flatMap((title, column): DeviceLink[] => {
      const peerIndex = indexIn(/^GPU(\d+)$/.exec(title)?.[1])
      const detail = row[column] ?? ''
      const known = /^(NV\d{1,2}|PIX|PXB|PHB|NODE|SYS|SOC)$/.test(detail)
      if (peerIndex === null || peerIndex === index || !known) return []
      return [{ peerIndex, kind: detail.startsWith('NV') ? 'nvlink' : 'pcie', detail }]
    })
    const numa = row[header.indexOf('NUMA Affinity')]
    return [
      {
        vendor: 'nvidia',
        identity: { numbers: [`nvidia-smi:${index}`] },
        index,
        links,
        numaNode: /^\d+$/.test(numa ?? '') ? indexIn(numa) : null,
      },
    ]
  })
}

/** `nvlink -s`: the links of a GPU and their speed, without what is at their other end. */
export function readNvlink(text: string): PartialDevice[] {
  const speeds = new Map<number, { uuid: string | null; gigabytes: number[] }>()
  let current: { uuid: string | null; gigabytes: number[] } | null = null
  for (const line of text.split(/\r?\n/)) {
    const gpu = /^GPU (\d+): .*\(UUID: (GPU-[0-9a-f-]+)\)/i.exec(line)
    const index = indexIn(gpu?.[1])
    if (gpu !== null && index !== null) {
      current = { uuid: gpu[2] ?? null, gigabytes: [] }
      speeds.set(index, current)
    }
    const speed = numberIn(/^\s*Link \d+: ([\d.]+) GB\/s/.exec(line)?.[1])
    if (speed !== null && speed > 0 && speed < 1_000) current?.gigabytes.push(speed)
  }
  return [...speeds].flatMap(([index, { uuid, gigabytes }]): PartialDevice[] => {
    if (gigabytes.length === 0) return []
    const detail = `${gigabytes.length} × ${gigabytes[0]} GB/s`
    return [
      {
        vendor: 'nvidia',
        identity: { uuid, numbers: [`nvidia-smi:${index}`] },
        index,
        links: [{ peerIndex: null, kind: 'nvlink', detail }],
      },
    ]
  })
}
