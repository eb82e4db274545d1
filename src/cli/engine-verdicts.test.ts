import { expect, test } from 'vitest'
import { engineVerdicts, engineVerdictsText } from '#cli/engine-verdicts.ts'
import { engineCatalog } from '#engines/index.ts'
import { detect } from '#hardware/detect.ts'
import { probes } from '#hardware/index.ts'
import { recordedMachine, recordingFile } from '#hardware/machine/recording.ts'
import { systemClock } from '#std/clock.ts'
import { recordedMachines } from '#testing/recorded-machines.ts'

const shown = [
  'nvidia/rtx-2080-super',
  'nvidia/tesla-t4',
  'nvidia/gtx-1070-ti',
  'amd/radeon-680m',
  'amd/rx-6700-xt',
  'amd/strix-halo-hp',
  'apple/m2-max',
  'intel/a770',
  'cpu/cloud-vm',
]

test('doctor says for each machine which engines run, and what unlocks the others', async () => {
  const parts: string[] = []
  for (const { id, recording, readPart } of recordedMachines()) {
    if (!shown.includes(id)) continue
    const machine = recordedMachine(recordingFile.parse(recording), readPart)
    const { inventory } = await detect(probes, machine, { clock: systemClock })
    const told = engineVerdictsText(engineVerdicts(inventory, engineCatalog))
    expect(told, id).not.toBe('')
    parts.push(`# ${id}\n\n${told}\n`)
  }
  expect(parts).toHaveLength(shown.length)
  const text = parts.join('\n')
  expect(text.split('\n').filter((line) => line.length > 80)).toEqual([])
  await expect(text).toMatchFileSnapshot('../../fixtures/cli/doctor-engines.txt')
})
