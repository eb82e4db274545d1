/** What devices that exchange every layer make of the way between them. */
import type { LinkRule } from '#core/compatibility.ts'
import type { Backend } from '#core/engine-build.ts'

const slow = (backend: Backend, fast: string): LinkRule => ({
  backend,
  link: 'pcie',
  code: 'slow-interconnect',
  what: `every layer is exchanged over PCIe, without ${fast}`,
  advice: 'one replica on each device answers more requests, where the model fits on one',
  source: 'vLLM of August 2026, docs/serving/parallelism_scaling',
})

/** The first rule that matches the devices counts. */
export const linkRules: readonly LinkRule[] = [
  {
    backend: 'cuda',
    link: 'pcie',
    names: /GeForce|RTX [45]0[5-9]0/,
    code: 'no-peer-to-peer',
    what: 'GeForce 40 and 50 have no peer-to-peer: layers go through the memory of the machine',
    advice: 'set NCCL_P2P_DISABLE=1 if it hangs at start',
    source: 'NVIDIA disables it for GeForce from Ada on; NCCL, troubleshooting',
  },
  slow('cuda', 'NVLink'),
  slow('rocm', 'Infinity Fabric links'),
  slow('level-zero', 'Xe Link'),
]
