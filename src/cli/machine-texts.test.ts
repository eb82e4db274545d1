/** What `motley detect` and `motley doctor` print for each machine under fixtures/hardware/. */
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { detectText } from '#cli/detect-text.ts'
import { doctorText } from '#cli/doctor-text.ts'
import { driverLevels } from '#engines/compatibility/runtimes.ts'
import { examine } from '#hardware/doctor/examine.ts'
import { probes } from '#hardware/index.ts'
import { recordedMachine, recordingFile } from '#hardware/machine/recording.ts'
import { systemClock } from '#std/clock.ts'
import { recordedMachines } from '#testing/recorded-machines.ts'

test.each(recordedMachines())('$id', async ({ recording, readPart, fileOf }) => {
  const machine = recordedMachine(recordingFile.parse(recording), readPart)
  const { inventory, problems } = await examine(probes, machine, {
    clock: systemClock,
    dataDirectory: '/var/lib/motley',
    levels: driverLevels,
  })
  const table = detectText(inventory)
  const report = doctorText(inventory, problems)
  expect(table.split('\n').filter((line) => line.length > 80)).toEqual([])
  expect(report.split('\n').filter((line) => line.length > 80)).toEqual([])
  await expect(`${table}\n`).toMatchFileSnapshot(fileURLToPath(fileOf('detect.txt')))
  await expect(`${report}\n`).toMatchFileSnapshot(fileURLToPath(fileOf('doctor.txt')))
})
