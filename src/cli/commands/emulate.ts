import type { Command } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { listsText, useText } from '#cli/emulate-text.ts'
import { onStopSignals } from '#cli/stop-signals.ts'
import type { EmulateArguments } from '#emulator/run-emulate.ts'
import { didYouMean } from '#std/closest.ts'

export function addEmulateCommand(program: Command): void {
  program
    .command('emulate')
    .description('Run an emulated engine: a real server with made-up words, to test against.')
    .option('--engine <name>', 'vllm, sglang, llama-server, ollama or openai (default vllm)')
    .option('--device <name>', 'whose speed it has: one of those below')
    .option('--model <name>', 'a model it serves; may be repeated', append)
    .option('--host <address>', 'where it listens (default 127.0.0.1)')
    .option('--port <number>', 'default 0: any free port')
    .option('--speed <factor>', 'how many times faster all time runs; 0: no time at all')
    .option('--prefill-rate <tokens/s>', 'in place of the speed of a device')
    .option('--decode-rate <tokens/s>', 'in place of the speed of a device')
    .option('--slots <number>', 'requests it runs at a time')
    .option('--kv-tokens <number>', 'tokens its KV cache holds, of all requests together')
    .option('--batch-tokens <number>', 'tokens it computes in one step at most')
    .option('--load-ms <ms>', 'how long it is loading after its start')
    .option('--task <name>', 'a further task it serves, as rerank; may be repeated', append)
    .option('--fault <fault>', 'what to do wrong, see below; may be repeated', append)
    .option('--seed <number>', 'decides every word and every chance')
    .option('--api-key <key>', 'want this key of clients')
    .option('--fleet <file>', 'emulate every engine of a fleet file')
    .option('--json', 'print a line of JSON with the URL of each')
    .addHelpText('after', `\n${listsText()}`)
    .action(emulate)
}

/** Runs until a signal, or until POST /emulator/exit has ended the last of them. */
async function emulate(given: EmulateArguments): Promise<void> {
  const [{ runEmulate }, { EmulatorOptionsError }] = await Promise.all([
    import('#emulator/run-emulate.ts'),
    import('#emulator/options.ts'),
  ])
  try {
    const { emulators, close } = await runEmulate(given, {
      print: (line) => console.log(line),
      exit: () => process.exit(0),
    })
    if (given.json !== true) console.log(useText(emulators, given.fleet !== undefined))
    const stop = () => void close().then(() => process.exit(0))
    onStopSignals(stop)
  } catch (error) {
    if (!(error instanceof Error)) throw error
    if (!(error instanceof EmulatorOptionsError)) throw await notListening(error, given)
    const meant = error.word === null ? '' : didYouMean(error.word.found, error.word.allowed)
    throw new CommandFailure('wrong', `${error.message}${meant}`, { cause: error })
  }
}

/** The port is not to be had: one of the command line, or one of a fleet file. */
async function notListening(error: Error, given: EmulateArguments): Promise<Error> {
  const { listenFailure } = await import('#cli/listen-failure.ts')
  const { address = '127.0.0.1', port = 0 } = error as Error & { address?: string; port?: number }
  const option = (_host: string, other: number) =>
    given.fleet === undefined ? `--port ${other}` : `"port: ${other}" in ${given.fleet}`
  const told = listenFailure(error, `${address}:${port}`, { option })
  return told instanceof CommandFailure
    ? told
    : new CommandFailure('unreachable', error.message, { cause: error })
}

function append(value: string, before: readonly string[] = []): readonly string[] {
  return [...before, value]
}
