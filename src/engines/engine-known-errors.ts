/**
 * The last words of engines that did not start, and what they mean. Texts come from the libraries
 * below the engines, so most of them are shared; an adapter puts its own before them.
 */

export interface KnownError {
  /** Tested against the last lines that the engine wrote. */
  readonly pattern: RegExp
  /** What happened, in one sentence. */
  readonly meaning: string
  /** What to do about it. */
  readonly fix: string
  /** Whether the next start would end alike, so that none is tried. */
  readonly permanent?: boolean
}

/** The first that the words match; null when nobody has met them yet. */
export function explainLastWords(
  knownErrors: readonly KnownError[],
  lastWords: string,
): KnownError | null {
  return knownErrors.find(({ pattern }) => pattern.test(lastWords)) ?? null
}

const portInUse: KnownError = {
  pattern:
    /address already in use|errno 98\b|couldn't bind|EADDRINUSE|only one usage of each socket/i,
  meaning: 'The port is taken by another process.',
  fix: 'Start it on another port, or stop the process that listens there.',
}

const noSpace: KnownError = {
  pattern: /no space left on device/i,
  meaning: 'A disk is full; in a container it may be /dev/shm, which is small there.',
  fix: 'Make room, or give the container a larger shmBytes.',
}

const killed: KnownError = {
  pattern: /\bSIGKILL\b|exit code 137\b|out of memory: killed process|oom-kill/i,
  meaning: 'The system killed it, most likely because the memory of the machine ran out.',
  fix: 'Take a smaller model or context, or free memory of the machine.',
}

const noSuchFile: KnownError = {
  pattern: /no such file or directory|cannot find the path|FileNotFoundError|does not exist/i,
  meaning: 'A file that it was told to read is not there, or not visible in its container.',
  fix: 'Check the path of the weights, and that links among them lead to files that are there.',
}

const permission: KnownError = {
  pattern: /permission denied|EACCES|operation not permitted/i,
  meaning: 'It may not read a file or open a device.',
  fix: 'Give its user the right to read the weights, and the groups of /dev/kfd and /dev/dri.',
}

/** What any process can die of. They come last: other errors quote their words. */
export const processErrors: readonly KnownError[] = [
  portInUse,
  killed,
  noSpace,
  permission,
  noSuchFile,
]

export const cudaErrors: readonly KnownError[] = [
  {
    pattern: /CUDA driver version is insufficient for CUDA runtime version/i,
    meaning: 'The NVIDIA driver is older than the CUDA that the engine was built with.',
    fix: 'Install driver 525.60.13 or newer for CUDA 12, 580.65.06 or newer for CUDA 13; or take a build for an older CUDA.',
  },
  {
    pattern: /unsatisfied condition: cuda\s*>=?\s*[\d.]+/i,
    meaning: 'The image asks for a newer CUDA than the NVIDIA driver can run.',
    fix: 'Install driver 525.60.13 or newer for CUDA 12, 580.65.06 or newer for CUDA 13; or take an image with an older CUDA.',
  },
  {
    pattern: /no kernel image is available for execution on the device/i,
    meaning: 'This build has no code for the architecture of the GPU.',
    fix: 'Old GPUs (before sm_75) need a CUDA 12 build, new ones (sm_100 and up) CUDA 12.8 or newer.',
  },
  {
    pattern: /libcuda\.so(\.1)?: cannot open shared object file|libcuda\.so\.1 not found/i,
    meaning: 'The library of the NVIDIA driver is not there.',
    fix: 'Install the driver; in a container, install nvidia-container-toolkit and pass the GPUs.',
  },
  {
    pattern: /could not select device driver.{0,80}gpu|unknown or invalid runtime name: nvidia/i,
    meaning: 'Docker does not know how to pass NVIDIA GPUs on.',
    fix: 'Install nvidia-container-toolkit, run `nvidia-ctk runtime configure` and restart Docker.',
  },
  {
    pattern: /driver\/library version mismatch/i,
    meaning: 'The NVIDIA driver was updated, and the old one still runs.',
    fix: 'Restart the machine, or unload the old kernel modules.',
  },
  {
    pattern: /CUDA unknown error|cudaErrorUnknown/i,
    meaning: 'CUDA cannot start, as when /dev/nvidia-uvm is missing after the machine slept.',
    fix: 'Reload the module: `sudo modprobe -r nvidia_uvm && sudo modprobe nvidia_uvm`.',
  },
  {
    pattern:
      /no CUDA-capable device is detected|No CUDA GPUs are available|Found no NVIDIA driver/i,
    meaning: 'The engine sees no NVIDIA GPU.',
    fix: 'Check `nvidia-smi` here, CUDA_VISIBLE_DEVICES, and that the container got its GPUs.',
  },
  {
    pattern: /NCCL error|ncclSystemError|ncclUnhandledCudaError|ncclInternalError/i,
    meaning: 'The GPUs could not talk to each other.',
    fix: 'Give the container ipc host or 1 GiB of shared memory a GPU; on GeForce try NCCL_P2P_DISABLE=1.',
  },
  {
    pattern:
      /CUDA out of memory|cudaErrorMemoryAllocation|CUDA error: out of memory|cudaMalloc failed/i,
    meaning: 'The memory of the GPU does not suffice.',
    fix: 'Take a smaller context, fewer slots, a smaller memoryFraction or stronger quantization; see who else uses the GPU.',
  },
]

