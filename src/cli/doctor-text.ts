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

function problemLines({ severity, what, why, fix }: Problem): string[] {
  const [first = '', ...rest] = wrapped(`${severity}: ${what}`, terminalWidth, '  ')
  const head = `${paint(colours[severity], severity)}${first.slice(severity.length)}`
  return ['', head, ...rest, ...wrapped(`  why: ${why}`, terminalWidth, indent), ...fixLines(fix)]
}

const label = '  fix: '
const indent = ' '.repeat(label.length)

/** A command in a sentence, up to where the sentence goes on; those in quotes are part of it. */
const programs = 'sudo|cmake|echo|cat|nvidia-smi|xpu-smi|vulkaninfo|sysctl'
const command = new RegExp(
  `(?<!["\\w])(?<!\\w )\\b(?:(?:${programs}) |export \\w+=).+?(?=$|\\.? \\(|\\. |\\.$|, (?:and|then|or) )`,
  'g',
)

/**
 * A fix that is longer than a line has each of its commands on lines of its own, which a shell takes
 * as they are.
 */
function fixLines(fix: string): string[] {
  const line = `${label}${fix}`
  if (line.length <= terminalWidth) return [line]
  const lines: string[] = []
  const say = (text: string) => {
    const words = text.replace(/^[.,]? /, '').trim()
    if (words === '') return
    const start = lines.length === 0 ? label : indent
    lines.push(...wrapped(`${start}${words}`, terminalWidth, indent))
  }
  let at = 0
  for (const { index, 0: text } of fix.matchAll(command)) {
    say(fix.slice(at, index))
    lines.push(...commandLines(text, lines.length === 0 ? label : indent))
    at = index + text.length
  }
  say(fix.slice(at))
  return lines
}

function commandLines(text: string, start: string): string[] {
  const mark = ' \\'
  const lines = wrapped(`${start}${text}`, terminalWidth - mark.length, `${indent}  `)
  return lines.map((line, at) => (at < lines.length - 1 ? `${line}${mark}` : line))
}
