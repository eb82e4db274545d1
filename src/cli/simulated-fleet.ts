/** The fleet that `motley simulate` takes where no file says one: of a log, or of the inventory. */
import { z } from 'zod'
import { CommandFailure } from '#cli/command-failure.ts'
import { type FleetOptions, fitFleet } from '#cli/fit-fleet.ts'
import { askGateway, type GatewayOptions } from '#cli/gateway-client.ts'
import { speedReferences } from '#hardware/speed-references.ts'
import { type InventoryFleet, inventoryFleet } from '#simulator/inventory-fleet.ts'
import { type KnownEndpoint, logFleet } from '#simulator/log-fleet.ts'
import type { LoggedAnswer } from '#simulator/traces/access-log.ts'

/** What runs by the inventory, and the devices on which nothing does. @throws {CommandFailure} */
export async function realFleet(options: FleetOptions): Promise<InventoryFleet> {
  const fleet = inventoryFleet(await fitFleet(options, '--from-inventory'), speedReferences)
  if (fleet.endpoints.length > 0) return fleet
  const unknown = fleet.unknown.length === 0 ? '' : ` (${fleet.unknown.join('; ')})`
  throw new CommandFailure(
    'no',
    `there is no device whose speed is known${unknown}: measure a replica with "motley benchmark", write a fleet file with a stepTime, or take who answered in an access log (--from-log)`,
  )
}

/** Who answered in a log, as its gateway knows them if it is there. @throws {CommandFailure} */
export async function fleetOfLog(
  answers: readonly LoggedAnswer[],
  options: GatewayOptions,
): Promise<InventoryFleet> {
  const names = new Set(answers.map(({ endpoint }) => endpoint))
  const known = await knownEndpoints(options)
  // A gateway that has none of them is not the one that wrote the log.
  return logFleet(answers, known.some(({ name }) => names.has(name)) ? known : [])
}

/** What is used of GET /admin/v1/endpoints. */
const endpointsPage = z.object({
  endpoints: z.array(
    z.object({
      name: z.string(),
      engine: z.string().nullable(),
      models: z.array(z.string()),
      load: z
        .object({ slots: z.number().nullish(), kvTokens: z.number().nullish() })
        .nullish()
        .catch(null),
    }),
  ),
})

/** None where no gateway answers: the log alone will do, unless somebody named a gateway. */
async function knownEndpoints(options: GatewayOptions): Promise<readonly KnownEndpoint[]> {
  let page: unknown
  try {
    page = await askGateway('/admin/v1/endpoints', options, 'an admin key')
  } catch (error) {
    if (options.url !== undefined || !(error instanceof CommandFailure)) throw error
    return []
  }
  const { data } = endpointsPage.safeParse(page)
  return (data?.endpoints ?? []).map(({ name, engine, models, load }) => ({
    ...{ name, engine, models },
    slots: positive(load?.slots),
    kvTokens: positive(load?.kvTokens),
  }))
}

/** A fleet file takes whole numbers from 1. */
const positive = (number: number | null | undefined) =>
  number == null || number < 1 ? null : Math.floor(number)
