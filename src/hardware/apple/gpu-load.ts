/** How busy the GPU of a Mac is: ioreg for everybody, powermetrics for root. */
import { numberIn, percentIn } from '#hardware/probe-fields.ts'

export interface GpuLoad {
  readonly utilizationRatio: number | null
  readonly powerWatts: number | null
}

/** `ioreg -r -c IOAccelerator`: PerformanceStatistics of the GPU. */
export function readIoreg(text: string): GpuLoad | null {
  const busy = /"Device Utilization %"\s*=\s*(\d+)/.exec(text)?.[1]
  return busy === undefined ? null : { utilizationRatio: percentIn(busy), powerWatts: null }
}

/** `powermetrics --samplers gpu_power`, which only root may run. */
export function readPowermetrics(
  text: string,
): (GpuLoad & { readonly model: string | null }) | null {
  if (!/\*\*\*\* GPU usage \*\*\*\*/.test(text)) return null
  const milliwatts = numberIn(/^GPU Power: (\d+) mW/m.exec(text)?.[1])
  return {
    utilizationRatio: percentIn(/^GPU HW active residency:\s*([\d.]+)%/m.exec(text)?.[1]),
    powerWatts: milliwatts === null || milliwatts > 1e6 ? null : milliwatts / 1_000,
    model: /^Machine model: (\S+)/m.exec(text)?.[1] ?? null,
  }
}
