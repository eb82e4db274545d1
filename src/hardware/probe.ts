/**
 * A probe knows one vendor. It only says what to ask a machine, commands and files, and turns the
 * answers into devices and problems: it runs nothing, opens nothing and keeps no state, so every
 * recording of a real machine is a test of it. No answer, however broken, makes a reader throw.
 *
 * Tools print the same facts in many shapes, by version and by option. Readers therefore know an
 * answer by what it looks like, not by the command that gave it.
 */
import type {
  Device,
  DeviceMemory,
  MemoryUser,
  NodeFacts,
  Problem,
  Runtime,
  Vendor,
} from '#core/device.ts'

export type System = 'linux' | 'darwin' | 'win32' | 'freebsd'

export interface CommandSource {
  readonly command: string
  readonly args: readonly string[]
  /** How long it may take; a detection as a whole has a limit of its own. */
  readonly timeoutMs: number
}

/** What came of a command. */
export type CommandResult =
  | {
      readonly kind: 'ran'
      readonly exitCode: number
      readonly stdout: string
      readonly stderr: string
    }
  /** There is no such program. */
  | { readonly kind: 'missing' }
  /** It gave no answer in time and was ended; what it had printed until then. */
  | {
      readonly kind: 'timeout'
      readonly afterMs: number
      readonly stdout: string
      readonly stderr: string
    }
  /** It could not be started, in the system's words. */
  | { readonly kind: 'failed'; readonly why: string }
  /** Nobody asked: a recording that does not hold it, or no time was left. */
  | { readonly kind: 'unknown' }

/** The edge to a machine: the live one, one mounted elsewhere, or a recording. Nothing rejects. */
export interface Machine {
  readonly system: System
  run(command: string, args: readonly string[], timeoutMs: number): Promise<CommandResult>
  /** Null when it cannot be read. */
  readFile(path: string): Promise<string | null>
  /** Names in it, sorted; empty when it cannot be read. */
  listDirectory(path: string): Promise<readonly string[]>
  /** What a symbolic link says; null when it is none. */
  readLink(path: string): Promise<string | null>
  /** A variable of the environment that engines would inherit. */
  variable(name: string): string | null
  /** What the system tells every program; null for a machine that is not this one. */
  basics(): Promise<Basics | null>
  /** A recording's answers of this program to other arguments than a probe asks with. */
  otherRuns(command: string): Promise<readonly CommandRun[]>
}

export interface Basics {
  readonly cpuName: string
  readonly architecture: string
  readonly threads: number
  readonly memoryBytes: number
  readonly freeMemoryBytes: number
}

export interface CommandRun {
  readonly command: string
  readonly args: readonly string[]
  readonly result: CommandResult
}

export interface Captured {
  readonly system: System
  readonly runs: readonly CommandRun[]
  /** By absolute path. */
  readonly files: ReadonlyMap<string, string>
  /** Last parts of what links point to, by absolute path. */
  readonly links: ReadonlyMap<string, string>
  readonly variables: ReadonlyMap<string, string>
  readonly basics: Basics | null
}

/**
 * What one tool or one folder of files told of one device. Fields it did not tell are left out.
 * `identity` says how to know the device again in what another one tells, strongest first.
 */
export interface PartialDevice
  extends Partial<
    Omit<Device, 'vendor' | 'name' | 'memory' | 'memoryUsers' | 'runtimes' | 'schedulable'>
  > {
  readonly vendor: Vendor
  readonly identity: Identity
  readonly name?: string | null
  readonly memory?: Partial<DeviceMemory>
  readonly runtimes?: Partial<Record<Runtime, string | null>>
  readonly memoryUsers?: MemoryUser[] | null
  /** Why it cannot be used, when this source knows. */
  readonly blockedBecause?: string
  /** Why it cannot be used if no other source sees it too. */
  readonly blockedIfAlone?: string
}

export interface Identity {
  /** PCI address, normalised. */
  readonly bus?: string | null
  readonly uuid?: string | null
  /**
   * Numbers in the order of a family of tools: `nvidia-smi:0`, `kfd:34756`, `mig:0/3`. Only numbers
   * of one family can be compared.
   */
  readonly numbers?: readonly string[]
}

/** What one source told: each of its devices is another one. */
export interface SourceDevices {
  readonly devices: readonly PartialDevice[]
  /** Used only where no better source knows a device of that vendor: names without addresses. */
  readonly lastResort?: boolean
}

export interface Reading {
  /** Best source first. */
  readonly sources: readonly SourceDevices[]
  readonly problems: readonly Problem[]
  readonly node?: NodeFacts
}

export interface Probe {
  readonly vendor: Vendor | 'vulkan'
  readonly commands: readonly CommandSource[]
  /** Programs that are not asked, because few have them or root alone may, but read in recordings. */
  readonly recordedCommands?: readonly string[]
  /** Paths; in one name `*` stands for anything and `#` for digits. */
  readonly files: readonly string[]
  /** Links to look at, in the same way. */
  readonly links?: readonly string[]
  /** Variables of the environment that change what engines see. */
  readonly variables?: readonly string[]
  /** What to ask next, now that this is known. */
  followUps?(captured: Captured): readonly CommandSource[]
  /** Never throws. */
  read(captured: Captured): Reading
}
