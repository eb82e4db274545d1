/**
 * Watches a multipart/form-data body go by and notes its small text fields with where their values
 * stand, so that a form can be routed by its `model` wherever in the form that comes, and the bytes
 * of its files are never looked at or changed.
 *
 * Others read the form after us, and what they find must be what we found: a part that two readers
 * may understand differently is a fault, not a guess.
 */

export interface MultipartField {
  readonly name: string
  readonly value: string
  /** Offsets of the value in the body, in bytes, end exclusive. */
  readonly start: number
  readonly end: number
}

/** Part headers are a name, a file name and a type; browsers send some hundred bytes. */
const headerBytesMax = 16 * 1024

/** A field to route by is a name or a flag; a longer one is nobody's business here. */
const valueBytesMax = 4 * 1024

/** The boundary that a Content-Type names, or null when it is no multipart form with one. */
export function multipartBoundary(contentType: string): string | null {
  if (!/^multipart\/form-data\b/i.test(contentType)) return null
  const match = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))/i.exec(contentType)
  return match?.[1] ?? match?.[2] ?? null
}

/** Blanks that a transport may put behind a boundary; nothing known puts any. */
const paddingBytesMax = 1024

export class MultipartFieldFinder {
  /** Text fields of up to 4 KiB, in the order of the form; a name may come more than once. */
  readonly fields: MultipartField[] = []
  readonly #delimiter: Buffer
  #phase: 'start' | 'headers' | 'content' | 'closed' = 'start'
  #fault: string | null = null
  /** How many parts bear each name, files and long fields included. */
  readonly #parts = new Map<string, number>()
  /** What was not consumed yet, and where it stands in the body. */
  #pending: Buffer
  #pendingAt: number
  /** The part being read: its name when it is a text field, and where its value starts. */
  #field: { readonly name: string; readonly start: number } | null = null
  #value: Buffer[] = []
  #valueBytes = 0

  constructor(boundary: string) {
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
    // The first boundary has no line before it; with one put there, it looks like all others.
    this.#pending = Buffer.from('\r\n')
    this.#pendingAt = -2
  }

