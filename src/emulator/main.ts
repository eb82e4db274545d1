import { EmulatorOptionsError } from '#emulator/options.ts'
import { readArguments, runEmulate } from '#emulator/run-emulate.ts'

/** The process: 0 when asked to stop, 2 when asked wrongly, 3 when a port is not to be had. */
async function main(): Promise<void> {
  const exit = (code: number): never => process.exit(code)
  try {
    const running = await runEmulate(readArguments(process.argv.slice(2)), {
      print: (line) => process.stdout.write(`${line}\n`),
      exit: () => exit(0),
    })
    const stop = (): void => void running.close().then(() => exit(0))
    process.once('SIGTERM', stop)
    process.once('SIGINT', stop)
    process.once('disconnect', stop)
  } catch (error) {
    const isUsage = error instanceof EmulatorOptionsError
    const reason = error instanceof Error ? error.message : String(error)
    process.stderr.write(`motley emulate: ${reason}\n`)
    exit(isUsage ? 2 : 3)
  }
}

await main()
