/**
 * The join token that a person hands to `motley agent`. An argument of a command can be read by every
 * user of the machine, so there are ways that show it to nobody.
 */
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { parseToken } from '#agent/parse-token.ts'
import { CommandFailure } from '#cli/command-failure.ts'

export interface TokenFlags {
  readonly token?: string
  readonly tokenFile?: string
}

/** Null when none is given. Throws {@link CommandFailure}. */
export async function givenToken(
  { token, tokenFile }: TokenFlags,
  env: NodeJS.ProcessEnv,
  input: NodeJS.ReadStream,
): Promise<{ readonly secret: string; readonly fingerprint: string } | null> {
  if (token !== undefined && tokenFile !== undefined) {
    throw new CommandFailure('wrong', '--token and --token-file exclude each other: give one')
  }
  const source =
    token !== undefined ? '--token' : tokenFile === undefined ? 'MOTLEY_TOKEN' : '--token-file'
  const text =
    tokenFile === undefined
      ? (token ?? env['MOTLEY_TOKEN'])
      : tokenFile === '-'
        ? await firstLine(input)
        : readTokenFile(tokenFile)
  if (text === undefined) return null
  if (text.trim() === '') {
    const other = source === 'MOTLEY_TOKEN' ? 'set it to' : 'give it'
    throw new CommandFailure(
      'wrong',
      `${source} is empty: ${other} the token that "motley token create" printed`,
    )
  }
  const parsed = parseToken(text)
  if (parsed !== null) return parsed
  throw new CommandFailure(
    'wrong',
    `${source}: the token is not whole: it is "mt-", a secret, ".", and 64 letters and digits; copy it again`,
  )
}

function readTokenFile(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new CommandFailure('wrong', `--token-file: ${file} cannot be read (${code})`, { cause })
  }
}

/** What is typed or piped up to the end of the line; nothing more is read. */
async function firstLine(input: NodeJS.ReadStream): Promise<string> {
  if (input.isTTY) process.stderr.write('Token: ')
  const lines = createInterface({ input })
  for await (const line of lines) {
    lines.close()
    return line
  }
  return ''
}
