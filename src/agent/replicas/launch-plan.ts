/**
 * What supervision needs to know of a launch: the command, what it may set, and in which container.
 * The plans of src/engines have this shape and more.
 */

export interface LaunchPlan {
  /** In a container it replaces the entry point of the image. */
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  /** Set as well, but never shown: not in a process list, not in a log. */
  readonly secretEnv?: Readonly<Record<string, string>> | undefined
  readonly container: ContainerPlan | null
}

export interface ContainerPlan {
  readonly image: string
  /** Device files, as /dev/kfd. */
  readonly devices: readonly string[]
  /** GPUs that the runtime hands out itself, by UUID or index; null for none. */
  readonly gpus: readonly string[] | null
  /** Groups to be in; numbers, or names that the image knows. */
  readonly groups: readonly string[]
  readonly ipc: 'host' | null
  readonly shmBytes: number | null
  readonly mounts: readonly {
    readonly source: string
    readonly target: string
    readonly readOnly: boolean
  }[]
  /** Where the engine listens inside, and where that port comes out. */
  readonly network: {
    readonly hostAddress: string
    readonly hostPort: number
    readonly containerPort: number
  }
  readonly capAdd: readonly string[]
  readonly securityOptions: readonly string[]
  readonly ulimits: Readonly<Record<string, number>>
  /** Another runtime than the default, as `nvidia`. */
  readonly runtime: string | null
}
