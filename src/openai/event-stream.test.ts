import { expect, test } from 'vitest'
import { eventStream } from '#openai/event-stream.ts'

test.each([
  ['{"type":"transcript.text.delta","delta":"a"}', 'complete'],
  ['{"type":"transcript.text.done","text":"a"}', 'complete'],
  ['{"error":{"message":"no"}}', 'error'],
  ['{"error":null}', 'complete'],
  ['UklGRg==', 'complete'],
])('%s means %s: any event may be the last', (data, meaning) => {
  expect(eventStream.meaning(data)).toBe(meaning)
})

test('no end marker is made up for a stream that has none', () => {
  expect(eventStream.endMarker).toBeNull()
})
