import type { Problem } from '#core/device.ts'
import { memoryText } from '#core/memory-text.ts'
import { gpusOf, naming, type Rule } from '#hardware/doctor/rule.ts'

/** Both pools of an APU smaller than this, and no model of use fits. */
const smallBytes = 8 * 2 ** 30

/** The BIOS gave an APU little, and the kernel lets it map little more. */
export const carveOut: Rule = (examined) => {
  const small = gpusOf(examined, 'amd').filter(
    ({ memory, memoryBytes, schedulable }) =>
      schedulable && memory.carveOut !== null && memoryBytes !== null && memoryBytes < smallBytes,
  )
  const machine = examined.inventory.devices.find(({ vendor }) => vendor === 'cpu')?.memoryBytes
  const pages = machine == null ? 3_145_728 : Math.floor((machine * 0.75) / 4_096)
  const share = machine == null ? ', here 12 GiB' : ', here three quarters of the memory'
  return small.map((gpu): Problem => {
    const carved = memoryText(gpu.memory.carveOut?.totalBytes ?? 0)
    const shared = gpu.memory.shared
    const mapped = shared === null ? '' : `, and it may map ${memoryText(shared.totalBytes)} more`
    return {
      severity: 'warning',
      what: `${naming([gpu])} has ${carved} of its own${mapped}.`,
      why: 'It computes in the memory of the machine, and engines plan with what they are told: most models will not fit.',
      fix: `Let the kernel lend it more: add ttm.pages_limit=${pages} to the kernel command line (pages of 4 KiB${share}) and reboot; or raise "UMA frame buffer size" in the BIOS.`,
    }
  })
}

/** macOS keeps a quarter to a third of the memory from the GPU. */
export const appleLimit: Rule = (examined) =>
  gpusOf(examined, 'apple').flatMap((gpu): Problem[] => {
    const total = gpu.memory.unified?.totalBytes ?? 0
    if (total < 32 * 2 ** 30 || gpu.memory.limitBytes !== null) return []
    const mebibytes = Math.floor((total * 0.85) / 2 ** 20)
    return [
      {
        severity: 'note',
        what: `macOS lets ${gpu.name} use about three quarters of its ${memoryText(total)}.`,
        why: 'Larger models would fit if it were allowed more; macOS itself needs 8 GB or 15 %.',
        fix: `sudo sysctl iogpu.wired_limit_mb=${mebibytes} (until the next reboot)`,
      },
    ]
  })

/** An x64 Node on Apple silicon sees an x64 machine and starts x64 engines without Metal. */
export const rosetta: Rule = ({ checkup }) =>
  checkup.isTranslated === true
    ? [
        {
          severity: 'error',
          what: 'Motley runs under Rosetta: this Node is built for Intel Macs.',
          why: 'Engines that it starts are translated too and cannot use Metal.',
          fix: 'Install Node for arm64 (brew install node in a native terminal) and run "npm ci" again.',
        },
      ]
    : []
