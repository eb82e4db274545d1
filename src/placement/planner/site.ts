/**
 * Nodes as the search sees them: numbered, with nodes that differ in nothing that matters to fit put
 * into one class. What a model needs on one of a class, it needs on all of them.
 */
import type { Inventory, PlacementDevice, PlacementNode } from '#placement/inventory.ts'
import { emptyHostBytes, emptyRoom } from '#placement/planner/empty-room.ts'

export interface Site {
  readonly index: number
  readonly node: PlacementNode
  readonly machineClass: MachineClass
  /** Number of its first device among all devices of the fleet; the others follow. */
  readonly firstDevice: number
}

/** Nodes with the same devices, engines and rates. Any of them answers for all. */
export interface MachineClass {
  readonly index: number
  /** Alike for all of its nodes, in this inventory and the next. */
  readonly key: string
  /** Whether something was measured on it: then it is one node, and its key says nothing of that. */
  readonly wasMeasured: boolean
  readonly example: PlacementNode
  /** Devices that cannot be told apart, as positions among those of the node, largest first. */
  readonly kinds: readonly DeviceKind[]
  readonly sites: Site[]
}

export interface DeviceKind {
  readonly example: PlacementDevice
  readonly locals: readonly number[]
}

export interface Sites {
  readonly sites: readonly Site[]
  readonly classes: readonly MachineClass[]
  /** By number of the device. */
  readonly capacityBytes: Float64Array
  readonly ownBytes: Float64Array
  readonly siteOfDevice: Int32Array
  /** By number of the site; infinite where nothing is known about the machine's memory. */
  readonly hostBytes: Float64Array
  readonly byNode: ReadonlyMap<string, Site>
}

/** Nodes are taken in the order of their ids, whatever the order of the inventory. */
export function sitesOf(inventory: Inventory): Sites {
  const nodes = inventory.nodes.toSorted((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  const measured = new Set([
    ...inventory.memory.map(({ node }) => node),
    ...inventory.speeds.map(({ node }) => node),
  ])
  const classes = new Map<string, MachineClass>()
  const sites: Site[] = []
  const capacity: number[] = []
  const own: number[] = []
  const siteOfDevice: number[] = []
  const host: number[] = []
  for (const [index, node] of nodes.entries()) {
    const wasMeasured = measured.has(node.id) || measured.has(node.name)
    const key = machineKey(node, wasMeasured)
    let machineClass = classes.get(key)
    if (machineClass === undefined) {
      machineClass = {
        index: classes.size,
        key,
        wasMeasured,
        example: emptied(node),
        kinds: kindsOf(node),
        sites: [],
      }
      classes.set(key, machineClass)
    }
    const site: Site = { index, node, machineClass, firstDevice: capacity.length }
    machineClass.sites.push(site)
    sites.push(site)
    host.push(emptyHostBytes(node))
    for (const device of node.devices) {
      const room = emptyRoom(device, node)
      capacity.push(room.capacityBytes)
      own.push(room.ownBytes)
      siteOfDevice.push(index)
    }
  }
  return {
    sites,
    classes: [...classes.values()],
    capacityBytes: Float64Array.from(capacity),
    ownBytes: Float64Array.from(own),
    siteOfDevice: Int32Array.from(siteOfDevice),
    hostBytes: Float64Array.from(host),
    byNode: new Map(sites.map((site) => [site.node.id, site])),
  }
}

/** As if nobody else used it: what others hold differs from node to node, and is reckoned there. */
function emptied(node: PlacementNode): PlacementNode {
  return { ...node, devices: node.devices.map((device) => ({ ...device, foreignBytes: 0 })) }
}

function kindsOf(node: PlacementNode): DeviceKind[] {
  const kinds = new Map<string, { example: PlacementDevice; locals: number[] }>()
  for (const [local, device] of node.devices.entries()) {
    if (!device.device.schedulable) continue
    const key = deviceKey(device)
    const kind = kinds.get(key)
    if (kind === undefined) kinds.set(key, { example: device, locals: [local] })
    else kind.locals.push(local)
  }
  return [...kinds.values()].toSorted(
    (a, b) => emptyRoom(b.example, node).capacityBytes - emptyRoom(a.example, node).capacityBytes,
  )
}

/** A node on which something was measured stands for itself alone. */
function machineKey(node: PlacementNode, wasMeasured: boolean): string {
  return JSON.stringify([
    wasMeasured ? node.id : '',
    node.os,
    node.osVersion,
    node.containers,
    node.engines,
    node.diskBytesPerSecond,
    node.networkBytesPerSecond,
    node.devices.map((device) => [device.id, device.device.schedulable, deviceKey(device)]),
  ])
}

/** All of a device that stays as it is while it is used. */
function deviceKey({ device }: PlacementDevice): string {
  const { memory } = device
  return [
    device.vendor,
    device.name,
    device.architecture,
    device.partition,
    device.parent,
    device.driverVersion,
    memory.dedicated?.totalBytes,
    memory.unified?.totalBytes,
    memory.carveOut?.totalBytes,
    memory.shared?.totalBytes,
    memory.limitBytes,
    memory.reservedBytes,
    device.memoryBytes,
    device.memoryBandwidthBytesPerSecond,
    device.memoryBandwidthClass,
    device.computeUnits,
    device.pcieGeneration,
    device.pcieLanes,
    device.features.join(),
    Object.entries(device.runtimes).join(),
  ].join('|')
}
