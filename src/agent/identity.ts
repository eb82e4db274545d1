/**
 * Who this machine is to a controller: a certificate of its own, made on the first start, and which
 * controller it belongs to. Whoever reads the file can be this machine, so only its owner can.
 */
import { randomUUID } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { makeFolderSync } from '#std/make-folder.ts'
import { type Certificate, makeCertificate, readCertificate } from '#std/self-signed-certificate.ts'

const storedIdentity = z.object({
  certificate: z.string(),
  privateKey: z.string(),
  /** Null until it has joined. */
  controller: z
    .object({ host: z.string(), port: z.int().min(1).max(65_535), fingerprint: z.string() })
    .nullable(),
})

export interface ControllerAddress {
  readonly host: string
  readonly port: number
  /** Of the certificate that the controller must prove to own. */
  readonly fingerprint: string
}

export interface AgentIdentity {
  readonly certificate: Certificate
  /** Null until it has joined. */
  readonly controller: ControllerAddress | null
}

/** The file says nothing that can be understood. */
export class IdentityError extends Error {}

/** Reads the identity of this directory, or makes one. Throws `IdentityError`. */
export async function readIdentity(directory: string, nowEpochMs: number): Promise<AgentIdentity> {
  const file = identityFile(directory)
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const certificate = await makeCertificate('motley-agent', nowEpochMs)
    const identity: AgentIdentity = { certificate, controller: null }
    writeIdentity(directory, identity)
    return identity
  }
  try {
    const { certificate, privateKey, controller } = storedIdentity.parse(JSON.parse(text))
    return { certificate: readCertificate(certificate, privateKey), controller }
  } catch (cause) {
    throw new IdentityError(
      `${file} is damaged: remove it, and join again with a new token from "motley token create"`,
      { cause },
    )
  }
}

export function writeIdentity(directory: string, identity: AgentIdentity): void {
  makeFolderSync(directory, { mode: 0o700 })
  const file = identityFile(directory)
  const { certificate, privateKey } = identity.certificate
  const text = JSON.stringify({ certificate, privateKey, controller: identity.controller }, null, 2)
  // Whole or not at all, whenever the machine loses power; and of two that begin here at once,
  // neither takes away the other's draft.
  const draft = `${file}.${randomUUID()}`
  try {
    writeFileSync(draft, text, { mode: 0o600 })
    const handle = openSync(draft, 'r')
    fsyncSync(handle)
    closeSync(handle)
    renameSync(draft, file)
  } finally {
    // A full disk is tried again and again, and each try has a draft of its own.
    rmSync(draft, { force: true })
  }
}

function identityFile(directory: string): string {
  return join(directory, 'identity.json')
}
