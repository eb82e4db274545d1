/**
 * What a place costs because of who else is there. Unlike other ranks these change while the search
 * goes on, and stay linear, so that the exact optimizer can say them in rows of its own.
 */

/** Each replica on a device beyond the first: they take turns in computing. */
export const neighbourSeconds = 0.5

/** Each replica of a deployment on a node beyond the first: one power supply ends them all. */
export const sameNodeSeconds = 2

/** Halving what a replica can keep in mind, for the sake of those it shares a device with. */
export const halvedSeconds = 1
