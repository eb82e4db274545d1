import type { Filter } from '#routing/filter.ts'

const tried = { kind: 'tried' } as const

/** An endpoint that failed this request is not asked again while another one can be. */
export const notTried: Filter = (request, endpoint) =>
  request.tried.includes(endpoint.id) ? tried : null
