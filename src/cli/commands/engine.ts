import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { engineDirectory, isInstalled } from '#cli/data-directory.ts'
import { tableLines } from '#cli/table.ts'
import { printJson } from '#cli/terminal.ts'
import {
  chooseVariant,
  installVariant,
  VariantFolderError,
  VariantInstallError,
  variants,
} from '#embedded/variant.ts'
import { asClause } from '#std/as-clause.ts'

export function addEngineCommand(program: Command): void {
  const engine = program.command('engine').description('Manage builds of the embedded engine.')
  engine
    .command('install')
    .description('Download the build that suits this machine, or the one that is named.')
    .argument('[variant]', `one of ${variants.join(', ')}`)
    .action(install)
  engine
    .command('ls')
    .description('List the builds: which comes with Motley, is installed, is best here.')
    .option('--json', 'print JSON')
    .action(list)
}

async function install(named: string | undefined): Promise<void> {
  const choice = chooseVariant()
  const variant = variants.find((each) => each === (named ?? choice.variant))
  if (variant === undefined) {
    throw new CommandFailure('wrong', `found "${named}", allowed: one of ${variants.join(', ')}`)
  }
  const reason = named === undefined ? ` (${choice.reason})` : ''
  if (isIncluded(variant)) {
    console.log(`${variant} comes with Motley: there is nothing to install${reason}.`)
    return
  }
  const directory = engineDirectory(variant)
  console.log(`Installing ${variant} into ${directory}${reason} …`)
  try {
    await installVariant(variant, directory, { onLine: (line) => console.log(`  ${line}`) })
  } catch (error) {
    if (!(error instanceof VariantInstallError)) throw error
    const way = error instanceof VariantFolderError ? '; MOTLEY_DATA_DIR names another folder' : ''
    throw new CommandFailure('unreachable', `${asClause(error.message)}${way}`, { cause: error })
  }
  console.log(`Done. "motley up" uses ${variant} from its next start.`)
}

function list({ json }: { json?: boolean }): void {
  const choice = chooseVariant()
  const rows = variants.map((variant) => ({
    variant,
    included: isIncluded(variant),
    installed: isIncluded(variant) || isInstalled(variant),
    best: variant === choice.variant,
  }))
  if (json) {
    printJson({ variants: rows, reason: choice.reason })
    return
  }
  const state = (row: (typeof rows)[number]) =>
    row.included ? 'comes with Motley' : row.installed ? 'installed' : '-'
  const lines = tableLines(
    [{ title: 'BUILD' }, { title: 'STATE' }, { title: 'HERE' }],
    rows.map((row) => [row.variant, state(row), row.best ? `best: ${choice.reason}` : '']),
  )
  console.log(lines.join('\n'))
}

/** The CPU build comes for every system; on Apple silicon it has Metal inside. */
function isIncluded(variant: string): boolean {
  return variant === 'cpu' || (variant === 'metal' && process.platform === 'darwin')
}
