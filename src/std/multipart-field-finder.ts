/**
 * Watches a multipart/form-data body go by and notes its small text fields with where their values
 * stand, so that a form can be routed by its `model` wherever in the form that comes, and the bytes
 * of its files are never looked at or changed.
 */

export interface MultipartField {
  readonly name: string
  readonly value: string
  /** Offsets of the value in the body, in bytes, end exclusive. */
  readonly start: number
  readonly end: number
}

const headerBytesMax = 16 * 1024
const valueBytesMax = 4 * 1024

/** The boundary that a Content-Type names, or null when it is no multipart form with one. */
export function multipartBoundary(contentType: string): string | null {
  if (!/^multipart\/form-data\b/i.test(contentType)) return null
  const match = /;\s*boundary=(?:"([^"]{1,200})"|([^\s;]{1,200}))/i.exec(contentType)
  return match?.[1] ?? match?.[2] ?? null
}

export class MultipartFieldFinder {
  readonly fields: MultipartField[] = []
  /** Whether the closing boundary was seen. */
  complete = false
  readonly #delimiter: Buffer
  #phase: 'delimiter' | 'headers' = 'delimiter'
  /** What was not consumed yet, and where it stands in the body. */
  #pending: Buffer
  #pendingAt = 0
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

  push(chunk: Buffer): void {
    if (this.complete) return
    this.#pending = Buffer.concat([this.#pending, chunk])
    while (this.#phase === 'delimiter' ? this.#seekDelimiter() : this.#readHeaders()) {
      // Each step consumes something, or asks for more bytes.
    }
  }

  #seekDelimiter(): boolean {
    const at = this.#pending.indexOf(this.#delimiter)
    if (at === -1) {
      // All but what may be the beginning of a delimiter is surely content.
      const sure = this.#pending.length - this.#delimiter.length + 1
      if (sure > 0) this.#consumeContent(sure)
      return false
    }
    const after = at + this.#delimiter.length
    if (this.#pending.length < after + 2) return false
    this.#consumeContent(at)
    this.#endField()
    const closing = this.#pending.toString('latin1', this.#delimiter.length).startsWith('--')
    this.#skip(this.#delimiter.length)
    if (closing) {
      this.complete = true
      return false
    }
    this.#phase = 'headers'
    return true
  }

  #readHeaders(): boolean {
    const end = this.#pending.indexOf('\r\n\r\n')
    if (end === -1) {
      if (this.#pending.length > headerBytesMax) this.complete = true
      return false
    }
    const headers = this.#pending.toString('utf8', 0, end)
    this.#skip(end + 4)
    this.#phase = 'delimiter'
    const disposition = /^content-disposition:\s*form-data\b(.*)$/im.exec(headers)?.[1] ?? ''
    const name = /;\s*name="([^"]*)"/i.exec(disposition)?.[1]
    const isFile = /;\s*filename\*?=/i.test(disposition)
    this.#field = name === undefined || isFile ? null : { name, start: this.#pendingAt }
    return true
  }

  #consumeContent(count: number): void {
    if (this.#field !== null && this.#valueBytes <= valueBytesMax) {
      this.#value.push(this.#pending.subarray(0, count))
      this.#valueBytes += count
    }
    this.#skip(count)
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

  #skip(count: number): void {
    this.#pending = this.#pending.subarray(count)
    this.#pendingAt += count
  }
}
