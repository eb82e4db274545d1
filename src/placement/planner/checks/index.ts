/** Every check there is, in the order in which reasons are told: from the node inwards. */
import { backends } from '#placement/planner/checks/backends.ts'
import type {
  DeviceCheck,
  DiskCheck,
  FitCheck,
  HistoryCheck,
  NodeCheck,
  VariantCheck,
  WayCheck,
} from '#placement/planner/checks/check.ts'
import { deviceUsable } from '#placement/planner/checks/device-usable.ts'
import { diskRoom } from '#placement/planner/checks/disk-room.ts'
import { draining } from '#placement/planner/checks/draining.ts'
import { engines } from '#placement/planner/checks/engines.ts'
import { failedStart } from '#placement/planner/checks/failed-start.ts'
import { labels } from '#placement/planner/checks/labels.ts'
import { minVram } from '#placement/planner/checks/min-vram.ts'
import { modelTask } from '#placement/planner/checks/model-task.ts'
import { nodeNames } from '#placement/planner/checks/node-names.ts'
import { presence } from '#placement/planner/checks/presence.ts'
import { recording } from '#placement/planner/checks/recording.ts'
import { taints } from '#placement/planner/checks/taints.ts'
import { targets } from '#placement/planner/checks/targets.ts'
import { task } from '#placement/planner/checks/task.ts'
import { weightsFormat } from '#placement/planner/checks/weights-format.ts'

export const nodeChecks: readonly NodeCheck[] = [
  presence,
  recording,
  draining,
  taints,
  nodeNames,
  labels,
]
export const deviceChecks: readonly DeviceCheck[] = [deviceUsable, backends, minVram]
export const variantChecks: readonly VariantCheck[] = [modelTask]
export const wayChecks: readonly WayCheck[] = [weightsFormat, task, engines]
export const diskChecks: readonly DiskCheck[] = [diskRoom]
export const fitChecks: readonly FitCheck[] = [targets]
export const historyChecks: readonly HistoryCheck[] = [failedStart]