  /**
   * What is wrong with the form, as a sentence; null when all of it was seen and nothing is. Until
   * the closing boundary was seen, that is what is missing.
   */
  get fault(): string | null {
    if (this.#fault !== null) return this.#fault
    return this.#phase === 'closed' ? null : 'The form ends before its closing boundary.'
  }

  /** How many parts of the form bear this name, whatever they hold. */
  countOf(name: string): number {
    return this.#parts.get(name) ?? 0
  }

  push(chunk: Buffer): void {
    if (this.#fault !== null) return
    this.#pending = Buffer.concat([this.#pending, chunk])
    while (this.#phase === 'headers' ? this.#readHeaders() : this.#seekBoundary()) {
      // Each step consumes something, or asks for more bytes.
    }
  }

  /** Both steps return whether to go on: false asks for more bytes, or there is a fault. */
  #seekBoundary(): boolean {
    const at = this.#pending.indexOf(this.#delimiter)
    // All but what may be the beginning of a delimiter is surely content.
    const sureBytes = at === -1 ? this.#pending.length - this.#delimiter.length + 1 : at
    if (
      this.#phase === 'start' &&
      /[^\r\n]/.test(this.#pending.toString('latin1', 0, Math.max(0, sureBytes)))
    ) {
      return this.#fail('The form does not begin with its boundary.')
    }
    if (sureBytes > 0) this.#consume(sureBytes)
    if (at === -1) return false
    const ending = boundaryEnding(this.#pending, this.#delimiter.length)
    if (ending.kind === 'unknown') return false
    if (ending.kind === 'none') {
      if (this.#phase === 'start') return this.#fail('The form does not begin with its boundary.')
      // A line that only begins like the boundary belongs to the part (RFC 2046, 5.1.1).
      this.#consume(this.#delimiter.length)
      return true
    }
    if (this.#phase === 'closed') {
      return this.#fail('The form goes on behind its closing boundary.')
    }
    this.#endField()
    this.#skip(ending.at)
    this.#phase = ending.kind === 'closing' ? 'closed' : 'headers'
    return true
  }

  /** From the line end of the boundary to the blank line. */
  #readHeaders(): boolean {
    const end = this.#pending.indexOf('\r\n\r\n')
    if ((end === -1 ? this.#pending.length : end) > headerBytesMax) {
      return this.#fail(`A part of the form has more than ${headerBytesMax} bytes of headers.`)
    }
    if (end === -1) return false
    const headers = this.#pending.toString('utf8', 0, end + 2)
    const disposition = readDisposition(headers)
    if (disposition === null || this.#pending.subarray(0, end + 2).includes(this.#delimiter)) {
      return this.#fail('A part of the form has headers that can be read in more than one way.')
    }
    this.#skip(end + 4)
    this.#phase = 'content'
    const { name, isFile } = disposition
    if (name !== null) this.#parts.set(name, this.countOf(name) + 1)
    this.#field = name === null || isFile ? null : { name, start: this.#pendingAt }
    return true
  }

  #consume(bytes: number): void {
    if (this.#field !== null && this.#valueBytes <= valueBytesMax) {
      this.#value.push(this.#pending.subarray(0, bytes))
      this.#valueBytes += bytes
    }
    this.#skip(bytes)
  }

  #endField(): void {
    if (this.#field !== null && this.#valueBytes <= valueBytesMax) {
      const { name, start } = this.#field
      const value = Buffer.concat(this.#value).toString('utf8')
      this.fields.push({ name, value, start, end: start + this.#valueBytes })
    }
    this.#field = null
    this.#value = []
    this.#valueBytes = 0
  }

  #skip(bytes: number): void {
    this.#pending = this.#pending.subarray(bytes)
    this.#pendingAt += bytes
  }

  #fail(fault: string): false {
    this.#fault = fault
    this.#pending = Buffer.alloc(0)
    return false
  }
}

/**
 * What follows the bytes of a boundary: `--` closes the form, optional blanks and CRLF begin a
 * part, anything else makes it no boundary. `at` is where the boundary ends, its CRLF excluded.
 */
function boundaryEnding(
  bytes: Buffer,
  from: number,
): { readonly kind: 'closing' | 'part' | 'none' | 'unknown'; readonly at: number } {
  if (bytes.toString('latin1', from, from + 2) === '--') return { kind: 'closing', at: from + 2 }
  let at = from
  while (at - from < paddingBytesMax && (bytes[at] === blank || bytes[at] === tab)) at++
  const lineEnd = bytes.toString('latin1', at, at + 2)
  if (lineEnd === '\r\n') return { kind: 'part', at }
  const mayGoOn = lineEnd === '' || lineEnd === '\r' || (lineEnd === '-' && at === from)
  return { kind: mayGoOn ? 'unknown' : 'none', at }
}

const blank = 0x20
const tab = 0x09

interface Disposition {
  readonly name: string | null
  readonly isFile: boolean
}

/** What a part says it is; null when it says so twice, or in a form that readers disagree about. */
function readDisposition(headers: string): Disposition | null {
  // A line that goes on in the next one, and line ends of one character, are lines to some only.
  if (/\r\n[ \t]|\r(?!\n)|(?<!\r)\n/.test(headers)) return null
  const lines = headers.split('\r\n').filter((line) => /^content-disposition\s*:/i.test(line))
  if (lines.length === 0) return { name: null, isFile: false }
  const match = /^content-disposition: *form-data *(.*)$/i.exec(lines[0] as string)
  if (lines.length > 1 || match === null) return null
  const parameters = new Map<string, string>()
  let rest = match[1] as string
  while (rest !== '') {
    const found = parameter.exec(rest)
    if (found === null) return null
    const name = (found[1] as string).toLowerCase()
    if (parameters.has(name)) return null
    parameters.set(name, found[2]?.replace(/\\(["\\])/g, '$1') ?? found[3] ?? '')
    rest = rest.slice(found[0].length)
  }
  // `name*` is not of forms (RFC 7578, 4.2), and some readers take it for the name.
  if (parameters.has('name*')) return null
  return {
    name: parameters.get('name') ?? null,
    isFile: parameters.has('filename') || parameters.has('filename*'),
  }
}

/** `; name=token` or `; name="text"`, with blanks around. */
const parameter = /^; *([\w!#$&+.^`|~*-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+)) */
