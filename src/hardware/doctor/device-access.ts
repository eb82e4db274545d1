import type { Problem } from '#core/device.ts'
import { gpusOf, type Rule } from '#hardware/doctor/rule.ts'

/** AMD and Intel GPUs belong to the groups render and video; root needs neither. */
export const deviceAccess: Rule = (examined) => {
  const { userId, groups } = examined.checkup
  const gpus = gpusOf(examined, 'amd', 'intel')
  if (examined.system !== 'linux' || gpus.length === 0) return []
  if (groups === null || userId === 0 || groups.includes('render')) return []
  const isAmd = gpus.some(({ vendor }) => vendor === 'amd')
  return [
    {
      severity: 'error',
      what: 'The user Motley runs as is not in the group "render".',
      why: `${isAmd ? '/dev/kfd and /dev/dri/renderD* belong' : '/dev/dri/renderD* belongs'} to that group: engines say "Permission denied" or find no GPU and compute on the CPU.`,
      fix: 'sudo usermod -aG render,video "$USER", then log in again. For a container add --group-add with the number that "getent group render" shows.',
    },
  ]
}

/** Device files that a container was not given, or that no driver made. */
export const deviceFiles: Rule = (examined) => {
  const { hasKfd, hasRenderNode } = examined.checkup
  if (examined.system !== 'linux') return []
  const problems: Problem[] = []
  if (hasKfd === false && gpusOf(examined, 'amd').length > 0) {
    problems.push({
      severity: 'error',
      what: 'An AMD GPU is there, and /dev/kfd is not.',
      why: 'ROCm computes through /dev/kfd; without it only Vulkan can use the GPU.',
      fix: 'On the host: sudo modprobe amdgpu. In a container: start it with --device /dev/kfd --device /dev/dri.',
    })
  }
  if (hasRenderNode === false && gpusOf(examined, 'intel').length > 0) {
    problems.push({
      severity: 'error',
      what: 'An Intel GPU is there, and no /dev/dri/renderD*.',
      why: 'Level Zero, OpenCL and Vulkan all open the GPU there.',
      fix: 'On the host: sudo modprobe xe (or i915 for older GPUs). In a container: start it with --device /dev/dri.',
    })
  }
  return problems
}
