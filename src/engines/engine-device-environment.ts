/**
 * Environment variables that show an engine its own devices and no others. Each runtime counts
 * devices in its own order, so a UUID is taken where every library in the process understands one.
 */
import type { CheckedRequest, LaunchDevice } from '#engines/engine-launch.ts'

export type Environment = Readonly<Record<string, string>>

interface Selection {
  /** False for engines whose bookkeeping expects numbers in CUDA_VISIBLE_DEVICES, as vLLM's. */
  readonly uuids?: boolean
}

/**
 * For a native process: all devices of the machine are there to be hidden. In a container the
 * devices of NVIDIA are chosen with the container itself; those of AMD and Intel are all there.
 */
export function deviceEnvironment(request: CheckedRequest, selection: Selection = {}): Environment {
  const { backend, devices, kind } = request
  switch (backend) {
    case 'cuda':
      return kind === 'container' ? {} : cudaEnvironment(devices, selection.uuids ?? true)
    case 'rocm':
      return {
        // It filters below HIP, which then counts from 0 again: HIP_VISIBLE_DEVICES stays unset.
        ROCR_VISIBLE_DEVICES: devices.map(rocmName).join(','),
        ...(request.gfxVersion === null ? {} : { HSA_OVERRIDE_GFX_VERSION: request.gfxVersion }),
      }
    case 'vulkan':
      // All that a container of NVIDIA sees was chosen with it, and is counted from 0.
      return usesNvidiaRuntime(request) ? {} : { GGML_VK_VISIBLE_DEVICES: indices(devices) }
    case 'level-zero':
      return { ONEAPI_DEVICE_SELECTOR: `level_zero:${indices(devices)}` }
    case 'metal':
    case 'cpu':
      return {}
  }
}

/** Whether the GPUs of a container are NVIDIA's, whatever API the engine uses on them. */
export function usesNvidiaRuntime({ backend, kind, devices }: CheckedRequest): boolean {
  if (kind !== 'container') return false
  return backend === 'cuda' || (backend === 'vulkan' && devices.every(isNvidia))
}

function isNvidia({ architecture, uuid }: LaunchDevice): boolean {
  return architecture?.startsWith('sm_') === true || /^(GPU-[0-9a-f]{8}-|MIG-)/i.test(uuid ?? '')
}

function cudaEnvironment(devices: readonly LaunchDevice[], uuids: boolean): Environment {
  const named = devices.map(({ uuid }) => uuid).filter((uuid) => uuid !== null)
  // A MIG instance has no number at all.
  const mig = named.some((uuid) => uuid.startsWith('MIG-'))
  if ((uuids || mig) && named.length === devices.length) {
    return { CUDA_VISIBLE_DEVICES: named.join(',') }
  }
  // CUDA's own order is by speed; that of nvidia-smi, and ours, is by bus.
  return { CUDA_DEVICE_ORDER: 'PCI_BUS_ID', CUDA_VISIBLE_DEVICES: indices(devices) }
}

/** ROCm has UUIDs for cards with a serial number; the others are called GPU-XX, all of them. */
function rocmName({ uuid, index }: LaunchDevice): string {
  return uuid !== null && /^GPU-[0-9a-f]{16}$/i.test(uuid) ? uuid : String(index)
}

function indices(devices: readonly LaunchDevice[]): string {
  return devices.map(({ index }) => index).join(',')
}

/** No model is fetched, and nobody is told what runs: weights are here before an engine starts. */
export const offlineEnvironment: Environment = { HF_HUB_OFFLINE: '1', DO_NOT_TRACK: '1' }
