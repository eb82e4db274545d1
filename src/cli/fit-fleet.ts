/** The machines that `motley fit` looks at: named devices, a file, the fleet, or this machine. */
import { readFileSync } from 'node:fs'
import { CommandFailure } from '#cli/command-failure.ts'
import { endProbesOnSignals } from '#cli/end-probes.ts'
import { askGateway, type GatewayOptions } from '#cli/gateway-client.ts'
import type { Device } from '#core/device.ts'
import { deviceIds } from '#core/device-ids.ts'
import { detect } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import { liveMachine } from '#hardware/machine/live-machine.ts'
import { namedDevices } from '#hardware/probe-named-device.ts'
import type { Inventory, PlacementNode } from '#placement/inventory.ts'
import { fleetPicture, readInventory } from '#placement/read-inventory.ts'
import { systemClock } from '#std/clock.ts'
import { parseJson } from '#std/parse-json.ts'

export interface FleetOptions extends GatewayOptions {
  readonly on?: string
  readonly inventory?: string
}

/** `inventoryOption`: what names the file, for errors. @throws {CommandFailure} */
export async function fitFleet(
  options: FleetOptions,
  inventoryOption = '--inventory',
): Promise<Inventory> {
  const { on, inventory } = options
  if (on !== undefined && inventory !== undefined) {
    throw new CommandFailure(
      'wrong',
      'devices are named (--on) or in a file (--inventory), not both',
    )
  }
  if (on !== undefined) return onlyNode(namedNode(on))
  if (inventory !== undefined) return inventoryOfFile(inventory, inventoryOption)
  return (await fleetOfController(options)) ?? onlyNode(await thisMachine())
}

function onlyNode(node: PlacementNode): Inventory {
  return { nodes: [node], replicas: [], memory: [], speeds: [] }
}

/** @throws {CommandFailure} */
export function namedNode(text: string): PlacementNode {
  const named = namedDevices(text)
  if (named.kind === 'none') throw new CommandFailure('wrong', `--on "${text}": ${named.because}`)
  const os = named.of.vendor === 'apple' ? 'macos' : 'linux'
  return nodeOf(text, os, named.devices)
}

function inventoryOfFile(path: string, option: string): Inventory {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    const { code = 'it cannot be read' } = error as NodeJS.ErrnoException
    const why = code === 'ENOENT' ? 'there is no such file' : code
    throw new CommandFailure('wrong', `${option} ${path}: ${why}; "motley nodes --json" prints one`)
  }
  return pictureOf(parseJson(text), `${option} ${path}`)
}

function pictureOf(json: unknown, where: string): Inventory {
  const parsed = fleetPicture.safeParse(json)
  if (parsed.success) return readInventory(parsed.data)
  const [issue] = parsed.error.issues
  const place = issue?.path.join('.') || 'the top'
  throw new CommandFailure(
    'wrong',
    `${where}: it is not what "motley nodes --json" prints: at ${place}: ${issue?.message}`,
  )
}

/** Null where no controller answers: then this machine is all there is. */
async function fleetOfController(options: GatewayOptions): Promise<Inventory | null> {
  const isNamed = options.url !== undefined || process.env['MOTLEY_URL'] !== undefined
  try {
    const answer = await askGateway('/admin/v1/nodes', options, 'an admin key')
    return answer === null ? null : pictureOf(answer, 'the controller')
  } catch (error) {
    if (!isNamed && error instanceof CommandFailure && error.exitCode === 3) return null
    throw error
  }
}

async function thisMachine(): Promise<PlacementNode> {
  const signalsFree = endProbesOnSignals()
  const { inventory } = await detect(probes, liveMachine({ env: process.env }), {
    clock: systemClock,
  })
  signalsFree()
  const os = ({ darwin: 'macos', win32: 'windows' } as const)[inventory.os as 'darwin'] ?? 'linux'
  return nodeOf('this machine', os, inventory.devices)
}

function nodeOf(name: string, os: PlacementNode['os'], devices: readonly Device[]): PlacementNode {
  const ids = deviceIds(devices)
  return {
    id: name,
    name,
    os,
    osVersion: null,
    containers: null,
    presence: 'ready',
    draining: false,
    labels: {},
    taints: [],
    devices: devices.map((device, index) => ({
      id: ids[index] ?? `${device.vendor}-${index}`,
      device,
      // Whatever it holds now is not ours.
      foreignBytes: device.usedMemoryBytes ?? 0,
    })),
    ...{ engines: null, weights: [], freeDiskBytes: null },
    ...{ diskBytesPerSecond: null, networkBytesPerSecond: null },
  }
}
