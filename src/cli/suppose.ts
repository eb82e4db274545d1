/** What somebody supposes of a fleet, in a few words: `add rtx-3090 24GiB to khelben`, `lose khelben`. */
import { CommandFailure } from '#cli/command-failure.ts'
import { thereIs } from '#cli/there-is.ts'
import { deviceIds } from '#core/device-ids.ts'
import { namedDevices } from '#hardware/probe-named-device.ts'
import type { Inventory, PlacementNode } from '#placement/inventory.ts'
import { withDevices, withNode, withoutNode } from '#placement/what-if.ts'

const forms = 'write "add rtx-3090 24GiB", "add rtx-3090 24GiB to <node>" or "lose <node>"'

/** @throws {CommandFailure} */
export function suppose(inventory: Inventory, text: string): Inventory {
  const words = text.trim().replaceAll(/\s+/g, ' ')
  const [, lost] = /^lose (\S+)$/.exec(words) ?? []
  if (lost !== undefined) return withoutNode(inventory, lost) ?? unknownNode(inventory, text, lost)
  const [, device, to] = /^add (.+?)(?: to (\S+))?$/.exec(words) ?? []
  if (device === undefined) throw new CommandFailure('wrong', `--what-if "${text}": ${forms}`)
  const node = newNode(text, device)
  if (to === undefined) return withNode(inventory, node)
  return withDevices(inventory, to, node.devices) ?? unknownNode(inventory, text, to)
}

function newNode(text: string, device: string): PlacementNode {
  const named = namedDevices(device)
  if (named.kind === 'none') {
    throw new CommandFailure('wrong', `--what-if "${text}": ${named.because}`)
  }
  const { of: kind, devices } = named
  const ids = deviceIds(devices)
  return {
    id: kind.id,
    name: `new-${kind.id}`,
    os: kind.vendor === 'apple' ? 'macos' : 'linux',
    osVersion: null,
    containers: null,
    presence: 'ready',
    draining: false,
    labels: {},
    taints: [],
    devices: devices.map((one, index) => ({
      id: ids[index] as string,
      device: one,
      foreignBytes: 0,
    })),
    engines: null,
    weights: [],
    freeDiskBytes: null,
    diskBytesPerSecond: null,
    networkBytesPerSecond: null,
  }
}

function unknownNode({ nodes }: Inventory, text: string, name: string): never {
  const names = nodes.map((node) => node.name)
  throw new CommandFailure(
    'no',
    `--what-if "${text}": there is no node "${name}"${thereIs(name, names)}`,
  )
}
