import { expect, test } from 'vitest'
import { endpointConfig } from '#core/config/endpoints.ts'
import { engineIds } from '#core/engine-id.ts'
import { engines } from '#engines/index.ts'

test('configuration may name every engine there is, and no other', () => {
  expect(engineIds.toSorted()).toEqual(engines.map(({ id }) => id).toSorted())
  for (const { id } of engines) {
    const read = endpointConfig.safeParse({ url: 'http://node0:8001', engine: id })
    expect(read.success && read.data.engine, id).toBe(id)
  }
})
