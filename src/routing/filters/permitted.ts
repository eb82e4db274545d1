import type { Filter } from '#routing/filter.ts'

/** Only endpoints that the user's rules and script let this request go to. */
export const permitted: Filter = ({ constraint }, endpoint) =>
  constraint?.refuse(endpoint.id) ?? null
