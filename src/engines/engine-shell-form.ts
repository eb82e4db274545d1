/** A launch plan as the command a person would type. Secrets are named, never written. */
import type { ContainerPlan, LaunchPlan } from '#engines/engine-launch.ts'

/** Text for a POSIX shell: one option a line, ready to be pasted. Ends without a newline. */
export function shellForm(plan: LaunchPlan, name: string): string {
  const words =
    plan.container === null ? nativeWords(plan) : dockerWords(plan, plan.container, name)
  return words.join(' \\\n  ')
}

function nativeWords(plan: LaunchPlan): string[] {
  const set = Object.entries(plan.env).map(([key, value]) => `${key}=${quoted(value)}`)
  const secret = Object.keys(plan.secretEnv).map((key) => `${key}="$${key}"`)
  return [...set, ...secret, quoted(plan.command), ...pairs(plan.args)]
}

function dockerWords(plan: LaunchPlan, container: ContainerPlan, name: string): string[] {
  const { network } = container
  const option = (flag: string, value: string): string => `${flag} ${quoted(value)}`
  return [
    `docker run --rm ${option('--name', name)}`,
    ...(container.runtime === null ? [] : [option('--runtime', container.runtime)]),
    // Docker reads a list in this option as CSV, so it wants quotes of its own.
    ...(container.gpus === null ? [] : [option('--gpus', `"device=${container.gpus.join(',')}"`)]),
    ...container.devices.map((path) => option('--device', path)),
    ...container.groups.map((group) => option('--group-add', group)),
    ...(container.ipc === null ? [] : [option('--ipc', container.ipc)]),
    ...(container.shmBytes === null ? [] : [option('--shm-size', String(container.shmBytes))]),
    ...container.capAdd.map((capability) => option('--cap-add', capability)),
    ...container.securityOptions.map((security) => option('--security-opt', security)),
    ...Object.entries(container.ulimits).map(([key, limit]) =>
      option('--ulimit', `${key}=${limit}`),
    ),
    option('-p', `${network.hostAddress}:${network.hostPort}:${network.containerPort}`),
    ...container.mounts.map(({ source, target, readOnly }) =>
      option('-v', `${source}:${target}${readOnly ? ':ro' : ''}`),
    ),
    ...Object.entries(plan.env).map(([key, value]) => option('-e', `${key}=${value}`)),
    // A name alone passes the variable on from the shell.
    ...Object.keys(plan.secretEnv).map((key) => option('-e', key)),
    option('--entrypoint', plan.command),
    quoted(container.image),
    ...pairs(plan.args),
  ]
}

/** An option and its value on one line. */
function pairs(args: readonly string[]): string[] {
  const lines: string[] = []
  for (let at = 0; at < args.length; at++) {
    const word = args[at] as string
    const next = args[at + 1]
    const takesNext = word.startsWith('-') && next !== undefined && !next.startsWith('-')
    lines.push(takesNext ? `${quoted(word)} ${quoted(next)}` : quoted(word))
    if (takesNext) at++
  }
  return lines
}

/** In single quotes unless no shell would see anything in it. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`
}
