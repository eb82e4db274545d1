/** What a gateway logs of requests, in a file that is gone with the test. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterTest } from './after-test.ts'

export interface AccessLogFile {
  /** For `gateway.accessLog`. */
  readonly path: string
  /** All of it, once the gateway is closed. */
  text(): string
  /** The line of the first request. */
  first(): unknown
}

export function accessLogFile(): AccessLogFile {
  const folder = mkdtempSync(join(tmpdir(), 'motley-log-'))
  afterTest(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'access.log')
  const text = () => readFileSync(path, 'utf8')
  return { path, text, first: () => JSON.parse(text().split('\n', 1)[0] as string) as unknown }
}
