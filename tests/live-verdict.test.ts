import { expect, test } from 'vitest'
import { verdictsOf } from '../bench/live/verdict.ts'

const row = (proxy: string, attainment: number, predicted: number) => ({
  load: 0.7,
  proxy,
  attainment,
  predicted,
})

test('a ranking agrees when nobody is clearly before another here and behind it there', () => {
  const [close] = verdictsOf([row('motley', 0.99, 0.985), row('haproxy', 0.985, 0.99)])
  expect(close).toMatchObject({ rankingAgrees: true, withinFivePoints: true })
  const [swapped] = verdictsOf([row('motley', 0.99, 0.95), row('haproxy', 0.95, 0.99)])
  expect(swapped).toMatchObject({
    rankingAgrees: false,
    ranking: ['motley', 'haproxy'],
    predictedRanking: ['haproxy', 'motley'],
  })
})

test('the largest gap of a load is what counts, each load by itself', () => {
  const verdicts = verdictsOf([
    row('motley', 0.99, 0.97),
    row('nginx', 0.4, 0.5),
    { ...row('motley', 1, 1), load: 0.5 },
  ])
  expect(verdicts.map(({ load, withinFivePoints }) => [load, withinFivePoints])).toEqual([
    [0.7, false],
    [0.5, true],
  ])
  expect(verdicts[0]?.largestGapPoints).toBeCloseTo(10)
})
