/** Engines in containers of Docker or Podman; a plan without a container is a plain process. */
import { execFile } from 'node:child_process'
import {
  attachArguments,
  inspectArguments,
  removeArguments,
  runArguments,
  signalArguments,
} from '#agent/replicas/container-command.ts'
import type {
  EngineLaunch,
  EngineLauncher,
  RunningEngine,
} from '#agent/replicas/engine-launcher.ts'

/** A client that does not answer must not hold up the others for ever; `rm` may wait 10 s itself. */
const clientMsMax = 60_000

/** `runtime`: `docker`, `podman`, or where it is. `processes` runs it, and plans without a container. */
export function containerLauncher(processes: EngineLauncher, runtime: string): EngineLauncher {
  return {
    async launch(launch) {
      const { id, plan } = launch
      if (plan.container === null) return await processes.launch(launch)
      // What an earlier client left has the name that we need, and the devices.
      await remove(runtime, launch)
      const client = asClient(launch, runtime, runArguments(id, plan, plan.container))
      return inContainer(runtime, launch, await processes.launch(client))
    },

    async adopt(launch, mark) {
      if (launch.plan.container === null) return await processes.adopt(launch, mark)
      const client = await processes.adopt(asClient(launch, runtime, []), mark)
      if (client !== null) return inContainer(runtime, launch, client)
      // A service manager may have ended the client with the agent; the container is not its child.
      if ((await ask(runtime, inspectArguments(launch.id))) === 'true') {
        const again = asClient(launch, runtime, attachArguments(launch.id))
        return inContainer(runtime, launch, await processes.launch({ ...again, port: null }))
      }
      await remove(runtime, launch)
      return null
    },
  }
}

function asClient(launch: EngineLaunch, runtime: string, args: readonly string[]): EngineLaunch {
  const { secretEnv } = launch.plan
  return { ...launch, plan: { command: runtime, args, env: {}, secretEnv, container: null } }
}

function inContainer(runtime: string, launch: EngineLaunch, client: RunningEngine): RunningEngine {
  return {
    mark: client.mark,
    async signal(signal) {
      // It fails when the container is gone, and when it is not there yet.
      const heard = await ask(runtime, signalArguments(launch.id, signal))
      if (heard === null || signal === 'SIGKILL') await client.signal(signal)
    },
    ended: client.ended.then(async (end) => {
      // The client may have ended alone.
      await remove(runtime, launch)
      return end
    }),
    release: () => client.release(),
  }
}

async function remove(runtime: string, { id }: EngineLaunch): Promise<void> {
  await ask(runtime, removeArguments(id))
}

/** What it prints, or null when it fails: the client that runs the engine says why in its log. */
function ask(runtime: string, args: readonly string[]): Promise<string | null> {
  return new Promise((resolve) => {
    execFile(runtime, args, { timeout: clientMsMax }, (error, stdout) => {
      resolve(error === null ? stdout.trim() : null)
    })
  })
}
