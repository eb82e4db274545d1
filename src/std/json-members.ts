/**
 * Finds the members of a JSON object without reading what is in them, so that one field of a body
 * can be looked at or replaced while every other byte stays as it was sent: number precision,
 * duplicate keys, key order and lone surrogates included.
 */

/** One `"key": value` of the outermost object; offsets are in bytes, ends exclusive. */
export interface JsonMember {
  readonly key: string
  readonly valueStart: number
  readonly valueEnd: number
}

/** The text is not a JSON object. `offset` is the byte at which that was seen. */
export class JsonScanError extends Error {
  readonly offset: number
  constructor(expected: string, offset: number) {
    super(`expected ${expected} at byte ${offset}`)
    this.offset = offset
  }
}

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const colon = 0x3a
const comma = 0x2c

/** No API has a hundred; millions of tiny ones would hold up everybody else. */
const membersMax = 1_000

/**
 * The members of the object that `body` holds, in the order they stand there. Throws
 * {@link JsonScanError} when the outermost structure is not a JSON object, or has more members than
 * any API. Nested values are only skipped, brackets matched; what is wrong inside them is for their
 * reader to find.
 */
export function jsonMembers(body: Buffer): JsonMember[] {
  const members: JsonMember[] = []
  let at = skipBlanks(body, hasByteOrderMark(body) ? 3 : 0)
  if (body[at] !== openBrace) throw new JsonScanError('"{"', at)
  at = skipBlanks(body, at + 1)
  if (body[at] === closeBrace) {
    expectEnd(body, at + 1)
    return members
  }
  for (;;) {
    if (body[at] !== quote) throw new JsonScanError('a key in double quotes', at)
    const keyEnd = skipString(body, at)
    const key = readKey(body, at, keyEnd)
    at = skipBlanks(body, keyEnd)
    if (body[at] !== colon) throw new JsonScanError('":"', at)
    const valueStart = skipBlanks(body, at + 1)
    const valueEnd = skipValue(body, valueStart)
    if (members.length === membersMax) throw new JsonScanError(`at most ${membersMax} members`, at)
    members.push({ key, valueStart, valueEnd })
    at = skipBlanks(body, valueEnd)
    if (body[at] === closeBrace) {
      expectEnd(body, at + 1)
      return members
    }
    if (body[at] !== comma) throw new JsonScanError('"," or "}"', at)
    at = skipBlanks(body, at + 1)
  }
}

/** Of a name that stands there twice, readers keep the last. */
export function lastOf(members: readonly JsonMember[], key: string): JsonMember | undefined {
  for (let at = members.length - 1; at >= 0; at--) {
    if (members[at]?.key === key) return members[at]
  }
  return undefined
}

/** The parsed value of a member. Throws {@link JsonScanError} when it is no JSON value. */
export function memberValue(body: Buffer, member: JsonMember): unknown {
  // Nearly every value that is asked for is a plain name; finding that out beats parsing it.
  if (body[member.valueStart] === quote && member.valueEnd - member.valueStart < 200) {
    if (isPlain(body, member.valueStart + 1, member.valueEnd - 1)) {
      return body.toString('latin1', member.valueStart + 1, member.valueEnd - 1)
    }
  }
  try {
    return JSON.parse(body.toString('utf8', member.valueStart, member.valueEnd))
  } catch {
    throw new JsonScanError(`a JSON value for "${member.key}"`, member.valueStart)
  }
}

/** Whether these bytes of a string mean themselves: ASCII, no escape, nothing that JSON forbids. */
function isPlain(body: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = body[at] as number
    if (byte < 0x20 || byte >= 0x7f || byte === quote || byte === backslash) return false
  }
  return true
}

/**
 * The parsed value of the last member of this name in the object that `body` holds; undefined where
 * there is none. It is looked for from the end: in answers the members that matter stand behind the
 * text or the vectors, which may be megabytes. What stands before it is not read, and may be no
 * JSON. `name` is written without escapes.
 */
