/**
 * Names in what people write that nothing here has: no error, because a node may join later, and
 * worth saying, because most of them are slips.
 */
import type { Deployment } from '#core/deployment.ts'
import type { Inventory } from '#placement/inventory.ts'
import type { NodeStatement } from '#placement/read-inventory.ts'
import { closest } from '#std/closest.ts'

/** `statements`: by the names of nodes. One sentence each. */
export function namingProblems(
  statements: Readonly<Record<string, Pick<NodeStatement, 'devices'>>>,
  deployments: readonly Deployment[],
  { nodes }: Inventory,
): readonly string[] {
  const names = nodes.map(({ name }) => name)
  const stated = Object.entries(statements).flatMap(([name, { devices }]) => {
    const node = nodes.find((one) => one.name === name)
    if (node === undefined) return [`nodes.${name}: ${noNode(name, names)}`]
    // Of a node that has not told what it has, nobody knows.
    if (node.devices.length === 0) return []
    const there = node.devices.map(({ id }) => id)
    return Object.keys(devices)
      .filter((id) => !there.includes(id))
      .map(
        (id) =>
          `nodes.${name}.devices.${id}: ${name} has no such device; it has ${there.join(', ')}`,
      )
  })
  const asked = deployments.flatMap(({ name, constraints }) =>
    (constraints.nodes ?? [])
      .filter((node) => !names.includes(node))
      .map((node) => `deployments.${name}.constraints.nodes: ${noNode(node, names)}`),
  )
  return [...stated, ...asked]
}

function noNode(name: string, names: readonly string[]): string {
  const meant = closest(name, names)
  const hint = meant === null ? '' : `; did you mean ${meant}?`
  return `no node called ${name} has joined${hint}`
}
