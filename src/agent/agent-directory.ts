/** Where the agent of a data directory keeps itself. */
import { join } from 'node:path'

export function agentDirectory(dataDirectory: string): string {
  return join(dataDirectory, 'agent')
}
