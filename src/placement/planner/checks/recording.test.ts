import { expect, test } from 'vitest'
import { recording } from '#placement/planner/checks/recording.ts'
import { deployment, placementNode } from '#testing/placement-input.ts'

test('a recording of a machine is refused by name, and a machine is not', () => {
  const chat = deployment('chat', 8)
  expect(recording.refuse(chat, placementNode('khelben', []))).toBeNull()
  expect(recording.refuse(chat, placementNode('mac', [], { isRecording: true }))?.what).toBe(
    'mac is a recording of a machine, and runs nothing',
  )
})
