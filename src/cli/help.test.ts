import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { createProgram, programFor, shownCommands } from '#cli/program.ts'

function shownHelp(command: Command): string {
  let text = ''
  command.configureOutput({ writeOut: (part) => (text += part), getOutHelpWidth: () => 80 })
  command.outputHelp()
  return text
}

function everyCommand(command: Command, parent = ''): { name: string; command: Command }[] {
  const name = `${parent}${command.name()}`
  const children = shownCommands(command).flatMap((child) => everyCommand(child, `${name} `))
  return [{ name, command }, ...children]
}

test('help tells each command, its options and the exit codes, in 80 columns', async () => {
  const texts = everyCommand(await createProgram()).map(
    ({ name, command }) => `$ ${name} --help\n\n${shownHelp(command)}`,
  )
  const text = texts.join('\n')
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  await expect(text).toMatchFileSnapshot('../../fixtures/cli/help.txt')
})

test('every command that reads has --json', async () => {
  const reading = [
    'motley status',
    'motley models',
    'motley detect',
    'motley doctor',
    'motley why',
    'motley why-not',
    'motley plan',
    'motley fit',
    'motley config check',
    'motley engine ls',
    'motley model ls',
    'motley model inspect',
    'motley load',
  ]
  const withJson = everyCommand(await createProgram())
    .filter(({ command }) => command.options.some(({ long }) => long === '--json'))
    .map(({ name }) => name)
  expect(withJson).toEqual(expect.arrayContaining(reading))
})

test('a command that is typed is loaded alone, and is the same as among all', async () => {
  for (const command of shownCommands(await createProgram())) {
    const alone = shownCommands(await programFor([command.name(), '--help']))
    expect(alone.map(shownHelp)).toEqual([shownHelp(command)])
  }
})

test.each([[], ['--help'], ['help', 'up'], ['statsu']])(
  'all are loaded for "%s"',
  async (...args) => {
    const all = shownCommands(await createProgram()).map((command) => command.name())
    const loaded = shownCommands(await programFor(args)).map((command) => command.name())
    expect(loaded).toEqual(all)
  },
)
