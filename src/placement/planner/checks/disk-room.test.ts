import { expect, test } from 'vitest'
import { diskRoom } from '#placement/planner/checks/disk-room.ts'
import { deployment, gibibyte, placementNode, variant } from '#testing/placement-input.ts'

test.each([
  { name: 'unknown room', freeGib: null, weights: [], ok: true },
  { name: 'enough room', freeGib: 8, weights: [], ok: true },
  { name: 'too little room', freeGib: 7, weights: [], ok: false },
  { name: 'weights that are there already', freeGib: 1, weights: ['hf:x'], ok: true },
])('8 GiB of weights on a disk with $name', ({ freeGib, weights, ok }) => {
  const freeDiskBytes = freeGib === null ? null : freeGib * gibibyte
  const node = placementNode('a', [], { freeDiskBytes, weights })
  const blocker = diskRoom.refuse(deployment('chat', 8), { variant: variant('hf:x', 8) }, node)
  expect(blocker === null).toBe(ok)
})
