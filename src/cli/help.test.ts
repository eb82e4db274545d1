import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { createProgram, shownCommands } from '#cli/program.ts'

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
  const texts = everyCommand(createProgram()).map(
    ({ name, command }) => `$ ${name} --help\n\n${shownHelp(command)}`,
  )
  const text = texts.join('\n')
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  await expect(text).toMatchFileSnapshot('../../fixtures/cli/help.txt')
})

test('every command that reads has --json', () => {
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
  const withJson = everyCommand(createProgram())
    .filter(({ command }) => command.options.some(({ long }) => long === '--json'))
    .map(({ name }) => name)
  expect(withJson).toEqual(expect.arrayContaining(reading))
})
