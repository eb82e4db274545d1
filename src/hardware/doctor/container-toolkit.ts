import { gpusOf, type Rule } from '#hardware/doctor/rule.ts'

/** Docker gives NVIDIA GPUs to containers only with NVIDIA's toolkit. */
export const containerToolkit: Rule = (examined) => {
  const { docker, containerToolkit: installed } = examined.checkup
  if (docker === null || gpusOf(examined, 'nvidia').length === 0) return []
  const problem = {
    severity: 'warning' as const,
    why: 'Engines that run in containers, as vLLM and SGLang mostly do, find no GPU: "could not select device driver with capabilities: [[gpu]]".',
  }
  if (installed === false && !docker.runtimes?.includes('nvidia')) {
    return [
      {
        ...problem,
        what: 'Docker is there, and the NVIDIA Container Toolkit is not.',
        fix: 'Install it and tell Docker: sudo apt install nvidia-container-toolkit && sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker',
      },
    ]
  }
  if (installed === true && docker.runtimes !== null && !docker.runtimes.includes('nvidia')) {
    return [
      {
        ...problem,
        what: 'The NVIDIA Container Toolkit is installed, but Docker does not know of it.',
        fix: 'sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker',
      },
    ]
  }
  return []
}
