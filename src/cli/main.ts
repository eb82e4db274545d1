/** Runs one command and ends with its exit code. */
import { getCompileCacheDir } from 'node:module'
import { CommanderError } from 'commander'
import { CommandFailure } from '#cli/command-failure.ts'
import { keepCompileCache } from '#cli/compile-cache.ts'
import { ConfigError } from '#cli/config-error.ts'
import { packageFile } from '#cli/package-files.ts'
import { programFor, usageExitCode } from '#cli/program.ts'
import { logLine } from '#cli/terminal.ts'

// So that lists of processes show what a person has typed, not how Node was started.
process.title = ['motley', ...process.argv.slice(2)].join(' ')

// Started by bin/motley under another Node: when that process is gone, so is the one who asked.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
process.channel?.unref()

// `motley models | head -1` closes the pipe early; that is no mistake of anybody.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit()
})

keepCompileCache({
  own: getCompileCacheDir(),
  folder: packageFile('node_modules/.cache/motley'),
})

try {
  const program = await programFor(process.argv.slice(2))
  await program.parseAsync()
} catch (error) {
  process.exit(report(error))
}

/** Says what went wrong, in one line where it is somebody's to mend, and gives the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return usageExitCode(error)
  if (error instanceof CommandFailure) {
    logLine(`motley: ${error.message}`)
    return error.exitCode
  }
  if (error instanceof ConfigError) {
    logLine(error.message)
    return 2
  }
  process.stderr.write(
    `motley: a mistake of its own, please report it: ${error instanceof Error ? error.stack : error}\n`,
  )
  return 70
}
