import { expect, test } from 'vitest'
import { textDigest } from '#std/text-digest.ts'

// The published vectors of FNV-1a with 64 bit.
test.each([
  { text: '', digest: 'cbf29ce484222325' },
  { text: 'a', digest: 'af63dc4c8601ec8c' },
  { text: 'foobar', digest: '85944171f73967e8' },
])('the digest of "$text" is $digest', ({ text, digest }) => {
  expect(textDigest(text)).toBe(digest)
})
