/**
 * Builds of llama.cpp. The CPU build comes with Motley (on Apple silicon it has Metal inside); the
 * GPU builds are large, so they are installed only on request, beside the user's data.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { delimiter, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { makeFolder } from '#std/make-folder.ts'

export const variants = ['cpu', 'metal', 'cuda', 'vulkan'] as const
export type Variant = (typeof variants)[number]

export type LlamaModule = typeof import('node-llama-cpp')

/** What the choice of a variant looks at. Cheap: a few file checks, no program is run. */
export interface VariantFacts {
  readonly platform: NodeJS.Platform
  readonly arch: string
  readonly exists: (path: string) => boolean
  readonly isOnPath: (command: string) => boolean
}

export interface VariantChoice {
  readonly variant: Variant
  /** Whether it comes with Motley, so that nothing has to be installed. */
  readonly included: boolean
  readonly reason: string
}

const vulkanLoaders: Readonly<Record<string, readonly string[]>> = {
  linux: [
    '/usr/lib/x86_64-linux-gnu/libvulkan.so.1',
    '/usr/lib64/libvulkan.so.1',
    '/usr/lib/libvulkan.so.1',
    '/usr/local/lib/libvulkan.so.1',
  ],
  win32: ['C:\\Windows\\System32\\vulkan-1.dll'],
}

/** The variant that fits this machine best, and why. */
export function chooseVariant(facts: VariantFacts = factsOfThisMachine()): VariantChoice {
  const { platform, arch, exists, isOnPath } = facts
  if (platform === 'darwin') {
    return arch === 'arm64'
      ? { variant: 'metal', included: true, reason: 'Apple silicon, served by Metal' }
      : { variant: 'cpu', included: true, reason: 'an Intel Mac, served by its CPU' }
  }
  if (arch !== 'x64' || (platform !== 'linux' && platform !== 'win32')) {
    return { variant: 'cpu', included: true, reason: `no GPU build for ${platform} on ${arch}` }
  }
  if (exists('/dev/nvidiactl') || isOnPath('nvidia-smi')) {
    return { variant: 'cuda', included: false, reason: 'an NVIDIA driver is present' }
  }
  const hasDevice = platform === 'win32' || exists('/dev/dri')
  const loader = (vulkanLoaders[platform] ?? []).find(exists)
  if (hasDevice && loader !== undefined) {
    return { variant: 'vulkan', included: false, reason: `a Vulkan loader is at ${loader}` }
  }
  return { variant: 'cpu', included: true, reason: 'no GPU driver found' }
}

function factsOfThisMachine(): VariantFacts {
  const suffixes = process.platform === 'win32' ? ['.exe'] : ['']
  return {
    platform: process.platform,
    arch: process.arch,
    exists: existsSync,
    isOnPath: (command) =>
      (process.env['PATH'] ?? '')
        .split(delimiter)
        .some((folder) => suffixes.some((suffix) => existsSync(join(folder, command + suffix)))),
  }
}

/** A variant could not be installed. The message is one sentence, with npm's last words. */
export class VariantInstallError extends Error {}

/** Its folder cannot be made or written: another one may do. */
export class VariantFolderError extends VariantInstallError {}

export interface InstallVariantOptions {
  /** Receives npm's lines, for showing progress. */
  readonly onLine?: (line: string) => void
  readonly signal?: AbortSignal
}

/**
 * Installs a variant into a folder of its own, in the version that Motley comes with. The folder
 * gets a package.json whose overrides replace every build that is not wanted by a package for
 * another system, which npm then skips: 30 to 600 MB less for each.
 */
export async function installVariant(
  variant: Variant,
  directory: string,
  { onLine, signal }: InstallVariantOptions = {},
): Promise<void> {
  const manifest = await variantManifest(variant)
  try {
    await makeFolder(directory)
    await writeFile(join(directory, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  } catch (cause) {
    const words = cause instanceof Error ? cause.message : String(cause)
    throw new VariantFolderError(`The folder ${directory} cannot be written: ${words}.`, { cause })
  }
  const flags = ['--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error']
  await runNpm(['install', '--prefix', resolve(directory), ...flags], directory, onLine, signal)
  if (!existsSync(join(directory, 'node_modules', 'node-llama-cpp'))) {
    throw new VariantInstallError(
      `npm finished, but node-llama-cpp is not in ${directory}; delete that folder and try again.`,
    )
  }
}

/** A package for AIX only: as an optional dependency npm skips it everywhere else. */
const skippedPackage = 'npm:@esbuild/aix-ppc64@0.25.0'

/** The package.json of a folder that holds one variant beside the plain build of this system. */
export async function variantManifest(
  variant: Variant,
  platform: NodeJS.Platform = process.platform,
  arch: string = process.arch,
): Promise<Readonly<Record<string, unknown>>> {
  const { version, optionalDependencies = {} } = await bundledPackage()
  const system = `@node-llama-cpp/${systemNames[platform] ?? platform}-${arch}`
  const wanted = ['', '-metal', `-${variant}`, `-${variant}-ext`].map((end) => system + end)
  const unwanted = Object.keys(optionalDependencies).filter((name) => !wanted.includes(name))
  return {
    name: `motley-engine-${variant}`,
    private: true,
    dependencies: { 'node-llama-cpp': version },
    overrides: Object.fromEntries(unwanted.map((name) => [name, skippedPackage])),
  }
}

/** How node-llama-cpp names its packages, where it is not Node's own word. */
const systemNames: Readonly<Record<string, string>> = { darwin: 'mac', win32: 'win' }

/** node-llama-cpp from a folder made by {@link installVariant}, or else the bundled one. */
export async function importLlama(directory?: string): Promise<LlamaModule> {
  if (directory !== undefined) {
    const entry = join(directory, 'node_modules', 'node-llama-cpp', 'dist', 'index.js')
    if (existsSync(entry)) return (await import(pathToFileURL(entry).href)) as LlamaModule
  }
  return await import('node-llama-cpp')
}

interface PackageJson {
  readonly version: string
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

/** The manifest of the bundled node-llama-cpp, which does not export it. */
async function bundledPackage(): Promise<PackageJson> {
  const entry = fileURLToPath(import.meta.resolve('node-llama-cpp'))
  const text = await readFile(resolve(entry, '..', '..', 'package.json'), 'utf8')
  return JSON.parse(text) as PackageJson
}

function runNpm(
  args: readonly string[],
  directory: string,
  onLine: ((line: string) => void) | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  return new Promise((resolveRun, reject) => {
    const isWindows = process.platform === 'win32'
    const npm = spawn(isWindows ? 'npm.cmd' : 'npm', args, {
      cwd: directory,
      shell: isWindows, // Node starts .cmd files only through a shell
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(signal === undefined ? {} : { signal }),
    })
    let lastLine = 'no output'
    const read = (chunk: Buffer): void => {
      for (const line of chunk.toString().split('\n')) {
        if (line.trim() === '') continue
        lastLine = line.trim()
        onLine?.(lastLine)
      }
    }
    npm.stdout.on('data', read)
    npm.stderr.on('data', read)
    npm.on('error', (cause) => {
      reject(new VariantInstallError(`npm could not be run: ${cause.message}.`, { cause }))
    })
    npm.on('close', (code) => {
      if (code === 0) resolveRun()
      else {
        reject(
          new VariantInstallError(
            `npm ended with code ${code} while installing into ${directory}: ${lastLine}`,
          ),
        )
      }
    })
  })
}
