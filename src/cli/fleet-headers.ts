/** Has machines of the fleet read what weights hold, and says meanwhile what is waited for. */
import type { z } from 'zod'
import { askController } from '#cli/admin-client.ts'
import { CommandFailure } from '#cli/command-failure.ts'
import type { GatewayOptions } from '#cli/gateway-client.ts'
import { logLine } from '#cli/terminal.ts'
import { inspectedWeights } from '#protocol/inspected-weights.ts'

/** Headers take a hub some seconds; whoever waits longer would rather hear that it goes on. */
const readWithinMs = 60_000

/** By source, those that could be read; of each of the others a line says why not. */
export async function fleetHeaders(
  sources: readonly string[],
  options: GatewayOptions,
): Promise<Readonly<Record<string, z.output<typeof inspectedWeights>>>> {
  for (const source of sources) logLine(`reading what ${source} holds …`)
  const read = await Promise.all(
    sources.map(async (source) => {
      const ask = { method: 'POST', body: { source }, withinMs: readWithinMs } as const
      try {
        const answer = await askController('/admin/v1/weights', options, ask)
        return [[source, inspectedWeights.parse(answer)] as const]
      } catch (error) {
        if (!(error instanceof CommandFailure)) throw error
        logLine(`motley: ${error.message}`)
        return []
      }
    }),
  )
  return Object.fromEntries(read.flat())
}
