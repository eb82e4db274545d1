/** The alarms of replicas as a file in the folder of an agent. */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { makeFolderSync } from '#std/make-folder.ts'
import { parseJson } from '#std/parse-json.ts'

const stored = z.array(
  z.object({
    replica: z.string(),
    /** Of the engine that it is true of; of another one nothing is known. */
    pid: z.int(),
    fromLog: z.array(z.string()),
    fromBenchmark: z.string().nullable(),
  }),
)

/** Whole or not at all. */
export function writeAlarms(directory: string, text: string): void {
  makeFolderSync(directory, { mode: 0o700 })
  const file = alarmsFile(directory)
  writeFileSync(`${file}.new`, text, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** What was last written down in the folder of an agent; empty when nothing was, or it is damaged. */
export function readStoredAlarms(directory: string): z.infer<typeof stored> {
  let text: string
  try {
    text = readFileSync(alarmsFile(directory), 'utf8')
  } catch {
    return []
  }
  const form = stored.safeParse(parseJson(text))
  return form.success ? form.data : []
}

function alarmsFile(directory: string): string {
  return join(directory, 'alarms.json')
}
