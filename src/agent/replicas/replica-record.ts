/**
 * What an agent must know of its replicas when it comes back: one small file for each, written
 * whole or not at all. They hold secrets of the plan, so only the agent's user may read them.
 */
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { ProcessMark } from '#agent/replicas/process-mark.ts'
import type { ReplicaMachine } from '#agent/replicas/replica-machine.ts'
import type { ReplicaSpec } from '#agent/replicas/replica-spec.ts'
import { type ReplicaId, replicaId } from '#core/ids.ts'
import type { ReplicaExit } from '#core/replica.ts'
import { makeFolder } from '#std/make-folder.ts'
import { parseJson } from '#std/parse-json.ts'

export interface ReplicaRecord {
  readonly spec: ReplicaSpec
  readonly machine: ReplicaMachine
  /** Of the newest launch; null before the first. */
  readonly launchId: string | null
  /** Null while none runs, and while it is being launched. */
  readonly mark: ProcessMark | null
  /** Where in its log the newest launch begins. */
  readonly logOffset: number
  readonly lastExit: ReplicaExit | null
}

/** A file that is not what we write. The message says which one and what is wrong. */
export class RecordError extends Error {}

const texts = z.record(z.string(), z.string())
const milliseconds = z.number()

const recordForm = z.object({
  version: z.literal(1),
  spec: z.object({
    id: z.string().transform(replicaId),
    plan: z.object({
      command: z.string(),
      args: z.array(z.string()),
      env: texts,
      secretEnv: texts.optional(),
      container: z
        .object({
          image: z.string(),
          devices: z.array(z.string()),
          gpus: z.array(z.string()).nullable(),
          groups: z.array(z.string()),
          ipc: z.literal('host').nullable(),
          shmBytes: z.number().nullable(),
          mounts: z.array(
            z.object({ source: z.string(), target: z.string(), readOnly: z.boolean() }),
          ),
          network: z.object({
            hostAddress: z.string(),
            hostPort: z.number(),
            containerPort: z.number(),
          }),
          capAdd: z.array(z.string()),
          securityOptions: z.array(z.string()),
          ulimits: z.record(z.string(), z.number()),
          runtime: z.string().nullable(),
        })
        .nullable(),
    }),
    port: z.int(),
    knownErrors: z.array(
      z.object({
        pattern: z
          .object({ source: z.string(), flags: z.string() })
          .transform(({ source, flags }) => new RegExp(source, flags)),
        meaning: z.string(),
        fix: z.string().nullable(),
        permanent: z.boolean().optional(),
      }),
    ),
    stop: z.object({
      signal: z.templateLiteral(['SIG', z.string()]).transform((name) => name as NodeJS.Signals),
      graceMs: milliseconds,
    }),
    about: texts,
  }),
  machine: z.object({
    state: z.enum([
      'starting',
      'loading',
      'ready',
      'stopping',
      'stopped',
      'backing-off',
      'crash-looping',
      'failed',
    ]),
    sinceMs: milliseconds,
    process: z.enum(['none', 'launching', 'running']),
    startsAgain: z.boolean(),
    dueAtMs: milliseconds.nullable(),
    readyAtMs: milliseconds.nullable(),
    missedProbes: z.int(),
    endsInARow: z.int(),
    endedAtMs: z.array(milliseconds),
    crashLoops: z.boolean(),
    restarts: z.int(),
  }),
  launchId: z.string().nullable(),
  mark: z.object({ pid: z.int().positive(), started: z.string() }).nullable(),
  logOffset: z.number(),
  lastExit: z
    .object({
      atMs: milliseconds.nullable().default(null),
      code: z.int().nullable(),
      signal: z.string().nullable(),
      lastWords: z.array(z.string()),
      meaning: z.string().nullable(),
      fix: z.string().nullable(),
    })
    .nullable(),
})

const ending = '.json'

export async function writeRecord(directory: string, record: ReplicaRecord): Promise<void> {
  const path = join(directory, record.spec.id + ending)
  const text = JSON.stringify({ version: 1, ...record }, (_name, value: unknown) =>
    value instanceof RegExp ? { source: value.source, flags: value.flags } : value,
  )
  await makeFolder(directory, { mode: 0o700 })
  const part = await open(`${path}.part`, 'w', 0o600)
  try {
    await part.writeFile(text)
    await part.sync()
  } finally {
    await part.close()
  }
  await rename(`${path}.part`, path)
  await syncDirectory(directory)
}

export async function removeRecord(directory: string, id: ReplicaId): Promise<void> {
  await rm(join(directory, id + ending), { force: true })
  await syncDirectory(directory)
}

/** `refuse` is told of each file that cannot be used; the others come back. */
export async function readRecords(
  directory: string,
  refuse: (error: RecordError) => void,
): Promise<ReplicaRecord[]> {
  await makeFolder(directory, { mode: 0o700 })
  const records: ReplicaRecord[] = []
  for (const name of await readdir(directory)) {
    if (!name.endsWith(ending)) continue
    const path = join(directory, name)
    const form = recordForm.safeParse(parseJson(await readFile(path, 'utf8')))
    if (form.success) records.push(form.data)
    else {
      const what = z.prettifyError(form.error).replaceAll('\n', ' ')
      refuse(new RecordError(`${path} is not a replica's record, and is left alone: ${what}`))
    }
  }
  return records
}

/** A rename is only sure to be there after a power cut when its folder is written as well. */
async function syncDirectory(directory: string): Promise<void> {
  const folder = await open(directory, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
