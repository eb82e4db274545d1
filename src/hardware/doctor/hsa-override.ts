import type { Device, Problem } from '#core/device.ts'
import { gpusOf, isOrAre, naming, type Rule } from '#hardware/doctor/rule.ts'

/** HSA_OVERRIDE_GFX_VERSION: needed, of the wrong family, or set for a GPU that needs none. */
export const hsaOverride: Rule = (examined) => {
  const { hsaOverride: set } = examined.checkup
  const overrideOf = (gpu: Device | undefined): string | undefined =>
    examined.levels.relatives[gpu?.architecture ?? '']?.value
  const gpus = gpusOf(examined, 'amd').filter(({ architecture }) => architecture !== null)
  if (examined.system !== 'linux' || gpus.length === 0) return []
  const needy = gpus.filter((gpu) => overrideOf(gpu) !== undefined)
  const native = gpus.filter((gpu) => !needy.includes(gpu))
  if (set !== null) return checkSet(set, native, needy, overrideOf)
  const [first] = needy
  const value = overrideOf(first)
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

function checkSet(
  set: string,
  native: Gpus,
  needy: Gpus,
  overrideOf: (gpu: Device | undefined) => string | undefined,
): Problem[] {
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
  const wrong = needy.filter((gpu) => overrideOf(gpu)?.split('.')[0] !== set.split('.')[0])
  if (wrong.length > 0) {
    const value = overrideOf(wrong[0])
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
