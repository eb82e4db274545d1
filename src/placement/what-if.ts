/** The same fleet with one thing changed: what would be planned if it were so. Pure. */
import type { Inventory, PlacementDevice, PlacementNode } from '#placement/inventory.ts'

/** Returns null where there is no such node. */
export function withoutNode(inventory: Inventory, name: string): Inventory | null {
  const node = nodeNamed(inventory, name)
  if (node === null) return null
  return replaceNode(inventory, { ...node, presence: 'lost' })
}

/** It takes nothing new, and what was planned there leaves. Returns null where there is no such node. */
export function withDrained(inventory: Inventory, name: string): Inventory | null {
  const node = nodeNamed(inventory, name)
  return node === null ? null : replaceNode(inventory, { ...node, draining: true })
}

/** As a machine of its own, with nothing else in it. */
export function withNode(inventory: Inventory, node: PlacementNode): Inventory {
  const taken = new Set(inventory.nodes.flatMap(({ id, name }) => [id, name]))
  let name = node.name
  for (let count = 2; taken.has(name); count += 1) name = `${node.name}-${count}`
  return { ...inventory, nodes: [...inventory.nodes, { ...node, id: name, name }] }
}

/** In a machine that is there. Returns null where there is none of that name. */
export function withDevices(
  inventory: Inventory,
  name: string,
  devices: readonly PlacementDevice[],
): Inventory | null {
  const node = nodeNamed(inventory, name)
  if (node === null) return null
  const added = devices.filter(({ device }) => device.vendor !== 'cpu')
  const numbered = added.map((one, index): PlacementDevice => {
    // After the highest number, and not their count: one that is broken or hidden leaves a gap.
    const numbers = node.devices
      .filter(({ device }) => device.vendor === one.device.vendor)
      .map(({ device }) => device.index ?? 0)
    const number = Math.max(-1, ...numbers) + 1 + index
    return {
      ...one,
      id: `${one.device.vendor}-${number}`,
      device: { ...one.device, index: number },
    }
  })
  return replaceNode(inventory, { ...node, devices: [...node.devices, ...numbered] })
}

function nodeNamed({ nodes }: Inventory, name: string): PlacementNode | null {
  return nodes.find((node) => node.name === name || node.id === name) ?? null
}

function replaceNode(inventory: Inventory, node: PlacementNode): Inventory {
  const nodes = inventory.nodes.map((one) => (one.id === node.id ? node : one))
  return { ...inventory, nodes }
}
