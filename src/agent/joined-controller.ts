/** Which controller a machine belongs to: the one it was told of now, or the one it remembers. */
import { type AgentIdentity, type ControllerAddress, writeIdentity } from '#agent/identity.ts'

/** What somebody says who starts an agent with --join. */
export interface JoinWish {
  /** Fingerprint null: that of the controller which this machine belongs to, at another address. */
  readonly address: Omit<ControllerAddress, 'fingerprint'> & {
    readonly fingerprint: string | null
  }
  readonly secret: string | null
}

/** Null for a machine that has joined nowhere, and was told of no controller. */
export function controllerOf(
  given: JoinWish | null,
  { controller }: AgentIdentity,
): ControllerAddress | null {
  if (given === null) return controller
  const fingerprint = given.address.fingerprint ?? controller?.fingerprint ?? null
  return fingerprint === null ? null : { ...given.address, fingerprint }
}

/** At an address that was named without a token, whoever named it waits to read what is there. */
export function hasJoinedAt(
  given: JoinWish | null,
  { controller: known }: AgentIdentity,
  { fingerprint, host, port }: ControllerAddress,
): boolean {
  if (known?.fingerprint !== fingerprint) return false
  const isNewPlace = known.host !== host || known.port !== port
  return !(isNewPlace && given?.address.fingerprint === null)
}

/** From now on it needs no token, and finds the controller where it has found it now. */
export function rememberController(
  { directory, log }: { readonly directory: string; readonly log: (line: string) => void },
  { certificate, controller: known }: AgentIdentity,
  controller: ControllerAddress,
): void {
  const { host, port, fingerprint } = controller
  const isKnown = known?.fingerprint === fingerprint && known.host === host && known.port === port
  if (isKnown) return
  try {
    writeIdentity(directory, { certificate, controller })
  } catch (error) {
    log(`which controller it belongs to cannot be written down: ${(error as Error).message}`)
  }
}
