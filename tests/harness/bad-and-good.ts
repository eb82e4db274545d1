/** Two engines of which the first breaks off in the middle of its answers. */
import type { EmulatorOptions } from '#emulator/options.ts'
import { accessLogFile } from './access-log.ts'
import { endpointsOf, engine, fleet } from './fleet.ts'

interface Setting {
  readonly bad?: Partial<EmulatorOptions>
  readonly good?: Partial<EmulatorOptions>
  readonly retries?: object
}

/** `bad` is asked first; left alone, both would give the same answer. */
export async function badAndGood(
  faults: readonly string[],
  { bad = {}, good = {}, retries = {} }: Setting = {},
) {
  const first = await engine({ faults, ...bad })
  const second = await engine(good)
  const accessLog = accessLogFile()
  const made = await fleet({
    endpoints: [
      { ...endpointsOf({ bad: first })[0], weight: 100 },
      { ...endpointsOf({ good: second })[0], weight: 1 },
    ],
    gateway: { accessLog: accessLog.path, retries, timeouts: { betweenChunksMs: 200 } },
    routing: { strategy: 'least-connections' },
  })
  const logged = async () => {
    await made.gateway.close()
    return accessLog.first()
  }
  /** What the second one was asked for on a path, last. */
  const askedOf = (path: string) => {
    const asked = second.received().findLast((request) => request.path === path)
    return JSON.parse(String(asked?.body))
  }
  return { first, second, askedOf, logged, ...made }
}
