/**
 * What the program of an engine says of itself, without a model: its release, and what it is built
 * for. A program that runs is asked; nothing is guessed from its name.
 */
import type { Backend } from '#core/engine-build.ts'

export interface ProgramQuestion {
  /** Another program that knows, as the interpreter of a library; null for the engine's own. */
  readonly command: string | null
  readonly args: readonly string[]
}

export interface ProgramFacts {
  readonly version: string | null
  /** Null where it does not tell. */
  readonly backends: readonly Backend[] | null
}

export interface EngineProgram {
  /** Asked one after the other; each answers within seconds and loads nothing. */
  readonly questions: readonly ProgramQuestion[]
  /**
   * The answers in the order of the questions, stdout before stderr; null where one failed. Returns
   * null when the engine is not there although the program that starts it is.
   */
  read(answers: readonly (string | null)[]): ProgramFacts | null
}

/** For a program that says its version and no more. */
export const saysVersion: EngineProgram = {
  questions: [{ command: null, args: ['--version'] }],
  read: ([answer = null]) => ({ version: versionIn(answer ?? ''), backends: null }),
}

/** Every program says its own sentence around it: `version: 6123 (abc)`, `0.11.0`, `ollama is 0.9.1`. */
export function versionIn(text: string): string | null {
  return (
    /\bversion:?\s+(?:is\s+)?[vb]?(\d+(?:\.\d+)*(?:[a-z]+\d*)?)\b/i.exec(text)?.[1] ??
    /\b[vb]?(\d+\.\d+(?:\.\d+)*(?:[a-z]+\d*)?)/.exec(text)?.[1] ??
    null
  )
}

/**
 * A Python package whose starter says nothing of it: the interpreter is asked for the metadata of
 * the package, and of PyTorch where that does the computing, since it is built for one backend.
 */
export function pythonPackage(name: string, computes: 'with-torch' | 'otherwise'): EngineProgram {
  const torch = 'print("torch:", next((d.version for d in m.distributions(name="torch")), ""))'
  const script = [
    'import importlib.metadata as m',
    `print("version:", m.version("${name}"))`,
    ...(computes === 'with-torch' ? [torch] : []),
  ].join('; ')
  return {
    questions: [{ command: 'python3', args: ['-c', script] }],
    read([answer = null]) {
      if (answer === null) return null
      const built = /^torch: (\S+)/m.exec(answer)?.[1] ?? ''
      return { version: versionIn(answer), backends: backendsOfTorch(built) }
    },
  }
}

/** Of a version such as 2.9.0+cu128, as its wheels are called; without a suffix it does not tell. */
export function backendsOfTorch(version: string): readonly Backend[] | null {
  const [, suffix = ''] = /\+([a-z]+)/.exec(version) ?? []
  const built = backendsBySuffix.get(suffix)
  return built === undefined ? null : [built]
}

const backendsBySuffix: ReadonlyMap<string, Backend> = new Map([
  ['cu', 'cuda'],
  ['rocm', 'rocm'],
  ['xpu', 'level-zero'],
  ['cpu', 'cpu'],
])

/**
 * `--list-devices` of llama.cpp: a line for each device that its build can use here. A build for
 * GPUs whose driver does not work shows none, and would compute on the CPU.
 */
export function backendsInDeviceList(text: string): readonly Backend[] | null {
  const [, list] = /^Available devices:(.*)/ms.exec(text) ?? []
  if (list === undefined) return null
  const names = [...list.matchAll(/^\s*([A-Za-z]+)\d*: /gm)].map(([, name = '']) => name)
  const found = names.flatMap((name) => backendsByDevice.get(name.toLowerCase()) ?? [])
  return [...new Set<Backend>([...found, 'cpu'])]
}

const backendsByDevice: ReadonlyMap<string, Backend> = new Map([
  ['cuda', 'cuda'],
  ['rocm', 'rocm'],
  ['hip', 'rocm'],
  ['vulkan', 'vulkan'],
  ['sycl', 'level-zero'],
  ['mtl', 'metal'],
  ['metal', 'metal'],
])
