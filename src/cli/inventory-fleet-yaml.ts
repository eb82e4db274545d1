import { stringify } from 'yaml'
import type { InventoryFleet } from '#simulator/inventory-fleet.ts'

/** A fleet file; what its speeds rest on, and what is left out, stand in comments. */
export function fleetYaml({ endpoints, unknown }: InventoryFleet): string {
  const lines = [
    '# For "motley simulate": a fleet as its inventory tells it.',
    ...unknown.map((device) => `# Left out, for want of a speed: ${device}`),
    'endpoints:',
    ...endpoints.flatMap(({ basis, ...entry }) => [
      `  # Speed: ${basis}.`,
      `  - ${stringify(entry, { collectionStyle: 'flow', lineWidth: 0 }).trimEnd()}`,
    ]),
  ]
  return `${lines.join('\n')}\n`
}
