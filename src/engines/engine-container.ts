/** What a container must be given so that an engine in it reaches its devices and its weights. */
import { usesNvidiaRuntime } from '#engines/engine-device-environment.ts'
import type { CheckedRequest, ContainerMount, ContainerPlan } from '#engines/engine-launch.ts'

/** What differs from engine to engine; left out, nothing. */
export interface ContainerNeeds {
  readonly image: string
  /** Processes that exchange data over shared memory need that of the host, or a size. */
  readonly ipc?: 'host'
  readonly shmBytes?: number
  readonly mounts?: readonly ContainerMount[]
  readonly capAdd?: readonly string[]
  readonly securityOptions?: readonly string[]
  readonly ulimits?: Readonly<Record<string, number>>
  /** Whether it compiles kernels at its start, which the next one need not do again. */
  readonly compilesKernels?: boolean
  /** The port inside, for images that cannot be told another. */
  readonly containerPort?: number
}

export function containerPlan(request: CheckedRequest, needs: ContainerNeeds): ContainerPlan {
  const nvidia = usesNvidiaRuntime(request)
  const tegra = nvidia && request.devices.some(({ architecture }) => isTegra(architecture))
  const cacheDirectory = needs.compilesKernels === true ? request.cacheDirectory : null
  return {
    image: needs.image,
    devices: nvidia ? [] : deviceFiles[request.backend],
    gpus: nvidia && !tegra ? request.devices.map(({ uuid, index }) => uuid ?? String(index)) : null,
    groups: nvidia || deviceFiles[request.backend].length === 0 ? [] : groupsOf(request),
    ipc: needs.ipc ?? null,
    shmBytes: needs.shmBytes ?? null,
    mounts: [
      ...(needs.mounts ?? [weightsMount(request)]),
      ...(request.weights.outside ?? []).map((path) => mountHere(path, true)),
      ...(cacheDirectory === null ? [] : [mountHere(cacheDirectory, false)]),
    ],
    network: {
      hostAddress: request.host,
      hostPort: request.port,
      containerPort: needs.containerPort ?? request.port,
    },
    capAdd: needs.capAdd ?? [],
    securityOptions: needs.securityOptions ?? [],
    ulimits: needs.ulimits ?? {},
    // Jetson has one GPU, and its container toolkit knows no other way in.
    runtime: tegra ? 'nvidia' : null,
  }
}

/** Inside a container an engine has to listen where the published port leads. */
export function listenHost({ kind, host }: CheckedRequest): string {
  return kind === 'container' ? '0.0.0.0' : host
}

/** Weights keep their path: what the engine is told is right in and outside of the container. */
export function weightsMount({ weights }: CheckedRequest): ContainerMount {
  return mountHere(weights.root, true)
}

function mountHere(path: string, readOnly: boolean): ContainerMount {
  return { source: path, target: path, readOnly }
}

const deviceFiles: Record<CheckedRequest['backend'], readonly string[]> = {
  cuda: [],
  rocm: ['/dev/kfd', '/dev/dri'],
  vulkan: ['/dev/dri'],
  'level-zero': ['/dev/dri'],
  metal: [],
  cpu: [],
}

/** Every image has a group `video`; `render` many lack, and Docker refuses a name it cannot find. */
function groupsOf({ deviceGroupIds }: CheckedRequest): readonly string[] {
  return deviceGroupIds.length === 0 ? ['video'] : deviceGroupIds.map(String)
}

/** Xavier and Orin. */
function isTegra(architecture: string | null): boolean {
  return architecture === 'sm_72' || architecture === 'sm_87'
}

/** What NVIDIA's toolkit mounts into a container; without `graphics` there is no Vulkan. */
export function nvidiaEnvironment(request: CheckedRequest): Readonly<Record<string, string>> {
  if (!usesNvidiaRuntime(request)) return {}
  const tegra = request.devices.some(({ architecture }) => isTegra(architecture))
  const graphics = request.backend === 'vulkan' ? ',graphics' : ''
  return {
    NVIDIA_DRIVER_CAPABILITIES: `compute,utility${graphics}`,
    ...(tegra ? { NVIDIA_VISIBLE_DEVICES: 'all' } : {}),
  }
}
