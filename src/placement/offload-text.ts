import type { Offload } from '#core/engine-memory.ts'

/** `the experts of 20 of its 48 layers`, `12 of its 32 layers`: what is left to the CPU. */
export function offloadText({ layerCount, layersOnHost, expertLayersOnHost }: Offload): string {
  return expertLayersOnHost > layersOnHost
    ? `the experts of ${expertLayersOnHost} of its ${layerCount} layers`
    : `${layersOnHost} of its ${layerCount} layers`
}
