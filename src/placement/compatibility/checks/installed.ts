import { installedHere } from '#placement/compatibility/builds.ts'
import { blocks, unverified } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** Whether its program is on the node. Containers are fetched when they are needed. */
export const installed: Check = {
  name: 'installed',
  find(question) {
    const { engine, backend, kind, node } = question
    if (kind === 'container') return []
    const { title } = engine
    if (node.engines === null) return [unverified(`nobody has looked whether ${title} is there`)]
    const here = installedHere(question)
    if (here === null || !here.kinds.includes('native')) {
      return [blocks('not-installed', `${title} is not installed`, `install ${title} there`)]
    }
    if (here.backends.length === 0) return []
    if (here.backends.includes(backend)) {
      if (here.assumed !== true) return []
      return [unverified(`the ${title} there does not tell whether it is built for ${backend}`)]
    }
    const what = `${title} is there for ${here.backends.join(', ')}, and not for ${backend}`
    return [blocks('not-installed', what, `install its build for ${backend}`)]
  },
}
