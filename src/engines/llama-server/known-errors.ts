import {
  cudaErrors,
  type KnownError,
  levelZeroErrors,
  processErrors,
  rocmErrors,
} from '#engines/engine-known-errors.ts'

export const llamaServerErrors: readonly KnownError[] = [
  {
    pattern: /unknown model architecture/i,
    meaning: 'This build of llama.cpp does not know the architecture of the model.',
    fix: 'Take a newer build of llama.cpp.',
  },
  {
    pattern:
      /invalid magic characters|tensor .{0,200}data is not within the file bounds|model is corrupted or incomplete|unexpectedly reached end of file/i,
    meaning: 'The model file is damaged, not complete, or no GGUF.',
    fix: 'Fetch it again; `motley model inspect` says what is in it.',
  },
  {
    pattern: /missing tensor|wrong number of tensors/i,
    meaning: 'The model file lacks a part, as when one file of a split model is missing.',
    fix: 'Fetch all files of the model; they have to lie in one directory.',
  },
  {
    pattern: /ErrorOutOfDeviceMemory|ggml_vulkan: Device memory allocation .{0,80}failed/i,
    meaning: 'The memory of the GPU does not suffice.',
    fix: 'Take a smaller context, fewer slots or stronger quantization.',
  },
  {
    pattern:
      /unable to allocate .{0,40}buffer|failed to allocate .{0,60}buffer|failed to allocate compute/i,
    meaning: 'The model and its context do not fit in the memory.',
    fix: 'Take a smaller context, fewer slots or stronger quantization.',
  },
  {
    pattern: /quantized V cache .{0,40}(requires|was requested)/i,
    meaning: 'A quantized V cache needs flash attention, which is off.',
    fix: 'Add --flash-attn on to extraArgs, or leave the V cache as it is.',
  },
  {
    pattern: /Illegal instruction|\bSIGILL\b|exit code 132\b/i,
    meaning: 'The build uses instructions that this CPU does not have.',
    fix: 'Take a build that chooses its kernels by the CPU, such as the released ones.',
  },
  {
    pattern: /Segmentation fault|\bSIGSEGV\b|exit code 139\b/i,
    meaning: 'It crashed in its own code; on CPUs with AMX the kernels for it have done that.',
    fix: 'Add --no-repack to extraArgs, or take another build.',
  },
  {
    pattern: /ggml_vulkan: No devices found|vkCreateInstance|VK_ERROR_INCOMPATIBLE_DRIVER/i,
    meaning: 'The engine sees no GPU with Vulkan.',
    fix: 'Install the Vulkan driver (mesa-vulkan-drivers), and give its user the group render.',
  },
  {
    pattern: /error: (invalid|unknown) argument/i,
    meaning: 'This build of llama.cpp does not know an option that it was given.',
    fix: 'Take a newer build, or correct extraArgs.',
  },
  ...cudaErrors,
  ...rocmErrors,
  ...levelZeroErrors,
  ...processErrors,
]
