/** Nodes that are one machine: two agents on it, each of which offers all of its memory. */
import { z } from 'zod'

const shownNode = z.looseObject({
  name: z.string(),
  presence: z.string(),
  inventory: z.looseObject({ machine: z.string().optional() }).nullish(),
})

/** In sentences, of what `GET /admin/v1/nodes` and `/placement` say of nodes; lost ones offer nothing. */
export function sharedMachines(nodes: unknown): readonly string[] {
  const there = z
    .array(shownNode)
    .catch([])
    .parse(nodes)
    .filter(({ presence, inventory }) => presence !== 'lost' && inventory?.machine !== undefined)
  return [...Map.groupBy(there, ({ inventory }) => inventory?.machine).values()].flatMap(
    (alike) => {
      const names = alike.map(({ name }) => name)
      const last = names.pop()
      if (names.length === 0) return []
      const all = `${names.join(', ')} and ${last}`
      return [
        `${all} are agents on one machine, so its memory is counted ${times(alike.length)}: stop all but one ("motley nodes revoke ${last}" takes one out)`,
      ]
    },
  )
}

const times = (count: number) => (count === 2 ? 'twice' : `${count} times`)
