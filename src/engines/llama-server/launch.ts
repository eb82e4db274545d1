/** How llama-server is started. */

import { containerPlan, listenHost, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment } from '#engines/engine-device-environment.ts'
import {
  type CheckedRequest,
  gpuLayers,
  type LaunchPlan,
  quantizedKv,
} from '#engines/engine-launch.ts'

export function llamaServerPlan(request: CheckedRequest): LaunchPlan {
  const { kind, backend, weights, modelName, slots, apiKey } = request
  const kvType = quantizedKv(request)
  return {
    kind: 'plan',
    command: kind === 'container' ? '/app/llama-server' : (request.executable ?? 'llama-server'),
    args: [
      ...['--model', weights.path],
      ...['--alias', modelName],
      ...['--host', listenHost(request)],
      ...['--port', String(request.port)],
      // The context of all slots together: each may use its share.
      ...['--ctx-size', String(request.contextTokens * slots)],
      ...['--parallel', String(slots)],
      // A build with GPUs in it would use one for long prompts all the same.
      ...(backend === 'cpu' ? ['--device', 'none'] : onDevices(request)),
      ...(kvType === null ? [] : ['--cache-type-k', kvType, '--cache-type-v', kvType]),
      ...(request.task === 'embedding' ? ['--embeddings'] : []),
      ...(request.task === 'rerank' ? ['--reranking'] : []),
      // Without it nobody can see how many requests wait.
      '--metrics',
      ...request.extraArgs,
    ],
    env: {
      ...deviceEnvironment(request),
      ...nvidiaEnvironment(request),
      ...unifiedMemory(request),
      // It would shrink what does not fit; what fits was reckoned before, and is what was promised.
      // As a variable, because builds from before late 2025 refuse the option.
      LLAMA_ARG_FIT: 'off',
      // Quantized values are refused without it. As a variable, because the option takes a word since
      // late 2025 and none before; both take a 1.
      ...(kvType === null ? {} : { LLAMA_ARG_FLASH_ATTN: '1' }),
    },
    secretEnv: apiKey === null ? {} : { LLAMA_API_KEY: apiKey },
    container:
      kind === 'container'
        ? containerPlan(request, { image: `ghcr.io/ggml-org/llama.cpp:${tags[backend]}` })
        : null,
    servedName: modelName,
    preload: null,
  }
}

function onDevices({ offload }: CheckedRequest): readonly string[] {
  if (offload === null) return ['--n-gpu-layers', '999']
  const experts = offload.expertLayersOnHost
  return [
    ...['--n-gpu-layers', String(gpuLayers(offload))],
    ...(experts > offload.layersOnHost ? ['--n-cpu-moe', String(experts)] : []),
  ]
}

const tags: Record<CheckedRequest['backend'], string> = {
  cuda: 'server-cuda',
  rocm: 'server-rocm',
  vulkan: 'server-vulkan',
  'level-zero': 'server-intel',
  cpu: 'server',
  metal: 'server',
}

/** An integrated GPU of AMD owns little memory; with this it takes that of the machine as well. */
function unifiedMemory({ backend, devices }: CheckedRequest): Readonly<Record<string, string>> {
  const shared = backend === 'rocm' && devices.every((device) => device.unifiedMemory)
  return shared ? { GGML_CUDA_ENABLE_UNIFIED_MEMORY: '1' } : {}
}