export const rocmErrors: readonly KnownError[] = [
  {
    pattern: /Cannot read .{0,200}TensileLibrary|hipErrorNoBinaryForGpu|invalid device function/i,
    meaning: 'This ROCm has no code for the architecture of the GPU.',
    fix: 'Use Vulkan, or allow HSA_OVERRIDE_GFX_VERSION of a relative and test one token.',
  },
  {
    pattern: /Unable to open \/dev\/kfd|\/dev\/kfd.{0,40}permission denied/i,
    meaning: 'The process may not open /dev/kfd, so it has no AMD GPU.',
    fix: 'Add its user to the groups render and video; in a container pass /dev/kfd and their ids.',
  },
  {
    pattern:
      /ROCk module is NOT loaded|no ROCm-capable device is detected|No HIP GPUs are available/i,
    meaning: 'The engine sees no AMD GPU.',
    fix: 'Check that amdgpu is loaded, that /dev/kfd is there, and ROCR_VISIBLE_DEVICES.',
  },
  {
    pattern: /Memory access fault by GPU/i,
    meaning: 'A kernel on the AMD GPU read memory that is not its own.',
    fix: 'Without HSA_OVERRIDE_GFX_VERSION, report it to the engine; with it, the relative is the wrong one: use Vulkan.',
  },
  {
    pattern: /HIP out of memory|hipErrorOutOfMemory|hipMalloc failed/i,
    meaning: 'The memory of the GPU does not suffice.',
    fix: 'Take a smaller context, fewer slots, a smaller memoryFraction or stronger quantization.',
  },
]

export const levelZeroErrors: readonly KnownError[] = [
  {
    pattern:
      /No device of requested type available|ZE_RESULT_ERROR_UNINITIALIZED|No XPU devices are available/i,
    meaning: 'The engine sees no Intel GPU.',
    fix: 'Install libze-intel-gpu1 and intel-opencl-icd, and give its user the group render.',
  },
  {
    pattern: /UR_RESULT_ERROR_OUT_OF_(DEVICE|HOST|)_?(MEMORY|RESOURCES)|XPU out of memory/i,
    meaning: 'The memory of the GPU does not suffice.',
    fix: 'Take a smaller context, fewer slots or stronger quantization.',
  },
]

/** Engines on PyTorch and Hugging Face's libraries. */
export const pythonErrors: readonly KnownError[] = [
  {
    pattern: /Error while deserializing header|SafetensorError|InvalidHeaderDeserialization/i,
    meaning: 'A safetensors file is damaged or not complete.',
    fix: 'Fetch the weights again; `motley model inspect` says which file is wrong.',
  },
  {
    pattern: /LocalEntryNotFoundError|OfflineModeIsEnabled|outgoing traffic has been disabled/i,
    meaning: 'A file of the model is missing, and engines may not fetch any.',
    fix: 'Pull the model with all of its files: configuration and tokenizer too.',
  },
  {
    pattern: /trust_remote_code=True/,
    meaning: 'The model brings Python code of its own, which would run here.',
    fix: 'If you trust its authors, add the option that allows it to extraArgs.',
  },
  {
    pattern: /bfloat16 is only supported on GPUs with compute capability/i,
    meaning: 'The GPU has no bfloat16.',
    fix: 'Start it with float16.',
  },
  {
    pattern: /ModuleNotFoundError: No module named/i,
    meaning: 'The Python environment of the engine lacks a package.',
    fix: 'Install the engine anew in an environment of its own, or use its container.',
  },
]

/** Of engines on PyTorch, on NVIDIA's GPUs and AMD's. */
export const torchErrors: readonly KnownError[] = [
  ...cudaErrors,
  ...rocmErrors,
  ...pythonErrors,
  ...processErrors,
]
