/** What every agent gets from the machine that this process runs on. */
import { accessSync, constants, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { delimiter, isAbsolute, join } from 'node:path'
import type { AgentOptions } from '#agent/agent.ts'
import type { OwnProgram } from '#agent/choose-launch.ts'
import {
  engineDirectory,
  isInstalled as isVariantInstalled,
  weightsDirectory,
} from '#cli/data-directory.ts'
import { hubSettings } from '#cli/hub-settings.ts'
import { roomProgram } from '#cli/package-files.ts'
import { motleyVersion } from '#embedded/motley-version.ts'
import type { Machine } from '#hardware/probe.ts'
import { systemClock } from '#std/clock.ts'
import { weightsCaches } from '#weights/caches/index.ts'
import { openHttpClient } from '#weights/http-client.ts'
import { openStore } from '#weights/store.ts'

type FromMachine =
  | 'version'
  | 'machine'
  | 'runsEngines'
  | 'weights'
  | 'ownProgram'
  | 'findProgram'
  | 'containerRuntime'
  | 'clock'
  | 'chance'
  | 'log'

export function agentOptions(
  machine: Machine,
  log: (line: string) => void,
  runsEngines = true,
): Pick<AgentOptions, FromMachine> {
  return {
    version: motleyVersion,
    machine,
    runsEngines,
    weights: {
      http: openHttpClient({ env: process.env }),
      clock: systemClock,
      chance: Math.random,
      nodeHeaders: {},
      store: openStore(weightsDirectory()),
      caches: weightsCaches({ env: process.env, home: homedir() }),
      nodes: [],
      ...hubSettings(process.env),
    },
    ownProgram: {
      command: process.execPath,
      args: [...process.execArgv, roomProgram('embedded/main')],
      backends: ownBackends(),
    },
    findProgram,
    containerRuntime:
      findProgram('docker') === null && findProgram('podman') !== null ? 'podman' : 'docker',
    clock: systemClock,
    chance: Math.random,
    log,
  }
}

/** The CPU build comes with Motley, on Apple silicon with Metal inside. */
function ownBackends(): OwnProgram['backends'] {
  const hasMetal = process.platform === 'darwin' && process.arch === 'arm64'
  const installed = (['cuda', 'vulkan'] as const)
    .filter(isVariantInstalled)
    .map((variant) => [variant, ['--engine-directory', engineDirectory(variant)]] as const)
  return { cpu: [], ...(hasMetal ? { metal: [] } : {}), ...Object.fromEntries(installed) }
}

/** Engines that lie elsewhere than on the PATH, as in a folder of Python, come first. */
function findProgram(command: string): string | null {
  if (isAbsolute(command)) return isExecutable(command) ? command : null
  const { MOTLEY_ENGINE_PATH: first = '', PATH: usual = '' } = process.env
  const folders = [...first.split(delimiter), ...usual.split(delimiter)]
  const places = folders.filter((folder) => folder !== '').map((folder) => join(folder, command))
  return places.find(isExecutable) ?? null
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}
