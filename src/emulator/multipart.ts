/** One part of a multipart body. */
export interface Part {
  readonly name: string
  readonly fileName: string | null
  readonly content: Buffer
}

/** Reads multipart/form-data; null when the body is not one. */
export function readMultipart(contentType: string, body: Buffer): readonly Part[] | null {
  const match = /^multipart\/form-data;.*boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(contentType)
  const boundary = match?.[1] ?? match?.[2]
  if (boundary === undefined) return null
  const border = Buffer.from(`--${boundary}`)
  const parts: Part[] = []
  let at = body.indexOf(border)
  while (at !== -1) {
    const start = at + border.length
    const end = body.indexOf(border, start)
    if (end === -1) break
    // Between two borders: CRLF, headers, an empty line, content, CRLF.
    const part = readPart(body.subarray(start + 2, end - 2))
    if (part !== null) parts.push(part)
    at = end
  }
  return parts
}

function readPart(bytes: Buffer): Part | null {
  const headersEnd = bytes.indexOf('\r\n\r\n')
  if (headersEnd === -1) return null
  const headers = bytes.subarray(0, headersEnd).toString()
  const name = /content-disposition:[^\r\n]*?[ ;]name="([^"]*)"/i.exec(headers)?.[1]
  if (name === undefined) return null
  const fileName = /filename="([^"]*)"/i.exec(headers)?.[1] ?? null
  return { name, fileName, content: bytes.subarray(headersEnd + 4) }
}
