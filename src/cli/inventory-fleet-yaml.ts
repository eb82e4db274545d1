import { stringify } from 'yaml'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { InventoryFleet } from '#simulator/inventory-fleet.ts'

/** A fleet file; what its speeds rest on, and what is left out, stand in comments. */
export function fleetYaml({ endpoints, unknown }: InventoryFleet): string {
  const lines = [
    '# For "motley simulate": a fleet as its inventory, or a log, tells it.',
    ...leftOutLines(unknown),
    'endpoints:',
    ...endpoints.flatMap(({ basis, ...entry }) => [
      ...wrapped(`  # Speed: ${basis}.`, terminalWidth, '  #   '),
      ...entryLines(entry),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

/** Each kind of device once, with how many there are. */
function leftOutLines(unknown: readonly string[]): string[] {
  if (unknown.length === 0) return []
  const kinds = [...Map.groupBy(unknown, (device) => device)].map(([device, all]) =>
    all.length === 1 ? device : `${all.length} × ${device}`,
  )
  const text = `# Left out, as nobody knows how fast they are: ${kinds.join('; ')}`
  return wrapped(text, terminalWidth, '#   ')
}

const itemIndent = '    '

function entryLines(entry: object): string[] {
  const text = stringify(entry, {
    collectionStyle: 'flow',
    lineWidth: terminalWidth - itemIndent.length,
  })
  return text
    .trimEnd()
    .split('\n')
    .map((line, at) => `${at === 0 ? '  - ' : itemIndent}${line}`)
}
