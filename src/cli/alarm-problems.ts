/** What the agent of this machine wrote down about its replicas, as problems for `motley doctor`. */
import { agentDirectory } from '#agent/agent-directory.ts'
import { readStoredAlarms } from '#agent/stored-alarms.ts'
import type { Problem } from '#core/device.ts'

export function alarmProblems(dataDirectory: string): Problem[] {
  return readStoredAlarms(agentDirectory(dataDirectory)).flatMap(
    ({ replica, fromLog, fromBenchmark }) =>
      [...fromLog, ...(fromBenchmark === null ? [] : [fromBenchmark])].map(
        (alarm): Problem => ({
          severity: 'warning',
          what: `Replica ${replica}: ${alarm}`,
          why: 'Answers still come, many times slower than this machine could give them: nobody notices.',
          fix: `motley replica logs ${replica}, which says what it found; a smaller model or context leaves room on the device`,
        }),
      ),
  )
}
