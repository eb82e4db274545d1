/** What `motley doctor` prints: the devices in a line each, and what is wrong, worst first. */

import { paint } from '#cli/terminal.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'
import type { Device, Problem } from '#core/device.ts'
import { memoryText } from '#core/memory-text.ts'
import type { Inventory } from '#hardware/detect.ts'

const colours = { error: 'red', warning: 'yellow', note: 'cyan' } as const

export function doctorText(inventory: Inventory, problems: readonly Problem[]): string {
  const devices = inventory.devices.map(deviceLine)
  const head = devices.length === 0 ? ['No device was found.'] : devices
  const verdict =
    problems.length === 0 ? 'Nothing is wrong that can be seen from here.' : countText(problems)
  return [...head, '', verdict, ...problems.flatMap(problemLines)].join('\n')
}

function deviceLine({ name, partition, schedulable, reason, memoryBytes }: Device): string {
  const slice = partition === null ? '' : `, ${partition}`
  const size = memoryBytes === null ? '' : `, ${memoryText(memoryBytes)}`
  const verdict = schedulable ? 'usable' : `not used: ${reason}`
  return wrapped(
    `${schedulable ? '+' : '-'} ${name}${slice}${size}: ${verdict}`,
    terminalWidth,
    '  ',
  ).join('\n')
}

function countText(problems: readonly Problem[]): string {
  const parts = (['error', 'warning', 'note'] as const).flatMap((severity) => {
    const count = problems.filter((one) => one.severity === severity).length
    return count === 0 ? [] : [`${count} ${severity}${count === 1 ? '' : 's'}`]
  })
  return `${parts.join(', ')}:`
}

/** The fix is one line, however long, so that a command in it can be copied. */
function problemLines({ severity, what, why, fix }: Problem): string[] {
  const [first = '', ...rest] = wrapped(`${severity}: ${what}`, terminalWidth, '  ')
  const head = `${paint(colours[severity], severity)}${first.slice(severity.length)}`
  return ['', head, ...rest, ...wrapped(`  why: ${why}`, terminalWidth, '       '), `  fix: ${fix}`]
}
