import type { LinkKind } from '#core/compatibility.ts'
import type { Device } from '#core/device.ts'
import { unverified, warns } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** The way between devices that exchange every layer. */
export const interconnect: Check = {
  name: 'interconnect',
  find({ engine, backend, devices }) {
    if (devices.length < 2 || engine.spread !== 'tensor-parallel') return []
    const links = pairsOf(devices).map(([one, other]) => linkBetween(one, other))
    const slowest = links.includes('pcie') ? 'pcie' : links.find((link) => link !== null)
    const unknown = links.includes(null)
      ? [unverified('nobody knows how these devices are linked, and every layer goes that way')]
      : []
    const rule = engine.links.find(
      (one) =>
        one.backend === backend &&
        one.link === slowest &&
        (one.names === undefined || devices.some(({ name }) => one.names?.test(name))),
    )
    return rule === undefined ? unknown : [warns(rule.code, rule.what, rule.advice), ...unknown]
  },
}

function pairsOf(devices: readonly Device[]): readonly (readonly [Device, Device])[] {
  return devices.flatMap((one, at) => devices.slice(at + 1).map((other) => [one, other] as const))
}

/** The best of several; those to a switch reach every device that is on it as well. */
function linkBetween(one: Device, other: Device): LinkKind | null {
  const direct = [
    ...one.links.filter(({ peerIndex }) => peerIndex === other.index),
    ...other.links.filter(({ peerIndex }) => peerIndex === one.index),
  ]
  const switched = one.links.filter(
    (link) =>
      link.peerIndex === null &&
      other.links.some(({ peerIndex, kind }) => peerIndex === null && kind === link.kind),
  )
  const kinds = [...direct, ...switched].map(({ kind }) => kind)
  return kinds.find((kind) => kind !== 'pcie') ?? kinds[0] ?? null
}
