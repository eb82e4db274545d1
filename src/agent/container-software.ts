/** Whether containers can be started on this machine: a program alone does not do it. */
import { z } from 'zod'
import type { Machine } from '#hardware/probe.ts'
import type { ReportedContainers } from '#protocol/agent-messages.ts'
import { parseJson } from '#std/parse-json.ts'

export interface ContainerLook {
  readonly machine: Pick<Machine, 'run'>
  readonly findProgram: (command: string) => string | null
  /** `docker`, or `podman`. */
  readonly containerRuntime: string
}

/** A daemon that is well answers at once; one that hangs starts no container either. */
const answerWithinMs = 5_000

const runtimesByName = z.record(z.string(), z.unknown())

/** Rejects never. */
export async function containerSoftware(look: ContainerLook): Promise<ReportedContainers> {
  const { machine, findProgram, containerRuntime } = look
  if (findProgram(containerRuntime) === null) return { kind: 'none' }
  // Podman has no daemon to ask, and takes devices by CDI or by path.
  if (containerRuntime !== 'docker') return { kind: 'there', runtimes: null }
  const args = ['info', '--format', '{{json .Runtimes}}']
  const result = await machine.run(containerRuntime, args, answerWithinMs)
  if (result.kind !== 'ran' || result.exitCode !== 0) return { kind: 'none' }
  const runtimes = runtimesByName.safeParse(parseJson(result.stdout))
  return { kind: 'there', runtimes: runtimes.success ? Object.keys(runtimes.data).sort() : null }
}
