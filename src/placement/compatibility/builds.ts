/** Which builds of an engine come into question, and what else there would be. */

import type { Device } from '#core/device.ts'
import {
  architecturesFit,
  backendsOfVendor,
  isInRange,
  type LaunchKind,
  type Support,
} from '#core/engine-build.ts'
import type { CompatibilityQuestion } from '#placement/compatibility/question.ts'
import type { InstalledEngine } from '#placement/inventory.ts'

export function buildsFor(question: CompatibilityQuestion): readonly Support[] {
  const { engine, backend, kind, node } = question
  const version = installedVersion(question)
  return engine.supports.filter(
    (build) =>
      build.backend === backend &&
      build.kinds.includes(kind) &&
      build.os.includes(node.os) &&
      isInRange(version, build.versions),
  )
}

/** Containers are fetched, and then are the newest. */
function installedVersion(question: CompatibilityQuestion): string | null {
  return question.kind === 'native' ? (installedHere(question)?.version ?? null) : null
}

export function installedHere({
  engine,
  node,
}: Pick<CompatibilityQuestion, 'engine' | 'node'>): InstalledEngine | null {
  return node.engines?.find((one) => one.engine === engine.id) ?? null
}

/**
 * Other builds of the same engine that `suits` and that have code for these devices, as one tells
 * somebody to take them; the same devices, so the same vendor's backends.
 */
export function otherBuilds(
  { engine, backend, kind, node, devices }: CompatibilityQuestion,
  suits: (build: Support) => boolean,
): readonly string[] {
  const architectures = devices.map(({ architecture }) => architecture)
  const reachable = backendsOf(devices)
  const suiting = engine.supports.filter(
    (build) =>
      reachable.includes(build.backend) &&
      build.os.includes(node.os) &&
      ['runs', 'relative'].includes(architecturesFit(build.architectures, architectures).kind) &&
      suits(build),
  )
  const current = suiting.filter(({ versions }) => versions?.before === undefined)
  // An old release is for those who have no other.
  return (current.length > 0 ? current : suiting).map(({ backend: other, kinds, versions }) => {
    if (other !== backend) return `take its ${other} build`
    if (versions?.before !== undefined) return `take ${engine.title} before ${versions.before}`
    return kinds.includes(kind)
      ? `take a newer ${engine.title}`
      : `start it as ${asWords[kinds[0] ?? kind]}`
  })
}

export const asWords: Readonly<Record<LaunchKind, string>> = {
  native: 'a native program',
  container: 'a container',
}

/** Backends that all of the devices have. */
export function backendsOf(devices: readonly Device[]): readonly Support['backend'][] {
  const [first, ...others] = devices.map(({ vendor }) => backendsOfVendor[vendor])
  return (first ?? []).filter((backend) => others.every((list) => list.includes(backend)))
}
