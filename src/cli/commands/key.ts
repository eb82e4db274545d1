import { createHash, randomBytes } from 'node:crypto'
import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { printJson } from '#cli/terminal.ts'
import { nameText } from '#core/config/text.ts'

interface KeyFlags {
  readonly name: string
  readonly admin?: boolean
  readonly json?: boolean
}

export function addKeyCommand(program: Command): void {
  const key = program.command('key').description('Make keys for those who use the gateway.')
  key
    .command('create')
    .description('Make a key. It is shown once; the configuration keeps only its hash.')
    .requiredOption('--name <name>', 'who will use it')
    .option('--admin', 'may also read /stats, /metrics and what "motley status" shows')
    .option('--json', 'print JSON')
    .action(({ name, admin = false, json }: KeyFlags) => {
      if (!nameText.safeParse(name).success) {
        throw new CommandFailure(
          'wrong',
          `--name: found ${JSON.stringify(name)}, allowed: ${nameText.meta()?.['allowed']}`,
        )
      }
      const { text, hash } = newKey()
      if (json) printJson({ name, key: text, keyHash: hash, admin })
      else console.log(keyText(name, text, hash, admin))
    })
}

/** 32 random bytes: nobody guesses those, so a plain hash of them is safe to keep. */
function newKey(): { text: string; hash: string } {
  const text = `mk-${randomBytes(32).toString('base64url')}`
  return { text, hash: `sha256:${createHash('sha256').update(text).digest('hex')}` }
}

function keyText(name: string, text: string, hash: string, admin: boolean): string {
  const use = admin
    ? `For "motley status" and "motley why": export MOTLEY_KEY=${text}`
    : 'It may use the API. "motley status" and /stats want a key made with --admin.'
  return `The key of "${name}", shown only now:

  ${text}

For motley.yaml, which keeps only the hash:

  gateway:
    keys:
      - name: ${name}
        keyHash: ${hash}${admin ? '\n        admin: true' : ''}

${use}`
}
