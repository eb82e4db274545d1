import type { Problem } from '#core/device.ts'
import { gpusOf, isOrAre, naming, type Rule } from '#hardware/doctor/rule.ts'

/**
 * GPUs that ROCm's libraries bring no kernels for, and the relative whose kernels they can run.
 * Source: facts collected from ROCm, Ollama and llama.cpp users; wrong values crash or hang.
 */
const relatives: Readonly<Record<string, string>> = {
  gfx90c: '9.0.0',
  gfx1031: '10.3.0',
  gfx1032: '10.3.0',
  gfx1033: '10.3.0',
  gfx1034: '10.3.0',
  gfx1035: '10.3.0',
  gfx1036: '10.3.0',
  gfx1102: '11.0.0',
  gfx1103: '11.0.0',
  gfx1152: '11.5.1',
}

/** HSA_OVERRIDE_GFX_VERSION: needed, of the wrong family, or set for a GPU that needs none. */
export const hsaOverride: Rule = (examined) => {
  const { hsaOverride: set } = examined.checkup
  const gpus = gpusOf(examined, 'amd').filter(({ architecture }) => architecture !== null)
  if (examined.system !== 'linux' || gpus.length === 0) return []
  const needy = gpus.filter(
    ({ architecture }) => architecture !== null && architecture in relatives,
  )
  const native = gpus.filter((gpu) => !needy.includes(gpu))
  if (set !== null) return checkSet(set, native, needy)
  const [first] = needy
  const value = relatives[first?.architecture ?? '']
  // A small GPU that steps back for a discrete one is not worth a setting for both.
  if (first === undefined || value === undefined || native.length > 0) return []
  return [
    {
      severity: 'warning',
      what: `${naming(needy)} ${isOrAre(needy)} ${first.architecture}, which most builds for ROCm have no kernels for.`,
      why: 'Engines end with "rocBLAS error: Cannot read TensileLibrary.dat" or "invalid device function", or silently compute on the CPU.',
      fix: `Let it run the kernels of its relative: export HSA_OVERRIDE_GFX_VERSION=${value}, and try one token first, because a wrong value hangs. Or run a Vulkan build of llama.cpp, which needs no override.`,
    },
  ]
}

type Gpus = ReturnType<typeof gpusOf>

function checkSet(set: string, native: Gpus, needy: Gpus): Problem[] {
  const own = native.filter(({ architecture }) => dotted(architecture) !== set)
  const problems: Problem[] = []
  if (own.length > 0) {
    problems.push({
      severity: 'error',
      what: `HSA_OVERRIDE_GFX_VERSION=${set} is set, and ${naming(own)} ${isOrAre(own)} ${own[0]?.architecture}.`,
      why: 'The override holds for every GPU of the node: one that needs none then runs kernels that were not made for it and crashes or hangs.',
      fix:
        needy.length > 0
          ? `Set it for the other GPU alone (HSA_OVERRIDE_GFX_VERSION_<number> in Ollama, or in the environment of that one engine).`
          : 'Take it away: unset HSA_OVERRIDE_GFX_VERSION, also from the service that starts Motley.',
    })
  }
  const wrong = needy.filter(
    ({ architecture }) => relatives[architecture ?? '']?.split('.')[0] !== set.split('.')[0],
  )
  if (wrong.length > 0) {
    const value = relatives[wrong[0]?.architecture ?? '']
    problems.push({
      severity: 'error',
      what: `HSA_OVERRIDE_GFX_VERSION=${set} is set, and ${naming(wrong)} ${isOrAre(wrong)} ${wrong[0]?.architecture}.`,
      why: 'Kernels of another generation end with "invalid device function", page faults or a hang.',
      fix: `export HSA_OVERRIDE_GFX_VERSION=${value}`,
    })
  }
  return problems
}

/** gfx1030 as 10.3.0. */
function dotted(architecture: string | null): string | null {
  const match = /^gfx(\d{1,2})([0-9a-f])([0-9a-f])$/.exec(architecture ?? '')
  if (match === null) return null
  const [, major, minor = '0', step = '0'] = match
  return `${major}.${Number.parseInt(minor, 16)}.${Number.parseInt(step, 16)}`
}
