/** A launch plan as a service of Docker Compose, for those who start their engines themselves. */
import { stringify } from 'yaml'
import type { ContainerPlan, LaunchPlan } from '#engines/engine-launch.ts'

/**
 * The text of a compose file with one service. Secrets are taken from the environment of compose.
 * Returns null for a plan without a container: compose starts nothing else.
 */
export function composeForm(plan: LaunchPlan, name: string): string | null {
  if (plan.container === null) return null
  const file = { services: { [name]: service(plan, plan.container) } }
  // Older readers take `off` and 1:30 for something else than text; in 1.1 they are quoted.
  return stringify(file, { version: '1.1', lineWidth: 0 })
}

function service(plan: LaunchPlan, container: ContainerPlan): Readonly<Record<string, unknown>> {
  const { network, gpus } = container
  const environment = {
    ...mapValues(plan.env, literal),
    ...Object.fromEntries(Object.keys(plan.secretEnv).map((key) => [key, `\${${key}:?}`])),
  }
  const entries = {
    image: container.image,
    entrypoint: [literal(plan.command)],
    command: plan.args.map(literal),
    environment,
    ports: [`${network.hostAddress}:${network.hostPort}:${network.containerPort}`],
    volumes: container.mounts.map(({ source, target, readOnly }) => ({
      type: 'bind',
      source: literal(source),
      target: literal(target),
      ...(readOnly ? { read_only: true } : {}),
    })),
    runtime: container.runtime,
    devices: container.devices.map((path) => `${path}:${path}`),
    group_add: container.groups,
    ipc: container.ipc,
    shm_size: container.shmBytes,
    cap_add: container.capAdd,
    security_opt: container.securityOptions,
    ulimits: container.ulimits,
    deploy:
      gpus === null
        ? null
        : {
            resources: {
              reservations: {
                devices: [{ driver: 'nvidia', device_ids: gpus, capabilities: ['gpu'] }],
              },
            },
          },
  }
  return Object.fromEntries(Object.entries(entries).filter(([, value]) => !isNothing(value)))
}

/** Compose replaces `$NAME`; a dollar that is meant is written twice. */
function literal(text: string): string {
  return text.replaceAll('$', '$$$$')
}

function mapValues(
  record: Readonly<Record<string, string>>,
  change: (value: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]))
}

function isNothing(value: unknown): boolean {
  return value === null || (typeof value === 'object' && Object.keys(value).length === 0)
}
