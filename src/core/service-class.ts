/**
 * How a request wants to be treated when not all can be served in time: interactive ones before
 * standard ones, and batch ones with what is left.
 */
export const serviceClasses = ['interactive', 'standard', 'batch'] as const

export type ServiceClass = (typeof serviceClasses)[number]
