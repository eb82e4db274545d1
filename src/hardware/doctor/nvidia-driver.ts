import { gpusOf, isOrAre, naming, type Rule } from '#hardware/doctor/rule.ts'
import { isOlderVersion } from '#std/version.ts'

/** Drivers that are too old for the engines people install today. */
export const nvidiaDriver: Rule = (examined) => {
  const gpus = gpusOf(examined, 'nvidia')
  const version = gpus.find(({ driverVersion }) => driverVersion !== null)?.driverVersion
  if (version == null) return []
  const platform = examined.system === 'win32' ? 'windows' : 'linux'
  const oldest = (family: string): string =>
    examined.levels.cudaFamilies.find(({ cuda }) => cuda === family)?.drivers[platform] ?? '0'
  const blackwellBranch = examined.levels.driverBranches.find(({ cuda }) => cuda === '12.8')?.branch
  const upgrade =
    platform === 'windows'
      ? 'Install driver 580 or newer from nvidia.com/drivers.'
      : 'Install driver 580 or newer, for example "sudo apt install nvidia-driver-580-server" on Ubuntu, then reboot.'
  // Pascal and older end with the 580 branch, so "or newer" would take their driver away.
  const isLegacy = gpus.some(({ architecture }) => capability(architecture) < 75)
  const fix = isLegacy
    ? 'Install driver 580, the last branch that knows this GPU: "sudo apt install nvidia-driver-580" on Ubuntu, then reboot.'
    : upgrade

  if (isOlderVersion(version, oldest('12.0'))) {
    return [
      {
        severity: 'error',
        what: `The NVIDIA driver ${version} is too old for CUDA 12.`,
        why: `vLLM, SGLang and current llama.cpp builds need CUDA 12, and that needs driver ${oldest('12.0')} or newer: they end with "CUDA driver version is insufficient".`,
        fix,
      },
    ]
  }
  const blackwell = gpus.filter(({ architecture }) => capability(architecture) >= 100)
  if (blackwell.length > 0 && isOlderVersion(version, String(blackwellBranch))) {
    return [
      {
        severity: 'error',
        what: `${naming(blackwell)} ${isOrAre(blackwell)} Blackwell, and driver ${version} is older than Blackwell.`,
        why: `Kernels for Blackwell need CUDA 12.8, which begins with driver ${blackwellBranch}.`,
        fix: upgrade,
      },
    ]
  }
  if (isOlderVersion(version, oldest('13.0')) && !isLegacy) {
    return [
      {
        severity: 'note',
        what: `The NVIDIA driver ${version} runs CUDA 12 and not CUDA 13.`,
        why: `Images built for CUDA 13 (the newest of vLLM among them) refuse to start on drivers before ${oldest('13.0')}.`,
        fix: `Choose images and wheels for CUDA 12 (cu128, cu129), or: ${upgrade}`,
      },
    ]
  }
  return []
}

/** Engines whose kernels are not built for an old GPU. */
export const nvidiaArchitecture: Rule = (examined) => {
  const old = gpusOf(examined, 'nvidia').filter(({ architecture }) => capability(architecture) < 75)
  if (old.length === 0) return []
  const [first] = old
  return [
    {
      severity: 'note',
      what: `${naming(old)} ${old.length === 1 ? 'has' : 'have'} compute capability ${dotted(first?.architecture ?? null)}.`,
      why: 'vLLM and SGLang have no kernels below 7.5, and CUDA 13 dropped these GPUs; llama.cpp built for CUDA 12 runs.',
      fix: 'Serve GGUF models here with llama.cpp (CUDA 12 build), and leave vLLM to newer GPUs.',
    },
  ]
}

/** sm_89 as 89; newer than everything when unknown, so that nobody is accused. */
function capability(architecture: string | null): number {
  const digits = /^sm_(\d+)$/.exec(architecture ?? '')?.[1]
  return digits === undefined ? Number.NaN : Number(digits)
}

function dotted(architecture: string | null): string {
  const value = capability(architecture)
  return `${Math.floor(value / 10)}.${value % 10}`
}

/** Without its device for unified memory CUDA says "unknown error"; seen after a suspend. */
export const nvidiaUvm: Rule = (examined) => {
  const { checkup, system } = examined
  if (system !== 'linux' || checkup.hasNvidiaUvm !== false) return []
  const usable = gpusOf(examined, 'nvidia').filter(({ memoryBytes }) => memoryBytes !== null)
  if (usable.length === 0 || examined.inventory.node?.wsl === true) return []
  return [
    {
      severity: 'error',
      what: 'The device /dev/nvidia-uvm is missing.',
      why: 'CUDA programs need it and end with "CUDA unknown error", while nvidia-smi looks well.',
      fix: 'Create it: sudo nvidia-modprobe -u -c=0. After a suspend: sudo rmmod nvidia_uvm && sudo modprobe nvidia_uvm. In a container, start it with --gpus all.',
    },
  ]
}
