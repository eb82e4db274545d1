/** The machines recorded under fixtures/hardware/, and their texts for tests that damage them. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

const root = new URL('../../fixtures/hardware/', import.meta.url)

export interface RecordedMachine {
  /** nvidia/l40s */
  readonly id: string
  /** machine.json, not yet checked. */
  readonly recording: unknown
  readonly readPart: (name: string) => string | null
  /** Where a file of this machine is, or would be. */
  readonly fileOf: (name: string) => URL
}

export function recordedMachines(): RecordedMachine[] {
  const folders = (url: URL): string[] =>
    readdirSync(url, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort()
  return folders(root).flatMap((vendor) =>
    folders(new URL(`${vendor}/`, root)).map((name): RecordedMachine => {
      const fileOf = (part: string): URL => new URL(`${vendor}/${name}/${part}`, root)
      return {
        id: `${vendor}/${name}`,
        recording: JSON.parse(readFileSync(fileOf('machine.json'), 'utf8')),
        readPart: (part) => (existsSync(fileOf(part)) ? readFileSync(fileOf(part), 'utf8') : null),
        fileOf,
      }
    }),
  )
}
