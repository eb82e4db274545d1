/** How vLLM is started. */

import { containerPlan, listenHost, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment, offlineEnvironment } from '#engines/engine-device-environment.ts'
import type { CheckedRequest, ContainerPlan, LaunchPlan } from '#engines/engine-launch.ts'

export function vllmPlan(request: CheckedRequest): LaunchPlan {
  const { kind, backend, weights, modelName, contextTokens, slots, memoryFraction } = request
  const { cacheDirectory, apiKey, tensorParallel } = request
  return {
    kind: 'plan',
    command: kind === 'container' ? 'vllm' : (request.executable ?? 'vllm'),
    args: [
      'serve',
      weights.path,
      ...['--served-model-name', modelName],
      ...['--host', listenHost(request)],
      ...['--port', String(request.port)],
      ...['--max-model-len', String(contextTokens)],
      ...['--max-num-seqs', String(slots)],
      ...(tensorParallel > 1 ? ['--tensor-parallel-size', String(tensorParallel)] : []),
      ...(memoryFraction !== null && backend !== 'cpu'
        ? ['--gpu-memory-utilization', String(memoryFraction)]
        : []),
      ...(request.kvCacheType === 'fp8' ? ['--kv-cache-dtype', 'fp8'] : []),
      ...(lacksBfloat16(request) ? ['--dtype', 'half'] : []),
      ...(pools.has(request.task) ? ['--runner', 'pooling'] : []),
      ...request.extraArgs,
    ],
    env: {
      // It looks GPUs up by the numbers in CUDA_VISIBLE_DEVICES and fails on a UUID.
      ...deviceEnvironment(request, { uuids: false }),
      ...nvidiaEnvironment(request),
      ...offlineEnvironment,
      // The kernels it compiled at the last start save most of the next one.
      ...(cacheDirectory === null ? {} : { VLLM_CACHE_ROOT: `${cacheDirectory}/vllm` }),
    },
    secretEnv: apiKey === null ? {} : { VLLM_API_KEY: apiKey },
    container: kind === 'container' ? container(request) : null,
    servedName: modelName,
    preload: null,
  }
}

/** Models that answer with a vector or a score, not with text. */
const pools: ReadonlySet<string> = new Set(['embedding', 'rerank', 'score'])

/** Turing. Weights say bfloat16, and vLLM refuses to start rather than to convert by itself. */
function lacksBfloat16({ backend, devices }: CheckedRequest): boolean {
  return backend === 'cuda' && devices.some(({ architecture }) => architecture === 'sm_75')
}

const compilesKernels = true

function container(request: CheckedRequest): ContainerPlan {
  switch (request.backend) {
    case 'rocm':
      return containerPlan(request, {
        image: 'vllm/vllm-openai-rocm:latest',
        ipc: 'host',
        compilesKernels,
        capAdd: ['SYS_PTRACE'],
        securityOptions: ['seccomp=unconfined'],
      })
    case 'level-zero':
      return containerPlan(request, {
        image: 'vllm/vllm-openai-xpu:latest',
        ipc: 'host',
        compilesKernels,
      })
    case 'cpu':
      return containerPlan(request, {
        image: `vllm/vllm-openai-cpu:latest-${cpuOf(request)}`,
        shmBytes: 4 * 2 ** 30,
        compilesKernels,
        // It binds threads and memory to NUMA nodes, which the default profile forbids.
        capAdd: ['SYS_NICE'],
        securityOptions: ['seccomp=unconfined'],
      })
    default:
      // Ranks exchange tensors over shared memory, and Docker's 64 MiB of it are not enough.
      return containerPlan(request, {
        image: 'vllm/vllm-openai:latest',
        ipc: 'host',
        compilesKernels,
      })
  }
}

function cpuOf({ devices }: CheckedRequest): string {
  return devices[0]?.architecture === 'aarch64' ? 'arm64' : 'x86_64'
}
