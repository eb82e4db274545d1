/**
 * The command lines of Docker and Podman for a replica in a container. Both take the same words.
 *
 * The client stays in the foreground, so that it is the replica's process: its output is the
 * engine's, and its end is the container's. The container itself outlives it.
 */
import type { KnownError } from '#agent/replicas/exit-meaning.ts'
import type { ContainerPlan, LaunchPlan } from '#agent/replicas/launch-plan.ts'
import type { ReplicaId } from '#core/ids.ts'

export function containerName(id: ReplicaId): string {
  return `motley-${id}`
}

/**
 * Arguments after `docker` or `podman`. Secrets are only named, since every user of the machine can
 * read arguments: the client must be started with `secretEnv` in its environment.
 */
export function runArguments(id: ReplicaId, plan: LaunchPlan, container: ContainerPlan): string[] {
  const { network, gpus } = container
  return [
    'run',
    '--rm',
    ...option('--name', containerName(id)),
    ...option('--label', `motley.replica=${id}`),
    ...option('--runtime', container.runtime),
    // A list in this option is read as CSV, so it wants quotes of its own.
    ...option('--gpus', gpus === null ? null : `"device=${gpus.join(',')}"`),
    ...container.devices.flatMap((path) => option('--device', path)),
    ...container.groups.flatMap((group) => option('--group-add', group)),
    ...option('--ipc', container.ipc),
    ...option('--shm-size', container.shmBytes),
    ...container.capAdd.flatMap((capability) => option('--cap-add', capability)),
    ...container.securityOptions.flatMap((security) => option('--security-opt', security)),
    ...Object.entries(container.ulimits).flatMap(([name, limit]) =>
      option('--ulimit', `${name}=${limit}`),
    ),
    ...option('--publish', `${network.hostAddress}:${network.hostPort}:${network.containerPort}`),
    ...container.mounts.flatMap(({ source, target, readOnly }) =>
      option('--volume', `${source}:${target}${readOnly ? ':ro' : ''}`),
    ),
    ...Object.entries(plan.env).flatMap(([name, value]) => option('--env', `${name}=${value}`)),
    // A name alone takes the value from the client's environment.
    ...Object.keys(plan.secretEnv ?? {}).flatMap((name) => option('--env', name)),
    ...(plan.command === '' ? [] : option('--entrypoint', plan.command)),
    container.image,
    ...plan.args,
  ]
}

/** Shows its output from now on, passes no signal on, and ends with its exit code. */
export function attachArguments(id: ReplicaId): string[] {
  return ['attach', '--no-stdin', '--sig-proxy=false', containerName(id)]
}

export function signalArguments(id: ReplicaId, signal: NodeJS.Signals): string[] {
  return ['kill', '--signal', signal, containerName(id)]
}

/** Ends it if it runs, and is content when there is none. */
export function removeArguments(id: ReplicaId): string[] {
  return ['rm', '--force', '--volumes', containerName(id)]
}

/** Prints `true` while it runs; fails when there is none. */
export function inspectArguments(id: ReplicaId): string[] {
  return ['container', 'inspect', '--format', '{{.State.Running}}', containerName(id)]
}

/** What the runtime says when it cannot start a container; more telling than any engine's words. */
export const containerErrors: readonly KnownError[] = [
  {
    pattern: /could not select device driver|unresolvable CDI devices|failed to discover GPU/i,
    meaning: 'The container runtime cannot hand out the GPUs of this machine.',
    fix: "Install the container toolkit of the GPUs' vendor and restart the container runtime.",
    permanent: true,
  },
  {
    pattern: /permission denied while trying to connect to the docker (?:API|daemon socket)/i,
    meaning: 'The user who runs the agent may not use Docker.',
    fix: 'Add the user to the group docker, or use Podman.',
    permanent: true,
  },
  {
    pattern: /cannot connect to the docker daemon|cannot connect to podman/i,
    meaning: 'The container runtime does not run.',
    fix: 'Start it, as with: systemctl start docker',
  },
  {
    pattern: /(?:pull access denied for|manifest for) (\S+)|manifest unknown/i,
    meaning: 'The registry has no such image, or wants a login.',
    fix: 'Check the name of the image; log in, or pull it by hand to see what the registry says.',
    permanent: true,
  },
  {
    pattern: /port is already allocated/i,
    meaning: 'Its port is taken by another program or container.',
    fix: null,
  },
  {
    pattern: /error gathering device information while adding custom device "([^"]+)"/i,
    meaning: 'There is no device $1 on this machine.',
    fix: 'Install or load the kernel driver that provides it.',
    permanent: true,
  },
  {
    pattern: /exec: "([^"]+)": (?:executable file not found|stat .*no such file)/i,
    meaning: 'The image has no program $1.',
    fix: 'Use an image of this engine.',
    permanent: true,
  },
]

function option(flag: string, value: string | number | null): string[] {
  return value === null ? [] : [flag, String(value)]
}
