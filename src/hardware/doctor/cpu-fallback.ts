import { type Problem, unknownMemory, type Vendor } from '#core/device.ts'
import { naming, type Rule } from '#hardware/doctor/rule.ts'

/** Where each vendor tells how much memory a GPU has. */
const sizeCommands: Readonly<Record<Vendor, string>> = {
  nvidia: 'Ask the driver: nvidia-smi --query-gpu=index,name,memory.total --format=csv',
  amd: 'Ask the driver: cat /sys/class/drm/card*/device/mem_info_vram_total, or amd-smi static --vram',
  apple: 'Ask macOS: sysctl hw.memsize',
  intel: 'Ask the driver: xpu-smi discovery -d 0, or clinfo | grep -i "global memory size"',
  cpu: 'Ask the kernel: grep MemTotal /proc/meminfo',
  other: 'Ask Vulkan: vulkaninfo | grep -A 3 memoryHeaps',
}

/** Everything that makes an engine compute on the CPU without anybody having asked for it. */
export const cpuFallback: Rule = ({ inventory }) => {
  const gpus = inventory.devices.filter(({ vendor }) => vendor !== 'cpu')
  const usable = gpus.filter(({ schedulable }) => schedulable)
  if (usable.length > 0 || inventory.devices.length === 0) return []
  const [first] = gpus
  if (first === undefined) {
    return [
      {
        severity: 'note',
        what: 'No GPU was found: models will run on the CPU.',
        why: 'That is right for a CPU node, and 10 to 100 times slower than expected on any other.',
        fix: 'If there is a GPU, look for it with "lspci -nn | grep -Ei \'vga|3d|display|accel\'" and install its driver.',
      },
    ]
  }
  return [
    {
      severity: 'error',
      what: `${naming(gpus)} ${gpus.length === 1 ? 'is' : 'are'} there and cannot be used: ${first.reason}.`,
      why: 'Models that are placed here run on the CPU, 10 to 100 times slower, and answers still come: nobody notices.',
      fix:
        first.memoryBytes === null && first.reason === unknownMemory
          ? `${sizeCommands[first.vendor]}. Mend what it complains about, then look with "motley detect".`
          : 'Mend what is said about this GPU here, then look with "motley detect".',
    },
  ]
}

/** Instruction sets that engines for CPUs are built for. */
export const cpuFeatures: Rule = ({ inventory }) => {
  const cpu = inventory.devices.find(({ vendor }) => vendor === 'cpu')
  // Without any feature nobody has told them; every x86 CPU of this century has some.
  if (cpu?.architecture !== 'x86_64' || cpu.features.length === 0) return []
  return cpu.features.includes('avx2') ? [] : [noAvx2(cpu.name)]
}

function noAvx2(name: string): Problem {
  return {
    severity: 'warning',
    what: `The CPU (${name}) has no AVX2.`,
    why: 'Published builds of llama.cpp and vLLM for CPUs need it and end with "Illegal instruction".',
    fix: 'Use this node for its GPUs only, or build llama.cpp here: cmake -B build -DGGML_NATIVE=ON && cmake --build build',
  }
}
