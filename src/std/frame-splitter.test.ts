import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { FrameSplitter } from '#std/frame-splitter.ts'

function framesOf(pieces: readonly Buffer[], framing: 'sse' | 'ndjson' = 'sse') {
  const splitter = new FrameSplitter(framing)
  const frames: string[] = []
  for (const piece of pieces) splitter.push(piece, (frame) => frames.push(frame.toString('latin1')))
  return { frames, rest: splitter.takeRest()?.toString('latin1') ?? '' }
}

test('frames keep their line ends, whichever they are', () => {
  const { frames, rest } = framesOf([Buffer.from('data: a\n\ndata: b\r\n\r\ndata: c\r\rda')])
  expect(frames).toEqual(['data: a\n\n', 'data: b\r\n\r\n', 'data: c\r\r'])
  expect(rest).toBe('da')
})

test('however the bytes are cut, nothing is lost, added or moved', () => {
  const text = fc.array(fc.constantFrom('a', 'é', '\n', '\n\n', '\r\n', '\r\n\r\n', 'data: x'))
  fc.assert(
    fc.property(text, fc.array(fc.nat(20)), (parts, cuts) => {
      const bytes = Buffer.from(parts.join(''))
      const pieces: Buffer[] = []
      let at = 0
      for (const cut of cuts) {
        pieces.push(bytes.subarray(at, at + cut))
        at += cut
      }
      pieces.push(bytes.subarray(at))
      const { frames, rest } = framesOf(pieces)
      expect(frames.join('') + rest).toBe(bytes.toString('latin1'))
      for (const line of framesOf(pieces, 'ndjson').frames) expect(line.endsWith('\n')).toBe(true)
    }),
  )
})

test('a frame in a thousand pieces is put together once, not again at each piece', () => {
  const piece = Buffer.alloc(1_000, 'x')
  const pieces = [Buffer.from('data: '), ...Array.from({ length: 1_000 }, () => piece)]
  const frameBytes = 6 + 1_000 * piece.length + 2
  const splitter = new FrameSplitter('sse')
  let copiedBytes = 0
  const concat = Buffer.concat
  const spy = vi.spyOn(Buffer, 'concat').mockImplementation((list, length) => {
    const joined = concat(list, length)
    copiedBytes += joined.length
    return joined
  })
  const frames: number[] = []
  for (const each of [...pieces, Buffer.from('\n\n')]) {
    splitter.push(each, (frame) => frames.push(frame.length))
  }
  spy.mockRestore()
  expect(frames).toEqual([frameBytes])
  // Once to look for the line end at each seam, and once to join.
  expect(copiedBytes).toBeLessThan(frameBytes * 3)
})
