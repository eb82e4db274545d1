import fc from 'fast-check'
import { expect, test } from 'vitest'
import { StopStrings } from '#embedded/stop-strings.ts'

test('text passes at once while it cannot be a stop string', () => {
  expect(new StopStrings(['END']).push('the ')).toEqual({ text: 'the ', stopped: false })
})

test('only the beginning of a stop string is held back', () => {
  const stops = new StopStrings(['END'])
  expect(stops.push('the EN')).toEqual({ text: 'the ', stopped: false })
  expect(stops.push('TRY')).toEqual({ text: 'ENTRY', stopped: false })
})

test('a stop string in several pieces stops, and is not part of the text', () => {
  const stops = new StopStrings(['END'])
  stops.push('the E')
  stops.push('N')
  expect(stops.push('D of')).toEqual({ text: '', stopped: true })
})

test('of two stop strings the earlier one counts', () => {
  expect(new StopStrings(['cd', 'b']).push('abcd')).toEqual({ text: 'a', stopped: true })
})

test('what was held back comes out when the text ends', () => {
  const stops = new StopStrings(['END'])
  stops.push('the EN')
  expect(stops.flush()).toBe('EN')
  expect(stops.flush()).toBe('')
})

test('however the text is cut, it ends before the first stop string', () => {
  const letters = fc.array(fc.constantFrom('a', 'b', 'ab', 'ba', 'aa'), { maxLength: 12 })
  const stop = fc.constantFrom('aab', 'bb', 'abab', 'baa')
  fc.assert(
    fc.property(letters, stop, (pieces, stopText) => {
      const stops = new StopStrings([stopText])
      let text = ''
      let stopped = false
      for (const piece of pieces) {
        const step = stops.push(piece)
        text += step.text
        stopped = step.stopped
        if (stopped) break
      }
      if (!stopped) text += stops.flush()
      const whole = pieces.join('')
      const at = whole.indexOf(stopText)
      expect(stopped).toBe(at !== -1)
      expect(text).toBe(at === -1 ? whole : whole.slice(0, at))
    }),
  )
})
