/** system_profiler, as JSON or as text: the GPUs of a Mac, and its chip. */
import { countIn, fieldsOf, gpuBytes, listOf, nameIn, nodeBytes } from '#hardware/probe-fields.ts'
import { parseJson } from '#std/parse-json.ts'

export interface MacGpu {
  readonly name: string | null
  readonly cores: number | null
  /** Metal generation: "3", "4". */
  readonly metal: string | null
  /** Only cards have memory of their own; Apple's own GPUs tell none. */
  readonly memoryBytes: number | null
  readonly isApple: boolean
  readonly vendorName: string | null
  readonly pciDeviceId: string | null
}

export interface MacHardware {
  readonly chip: string | null
  readonly memoryBytes: number | null
}

export function readDisplays(text: string): MacGpu[] {
  const json = fieldsOf(parseJson(text))
  const listed = listOf(json['SPDisplaysDataType'])
  return listed.length > 0 ? listed.map((entry) => readDisplay(fieldsOf(entry))) : readText(text)
}

function readDisplay(fields: Readonly<Record<string, unknown>>): MacGpu {
  const vendor = nameIn(fields['spdisplays_vendor'])
  const name = nameIn(fields['sppci_model'])
  const metal = nameIn(fields['spdisplays_mtlgpufamilysupport'])
  return {
    name,
    cores: countIn(fields['sppci_cores'], 1e4),
    metal: /metal(\d+)/i.exec(metal ?? '')?.[1] ?? null,
    memoryBytes: gpuBytes(fields['spdisplays_vram'] ?? fields['_spdisplays_vram'], 'MiB'),
    isApple: /apple/i.test(vendor ?? '') || /^Apple /.test(name ?? ''),
    vendorName: vendor,
    pciDeviceId: nameIn(fields['spdisplays_device-id']),
  }
}

/** The text form: a block for each "Chipset Model:". */
function readText(text: string): MacGpu[] {
  return text
    .split(/^(?=[ \t]*Chipset Model: )/m)
    .slice(1)
    .map((block): MacGpu => {
      const line = (name: string): string | null =>
        nameIn(new RegExp(`^\\s*${name}: (.+)$`, 'm').exec(block)?.[1])
      const name = line('Chipset Model')
      const vendor = line('Vendor')
      return {
        name,
        cores: countIn(line('Total Number of Cores'), 1e4),
        metal: /Metal (\d+)/.exec(line('Metal Support') ?? '')?.[1] ?? null,
        memoryBytes: gpuBytes(line('VRAM \\(Total\\)'), 'MiB'),
        isApple: /apple/i.test(vendor ?? '') || /^Apple /.test(name ?? ''),
        vendorName: vendor,
        pciDeviceId: line('Device ID'),
      }
    })
}

export function readHardware(text: string): MacHardware | null {
  const entry = fieldsOf(listOf(fieldsOf(parseJson(text))['SPHardwareDataType'])[0])
  const chip = nameIn(entry['chip_type'])
  const memoryBytes = nodeBytes(entry['physical_memory'])
  return chip === null && memoryBytes === null ? null : { chip, memoryBytes }
}
