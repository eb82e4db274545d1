/** `routing.script` of motley.yaml, read and started anew with each configuration. */
import { readFile } from 'node:fs/promises'
import { ConfigError } from '#cli/config-error.ts'
import { type ConfigRequest, problemAt } from '#cli/config-file.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import {
  type RouteScript,
  RouteScriptError,
  startRouteScript,
} from '#gateway/script/route-script.ts'
import { systemClock } from '#std/clock.ts'

/** Null where the configuration has none. Rejects with {@link ConfigError}. */
export async function openRoutingScript(
  { routing }: MotleyConfig,
  request: ConfigRequest,
): Promise<RouteScript | null> {
  const path = routing.script
  if (path === undefined) return null
  const unusable = (why: string): ConfigError =>
    new ConfigError([problemAt(request, ['routing', 'script'], `${path}: ${why}`)])
  try {
    return await startRouteScript(await readFile(path, 'utf8'), systemClock)
  } catch (error) {
    if (error instanceof RouteScriptError) throw unusable(error.message)
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined) throw error
    throw unusable(code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${code})`)
  }
}
