import { expect, test } from 'vitest'
import { scoreLines } from '#cli/score-text.ts'

test('a place whose speed is a first guess has a mark at what rests on it, and others have none', () => {
  const score = { answer: 8.5, fetch: 1.04 }
  const places = [
    { title: 'drizzt', score, speedBasis: 'bandwidth' },
    { title: 'danilo', score, speedBasis: 'measured' },
  ]
  expect(scoreLines(places)).toEqual([
    '  SECONDS  drizzt  danilo',
    '  answer    ~8.50    8.50',
    '  fetch      1.04    1.04',
    '  sum       ~9.54    9.54',
    '  in seconds of a typical answer, or what is worth as much; the least wins',
    '  "~" is a first guess: nobody has measured or published such a speed',
  ])
  expect(scoreLines([{ title: 'danilo', score }]).join('\n')).not.toContain('~')
})
