/** What is to run, as the caller says it; and whether that can be supervised at all. */
import type { KnownError } from '#agent/replicas/exit-meaning.ts'
import type { LaunchPlan } from '#agent/replicas/launch-plan.ts'
import { secretValues } from '#agent/replicas/mask-secrets.ts'
import type { ReplicaId } from '#core/ids.ts'

export interface ReplicaSpec {
  readonly id: ReplicaId
  readonly plan: LaunchPlan
  /** Where the engine will listen, on the loopback interface. */
  readonly port: number
  /** The words this engine is known to end with, the most telling first. */
  readonly knownErrors: readonly KnownError[]
  /** How it is asked to end, and how long it may take before it is killed. */
  readonly stop: { readonly signal: NodeJS.Signals; readonly graceMs: number }
  /** What the caller wants to find again after a restart of the agent: engine, model, … */
  readonly about: Readonly<Record<string, string>>
}

/** A request that the supervisor refuses. The message says why, and what would be right. */
export class SupervisionError extends Error {}

/** It is part of file and container names, also where upper and lower case are the same. */
const idForm = /^[a-z0-9][a-z0-9._-]{0,62}$/

/** @throws {SupervisionError} */
export function checkSpec({ id, plan, port, stop }: ReplicaSpec): void {
  if (!idForm.test(id)) {
    throw new SupervisionError(
      `A replica cannot be called ${JSON.stringify(id)}: it takes 1 to 63 of a-z, 0-9, ".", "_" and "-", the first a letter or digit.`,
    )
  }
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new SupervisionError(`The port of ${id} is ${port}; it must be from 1 to 65535.`)
  }
  if (!(stop.graceMs >= 0)) {
    throw new SupervisionError(`stop.graceMs of ${id} is ${stop.graceMs}; it must be 0 or more.`)
  }
  if (plan.container === null) {
    if (plan.command === '') throw new SupervisionError(`The plan of ${id} has no command.`)
    return
  }
  const { hostAddress, hostPort } = plan.container.network
  if (hostPort !== port) {
    throw new SupervisionError(`The container of ${id} publishes port ${hostPort}, not ${port}.`)
  }
  if (!/^(?:127(?:\.\d{1,3}){3}|\[?::1\]?)$/.test(hostAddress)) {
    throw new SupervisionError(
      `The container of ${id} would listen on ${hostAddress}; engines listen on loopback only, as 127.0.0.1.`,
    )
  }
}

/** Whether both start the same engine in the same way. */
export function startsAlike(one: ReplicaSpec, other: ReplicaSpec): boolean {
  return launchText(one) === launchText(other)
}

function launchText({ plan, port }: ReplicaSpec): string {
  const { command, args, env, secretEnv = {}, container } = plan
  return JSON.stringify(
    [port, command, args, env, secretEnv, container],
    (_name, value: unknown) =>
      // The order of names means nothing, and does not survive every store.
      typeof value === 'object' && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
        : value,
  )
}

/** What must not come out of its log. */
export function secretsOf({ plan }: ReplicaSpec): string[] {
  const keys = plan.args.filter((_arg, at) =>
    /^--?[\w-]*(key|token)$/.test(plan.args[at - 1] ?? ''),
  )
  return [...Object.values(plan.secretEnv ?? {}), ...secretValues(plan.env), ...keys]
}
