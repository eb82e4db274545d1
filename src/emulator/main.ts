/**
 * `motley emulate` as the demo fleet starts it: an emulated engine in a process of its own, which
 * ends with the process that forked it.
 */
import { EmulatorOptionsError } from '#emulator/options.ts'
import { type RunningEmulators, readArguments, runEmulate } from '#emulator/run-emulate.ts'

/** The process: 0 when asked to stop, 2 when asked wrongly, 3 when a port is not to be had. */
async function main(): Promise<void> {
  const exit = (code: number): never => process.exit(code)
  let running: RunningEmulators | null = null
  const stop = (): void => {
    if (running === null) exit(0)
    else void running.close().then(() => exit(0))
  }
  process.once('SIGTERM', stop)
  const hasParent = process.send !== undefined
  // The terminal sends these to every process in it. The parent knows what still runs, and ends us.
  for (const signal of ['SIGINT', 'SIGHUP']) process.on(signal, hasParent ? () => {} : stop)
  process.once('disconnect', stop) // the channel of a parent that has died
  if (hasParent && !process.connected) stop()
  try {
    running = await runEmulate(readArguments(process.argv.slice(2)), {
      print: (line) => process.stdout.write(`${line}\n`),
      exit: () => exit(0),
    })
  } catch (error) {
    const isUsage = error instanceof EmulatorOptionsError
    const reason = error instanceof Error ? error.message : String(error)
    process.stderr.write(`motley emulate: ${reason}\n`)
    exit(isUsage ? 2 : 3)
  }
}

await main()
