import { installedHere, otherBuilds } from '#placement/compatibility/builds.ts'
import { blocks, either, unverified } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** What starts containers, and gives them devices. */
export const containerRuntime: Check = {
  name: 'container-runtime',
  find(question, build) {
    const { kind, node } = question
    if (kind !== 'container' || build === null) return []
    const { containers } = node
    const runtime = build.containerRuntime
    if (containers === null) {
      const needed =
        runtime === undefined ? '' : ` with what gives it the devices (${runtime.name})`
      return [unverified(`nobody has looked for software for containers here${needed}`)]
    }
    if (containers.kind === 'none') {
      const natively = otherBuilds(
        question,
        ({ kinds }) => kinds.includes('native') && installedHere(question) !== null,
      )
      const unlockedBy = either(['install Docker or Podman', ...natively])
      return [blocks('no-container-software', 'there is no software for containers', unlockedBy)]
    }
    if (runtime === undefined) return []
    if (containers.runtimes === null) {
      return [unverified(`nobody knows whether containers get the devices (${runtime.name})`)]
    }
    if (containers.runtimes.includes(runtime.name)) return []
    const what = `containers get no such device here: there is no ${runtime.name} runtime`
    return [blocks('container-without-device', what, runtime.install)]
  },
}
