import type { Problem } from '#core/device.ts'
import { naming, type Rule } from '#hardware/doctor/rule.ts'

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
      fix: 'Mend what is said above or below about this GPU; "motley detect" shows when it is usable. Run "motley detect --timeout 30" if a tool was only slow.',
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
