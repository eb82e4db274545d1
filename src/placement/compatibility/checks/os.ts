import { blocks, either } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** The operating system of the node. */
export const os: Check = {
  name: 'os',
  find({ engine, backend, node }) {
    const onBackend = engine.supports.filter((build) => build.backend === backend)
    const systems = [...new Set(onBackend.flatMap((build) => build.os))]
    if (systems.length === 0 || systems.includes(node.os)) return []
    const what = `${engine.title} for ${backend} runs on ${systems.join(', ')}, not on ${node.os}`
    return [blocks('wrong-os', what, `place it on a node with ${either(systems)}`)]
  },
}
