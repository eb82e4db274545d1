/** What of the JSON of a request is text, and how many pictures and sounds lie in it. */
export interface BodyText {
  readonly textBytes: number
  readonly pictures: number
}

/** Smaller bodies hold no picture that is worth the search. */
const searchedBytesMin = 4_096
const pictureStart = Buffer.from(';base64,')
const quote = 0x22

/** Reads all of a large body: ask for it once a request, by way of `RequestBody`. */
export function bodyTextOf(body: Buffer): BodyText {
  let textBytes = body.length
  let pictures = 0
  if (body.length < searchedBytesMin) return { textBytes, pictures }
  for (let at = body.indexOf(pictureStart); at !== -1; at = body.indexOf(pictureStart, at)) {
    const end = body.indexOf(quote, at)
    if (end === -1) break
    textBytes -= end - at
    pictures++
    at = end
  }
  return { textBytes, pictures }
}
