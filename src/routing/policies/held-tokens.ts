/**
 * What an endpoint is thought to hold of prefixes at most, by strategies that do not ask how large its
 * KV cache is. As in SGLang's router, whose tree ends at 2^26 characters of each endpoint, with four
 * of them to a token. In tokens and not in blocks: a gateway's blocks are of 512 tokens, and as many
 * of those as of an engine's 16 would be half a gigabyte for each endpoint.
 */
export const heldTokensMax = 2 ** 24
