/** Ways to say what a check found. */
import type { FindingCode, Setting } from '#core/compatibility.ts'
import type { Device } from '#core/device.ts'
import type { Found } from '#placement/compatibility/question.ts'

export function blocks(code: FindingCode, what: string, unlockedBy: string | null): Found {
  return { kind: 'blocks', code, what, unlockedBy, setting: null }
}

export function needsSetting(code: FindingCode, what: string, setting: Setting): Found {
  return { kind: 'setting', code, what, unlockedBy: null, setting }
}

export function warns(code: FindingCode, what: string, advice: string | null = null): Found {
  return { kind: 'warning', code, what, unlockedBy: advice, setting: null }
}

export function unverified(what: string): Found {
  return { kind: 'unverified', code: 'not-verified', what, unlockedBy: null, setting: null }
}

/** What is said of each device, once where it is the same of several. */
export function ofEach(
  devices: readonly Device[],
  find: (device: Device) => readonly Found[],
): readonly Found[] {
  const all = devices.flatMap(find)
  return all.filter(({ what }, at) => all.findIndex((other) => other.what === what) === at)
}

/** `a`, `a or b`, `a, b or c`. */
export function either(choices: readonly string[]): string {
  const all = [...new Set(choices)]
  const last = all.at(-1) ?? ''
  return all.length < 2 ? last : `${all.slice(0, -1).join(', ')} or ${last}`
}
