/** What `motley emulate` says to people: what there is to choose from, and what to do then. */
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import { emulatedDevices } from '#emulator/engine-model.ts'
import { faultConditions, faultKinds } from '#emulator/fault.ts'

/** Whose speed there is, and all that can go wrong. */
export function listsText(): string {
  const devices = Object.entries(Object.groupBy(Object.entries(emulatedDevices), weightsOf))
  const faults = faultKinds.map(({ example, what }) => [example, what])
  return [
    'Devices, each as fast as it was with these weights:',
    ...devices.flatMap(([weights, those = []]) => {
      const names = those.map(([name]) => name).join(', ')
      return wrapped(`  ${weights}: ${names}`, terminalWidth, '    ')
    }),
    '',
    ...wrapped(
      'Faults, as cut:40@first=3; events of a stream are counted from the first word of the answer:',
      terminalWidth,
      '  ',
    ),
    ...faults.flatMap(([example = '', what = '']) =>
      wrapped(
        `  ${example.padEnd(faultWidth)}  ${what}`,
        terminalWidth,
        ' '.repeat(faultWidth + 4),
      ),
    ),
    ...wrapped(`When: ${faultConditions}; always, if nothing is said.`, terminalWidth, '  '),
    'They can be changed while it runs: POST /emulator/faults, a JSON list of them.',
  ].join('\n')
}

const weightsOf = ([, { model }]: readonly [string, { readonly model: string }]): string => model

/** All but the longest fit into it. */
const faultWidth = 20

interface Named {
  readonly url: string
  readonly settings: { readonly name: string }
}

/**
 * What to do with them, for a person. Several that run side by side are told apart by their ports;
 * those of a fleet file have names.
 */
export function useText(emulators: readonly Named[], areNamed: boolean): string {
  const entries = emulators.map(({ settings, url }) => {
    const name = areNamed ? settings.name : `${settings.name}-${new URL(url).port}`
    return `  - { url: "${url}", name: ${name} }`
  })
  return ['', 'For motley.yaml:', '', 'endpoints:', ...entries, '', 'Ctrl-C stops it.'].join('\n')
}
