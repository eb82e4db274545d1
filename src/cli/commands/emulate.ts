import { type Command, InvalidArgumentError } from 'commander'

interface EmulateFlags {
  readonly engine: string
  readonly device?: string
  readonly model: string[]
  readonly name?: string
  readonly host: string
  readonly port: number
  readonly speed: number
  readonly slots?: number
  readonly loadMs?: number
  readonly fault: string[]
  readonly seed: number
  readonly apiKey?: string
  readonly json?: boolean
}

export function addEmulateCommand(program: Command): void {
  program
    .command('emulate')
    .description('Run an emulated engine: a real server with made-up words, to test against.')
    .option('--engine <name>', 'vllm, sglang, llama-server, ollama or openai', 'vllm')
    .option('--device <name>', 'whose speed it has, as rtx-4090 or h100-sxm')
    .option('--model <name>', 'a model it serves; may be repeated', collect, [])
    .option('--name <name>', 'what it calls itself')
    .option('--host <address>', 'where it listens', '127.0.0.1')
    .option('--port <number>', '0 takes any free port', number, 0)
    .option('--speed <factor>', 'how many times faster all time runs; 0: no time', number, 1)
    .option('--slots <number>', 'requests it runs at a time', number)
    .option('--load-ms <ms>', 'how long it is loading after its start', number)
    .option('--fault <fault>', 'something to do wrong, as cut:40@first=3; repeatable', collect, [])
    .option('--seed <number>', 'decides every word and every chance', number, 0)
    .option('--api-key <key>', 'wants this key of clients')
    .option('--json', 'print one line of JSON with the URL')
    .action(emulate)
}

async function emulate(flags: EmulateFlags): Promise<void> {
  const [{ startEmulator }, { EmulatorOptionsError }, { FaultSyntaxError }, { CommandFailure }] =
    await Promise.all([
      import('#emulator/emulator.ts'),
      import('#emulator/options.ts'),
      import('#emulator/fault.ts'),
      import('#cli/command-failure.ts'),
    ])
}

function collect(value: string, before: string[]): string[] {
  return [...before, value]
}

function number(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || Number.isNaN(value))
    throw new InvalidArgumentError('It is not a number.')
  return value
}
