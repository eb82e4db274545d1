import { gpusOf, isOlder, isOrAre, naming, type Rule } from '#hardware/doctor/rule.ts'

/**
 * The oldest driver of each CUDA family, by NVIDIA's rule of minor-version compatibility: a program
 * for any CUDA 12 runs on every driver from 525.60.13 on.
 */
const families = {
  cuda12: { linux: '525.60.13', win32: '528.33' },
  cuda13: { linux: '580.65.06', win32: '580' },
} as const

/** Drivers that are too old for the engines people install today. */
export const nvidiaDriver: Rule = (examined) => {
  const gpus = gpusOf(examined, 'nvidia')
  const version = gpus.find(({ driverVersion }) => driverVersion !== null)?.driverVersion
  if (version == null) return []
  const platform = examined.system === 'win32' ? 'win32' : 'linux'
  const upgrade =
    platform === 'win32'
      ? 'Install driver 580 or newer from nvidia.com/drivers.'
      : 'Install driver 580 or newer, for example "sudo apt install nvidia-driver-580-server" on Ubuntu, then reboot.'
  // Pascal and older end with the 580 branch, so "or newer" would take their driver away.
  const isLegacy = gpus.some(({ architecture }) => capability(architecture) < 75)
  const fix = isLegacy
    ? 'Install driver 580, the last branch that knows this GPU: "sudo apt install nvidia-driver-580" on Ubuntu, then reboot.'
    : upgrade

  if (isOlder(version, families.cuda12[platform])) {
    return [
      {
        severity: 'error',
        what: `The NVIDIA driver ${version} is too old for CUDA 12.`,
        why: `vLLM, SGLang and current llama.cpp builds need CUDA 12, and that needs driver ${families.cuda12[platform]} or newer: they end with "CUDA driver version is insufficient".`,
        fix,
      },
    ]
  }
  const blackwell = gpus.filter(({ architecture }) => capability(architecture) >= 100)
  if (blackwell.length > 0 && isOlder(version, '570')) {
    return [
      {
        severity: 'error',
        what: `${naming(blackwell)} ${isOrAre(blackwell)} Blackwell, and driver ${version} is older than Blackwell.`,
        why: 'Kernels for Blackwell need CUDA 12.8, which begins with driver 570.',
        fix: upgrade,
      },
    ]
  }
  if (isOlder(version, families.cuda13[platform]) && !isLegacy) {
    return [
      {
        severity: 'note',
        what: `The NVIDIA driver ${version} runs CUDA 12 and not CUDA 13.`,
        why: `Images built for CUDA 13 (the newest of vLLM among them) refuse to start on drivers before ${families.cuda13[platform]}.`,
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
