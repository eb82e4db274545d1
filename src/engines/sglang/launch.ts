/** How SGLang is started. */

import { containerPlan, listenHost, nvidiaEnvironment } from '#engines/engine-container.ts'
import { deviceEnvironment, offlineEnvironment } from '#engines/engine-device-environment.ts'
import type { CheckedRequest, ContainerPlan, LaunchPlan } from '#engines/engine-launch.ts'

export function sglangPlan(request: CheckedRequest): LaunchPlan {
  const { kind, weights, modelName, memoryFraction, tensorParallel, cacheDirectory } = request
  return {
    kind: 'plan',
    command: kind === 'container' ? 'python3' : (request.executable ?? 'python3'),
    args: [
      ...['-m', 'sglang.launch_server'],
      ...['--model-path', weights.path],
      ...['--served-model-name', modelName],
      ...['--host', listenHost(request)],
      ...['--port', String(request.port)],
      ...['--context-length', String(request.contextTokens)],
      ...['--max-running-requests', String(request.slots)],
      ...(tensorParallel > 1 ? ['--tp-size', String(tensorParallel)] : []),
      ...(memoryFraction === null ? [] : ['--mem-fraction-static', String(memoryFraction)]),
      // It wants to know which of the two; this one has more digits, and needs no scales.
      ...(request.kvCacheType === 'fp8' ? ['--kv-cache-dtype', 'fp8_e4m3'] : []),
      ...(request.task === 'embedding' ? ['--is-embedding'] : []),
      // Without it nobody can see how loaded it is.
      '--enable-metrics',
      ...request.extraArgs,
    ],
    env: {
      // Its workers number the GPUs they see; a UUID is none.
      ...deviceEnvironment(request, { uuids: false }),
      ...nvidiaEnvironment(request),
      ...offlineEnvironment,
      ...(cacheDirectory === null ? {} : cachesBelow(`${cacheDirectory}/sglang`)),
    },
    secretEnv: {},
    container: kind === 'container' ? container(request) : null,
    servedName: modelName,
    preload: null,
  }
}

/** What PyTorch and Triton compile for a model; in their usual places it ends with a container. */
function cachesBelow(directory: string): Readonly<Record<string, string>> {
  return {
    TORCHINDUCTOR_CACHE_DIR: `${directory}/inductor`,
    TRITON_CACHE_DIR: `${directory}/triton`,
  }
}

function container(request: CheckedRequest): ContainerPlan {
  const shared = {
    ipc: 'host',
    ulimits: { memlock: -1, stack: 67_108_864 },
    compilesKernels: true,
  } as const
  if (request.backend === 'cuda') {
    return containerPlan(request, { ...shared, image: 'lmsysorg/sglang:latest' })
  }
  const series = request.devices[0]?.architecture === 'gfx950' ? 'mi35x' : 'mi30x'
  return containerPlan(request, {
    ...shared,
    image: `lmsysorg/sglang:v0.5.10.post1-rocm700-${series}`,
    capAdd: ['SYS_PTRACE'],
    securityOptions: ['seccomp=unconfined'],
  })
}
