/** What a replica gets that was started by hand, where nobody has said how much. */

/** A context that most chats fit in. */
export const contextTokensUsual = 8_192

/** A few people at a time: each slot takes the memory of a whole context. */
export const slotsUsual = 4