export function lastMemberValue(body: Buffer, name: string): unknown {
  const quoted = `"${name}"`
  try {
    let at = body.lastIndexOf(quoted)
    for (let looks = 0; at !== -1 && looks < looksFromEndMax; looks++) {
      const member = memberFromEnd(body, at, name)
      if (member !== undefined) return memberValue(body, member)
      at = at === 0 ? -1 : body.lastIndexOf(quoted, at - 1)
    }
    const member = at === -1 ? undefined : lastOf(jsonMembers(body), name)
    if (member !== undefined) return memberValue(body, member)
  } catch (error) {
    if (!(error instanceof JsonScanError)) throw error
  }
  return undefined
}

/** Whoever nests the name a million times gets one look at all of it, and not a million. */
const looksFromEndMax = 4

/**
 * The member whose key stands at `at`; undefined where no key of the outermost object does. It is one
 * when nothing but members follow it until a single brace and the end.
 */
function memberFromEnd(body: Buffer, at: number, key: string): JsonMember | undefined {
  let next = skipBlanks(body, at + key.length + 2)
  // Behind a backslash it is the end of a longer key.
  if (body[next] !== colon || body[at - 1] === backslash) return undefined
  const valueStart = skipBlanks(body, next + 1)
  const valueEnd = skipValue(body, valueStart)
  next = skipBlanks(body, valueEnd)
  while (body[next] === comma) {
    next = skipBlanks(body, next + 1)
    if (body[next] !== quote) return undefined
    next = skipBlanks(body, skipString(body, next))
    if (body[next] !== colon) return undefined
    next = skipBlanks(body, skipValue(body, skipBlanks(body, next + 1)))
  }
  if (body[next] !== closeBrace || skipBlanks(body, next + 1) !== body.length) return undefined
  return { key, valueStart, valueEnd }
}

function hasByteOrderMark(body: Buffer): boolean {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf
}

function expectEnd(body: Buffer, at: number): void {
  const end = skipBlanks(body, at)
  if (end !== body.length) throw new JsonScanError('the end of the body', end)
}

function skipBlanks(body: Buffer, at: number): number {
  for (;;) {
    const byte = body[at]
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at
    at++
  }
}

/** From the opening quote to the byte after the closing one. */
function skipString(body: Buffer, at: number): number {
  let end = at
  for (;;) {
    end = body.indexOf(quote, end + 1)
    if (end === -1) throw new JsonScanError('a closing double quote', body.length)
    let slashes = 0
    while (body[end - 1 - slashes] === backslash) slashes++
    if (slashes % 2 === 0) return end + 1
  }
}

function readKey(body: Buffer, start: number, end: number): string {
  const inner = body.toString('utf8', start + 1, end - 1)
  if (!inner.includes('\\')) return inner
  try {
    return JSON.parse(`"${inner}"`) as string
  } catch {
    throw new JsonScanError('a key in double quotes', start)
  }
}

function skipValue(body: Buffer, at: number): number {
  const first = body[at]
  if (first === quote) return skipString(body, at)
  if (first === openBrace || first === openBracket) return skipNested(body, at)
  let end = at
  for (;;) {
    const byte = body[end]
    if (
      byte === undefined ||
      byte === comma ||
      byte === closeBrace ||
      byte === closeBracket ||
      byte <= 0x20
    ) {
      break
    }
    end++
  }
  if (end === at) throw new JsonScanError('a value', at)
  return end
}

function skipNested(body: Buffer, at: number): number {
  let depth = 0
  for (;;) {
    const byte = body[at]
    if (byte === undefined) throw new JsonScanError('a closing bracket', at)
    if (byte === quote) {
      at = skipString(body, at)
      continue
    }
    if (byte === openBrace || byte === openBracket) depth++
    else if (byte === closeBrace || byte === closeBracket) {
      depth--
      if (depth === 0) return at + 1
    }
    at++
  }
}
