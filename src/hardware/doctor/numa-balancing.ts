import type { Rule } from '#hardware/doctor/rule.ts'

/** The kernel moves pages between NUMA nodes behind the back of engines that placed them. */
export const numaBalancing: Rule = ({ inventory }) => {
  const value = inventory.node?.numaBalancing ?? 0
  if (value === 0) return []
  const inContainer = inventory.node?.container != null
  const place = inContainer ? 'On the host, because a container cannot change it: ' : ''
  return [
    {
      severity: 'warning',
      what: `Automatic NUMA balancing is on (kernel.numa_balancing = ${value}).`,
      why: 'The kernel unmaps pages to see who uses them, which stalls GPUs that read them; AMD asks for 0 on nodes that serve models.',
      fix: `${place}sudo sysctl -w kernel.numa_balancing=0, and for the next boot: echo kernel.numa_balancing=0 | sudo tee /etc/sysctl.d/90-motley.conf`,
    },
  ]
}
