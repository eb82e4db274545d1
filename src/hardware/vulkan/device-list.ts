/**
 * `llama-server --list-devices`, for machines where llama.cpp is all there is:
 *
 *   Vulkan0: AMD Radeon RX 7900 XTX (RADV NAVI31) (24560 MiB, 24000 MiB free)
 *   ggml_vulkan: 0 = Microsoft Direct3D12 (Adreno X1-85) (Dozen) | uma: 1 | fp16: 1 | …
 */
import type { PartialDevice } from '#hardware/probe.ts'
import { gpuBytes, indexIn, nameIn } from '#hardware/probe-fields.ts'
import { vendorOf } from '#hardware/vulkan/vendor.ts'

// Names hold brackets themselves, so a line is read from its right end.
const deviceLine = /^\s*([A-Za-z]+)(\d+): (.+) \((\d+) MiB, (\d+) MiB free\)\s*$/
const vulkanLine = /^ggml_vulkan: (\d+) = (.+) \(([^()]+)\) \| uma: ([01]) \|/

export function readDeviceList(text: string): PartialDevice[] {
  const lines = text.split(/\r?\n/)
  const started = lines.flatMap((line): PartialDevice[] => {
    const match = vulkanLine.exec(line)
    if (match === null) return []
    const name = nameIn(match[2])
    const integrated = match[4] === '1'
    return [
      {
        vendor: vendorOf(null, name),
        identity: { numbers: [`vulkan:${match[1]}`] },
        vulkanIndex: indexIn(match[1]),
        name,
        integrated,
        unifiedMemory: integrated,
        runtimes: { vulkan: null },
      },
    ]
  })
  const listed = lines.flatMap((line) => readLine(line) ?? [])
  return listed.length > 0 ? listed : started
}

function readLine(line: string): PartialDevice | null {
  const match = deviceLine.exec(line)
  const [, backend = '', number, nameText, total, free] = match ?? []
  const name = nameIn(nameText)
  const totalBytes = gpuBytes(total)
  if (name === null || !totalBytes || !/^(Vulkan|MTL|Metal|CUDA|ROCm|HIP|SYCL)$/.test(backend)) {
    return null
  }
  const freeBytes = gpuBytes(free)
  const usedBytes = freeBytes === null || freeBytes > totalBytes ? null : totalBytes - freeBytes
  const index = indexIn(number)
  if (backend === 'MTL' || backend === 'Metal') {
    // Metal tells the most it lets a program hold, which is a share of the memory.
    return {
      vendor: 'apple',
      identity: { numbers: ['metal:0'] },
      index,
      name,
      integrated: true,
      unifiedMemory: true,
      memory: { limitBytes: totalBytes },
    }
  }
  return {
    vendor: vendorOf(null, name),
    identity: { numbers: [`${backend.toLowerCase()}:${number}`] },
    index: backend === 'Vulkan' ? null : index,
    vulkanIndex: backend === 'Vulkan' ? index : null,
    name,
    memory: { dedicated: { totalBytes, usedBytes } },
    runtimes: backend === 'Vulkan' ? { vulkan: null } : {},
  }
}
