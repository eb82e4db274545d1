/**
 * How weights are named:
 *
 *   hf:owner/repo[@revision][:quantization]     a repository of the hub, or one quantization of it
 *   hf:owner/repo[@revision]/path/to/file.gguf  one file of it (and the other parts of a split one)
 *   https://host/path/file.gguf[#sha256=…]      one file of any web server
 *   file:/path                                  a file or folder of this machine; also ./x, /x, ~/x
 *   node:host:port/<reference>                  what another node of the fleet has
 */
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WeightsError } from '#weights/weights-error.ts'

export interface HubReference {
  readonly kind: 'hf'
  readonly owner: string
  readonly repo: string
  /** A branch, tag or commit; null for `main`. */
  readonly revision: string | null
  /** A file or folder of the repository. */
  readonly path: string | null
  /** As `Q4_K_M`; only ever without a path. */
  readonly quantization: string | null
}

export interface HttpReference {
  readonly kind: 'http'
  /** Without its fragment. */
  readonly url: string
  readonly sha256: string | null
}

export interface FileReference {
  readonly kind: 'file'
  /** Absolute. */
  readonly path: string
}

export interface NodeReference {
  readonly kind: 'node'
  /** `http://host:port`, without a slash at its end. */
  readonly url: string
  /** The reference by which the node knows it, or `sha256-<hex>` of one file. */
  readonly wanted: string
}

export type WeightsReference = HubReference | HttpReference | FileReference | NodeReference

const forms =
  'write hf:owner/repo[@revision][:quantization], hf:owner/repo/file, https://…, file:/path or node:host:port/…'

/** The rules of the hub: letters, digits, ".", "_", "-", at most 96 of them. */
const hubName = /^[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?$/
const quantizationName = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/
/** Revisions with a slash are written with %2F; pull requests of the hub as they are known. */
const revisionStart = /^(refs\/(?:pr|convert)\/[A-Za-z0-9._-]+|[^/:@]+)/

/** @throws {WeightsError} which says what would be right. */
export function parseReference(text: string, cwd = process.cwd()): WeightsReference {
  if (text.startsWith('hf:')) return parseHub(text)
  if (/^https?:/i.test(text)) return parseHttp(text)
  if (text.startsWith('file:')) return parseFile(text, cwd)
  if (text.startsWith('node:')) return parseNode(text)
  if (/^(\.{0,2}\/|~\/|[A-Za-z]:[\\/])/.test(text)) return { kind: 'file', path: local(text, cwd) }
  const meant = /^[\w.-]+\/[\w.-]+/.test(text) ? `; perhaps hf:${text}` : ''
  throw wrong(text, `it begins with none of hf:, https:, file: and node:${meant}`)
}

function parseHub(text: string): HubReference {
  const [, owner, repo, rest] = /^hf:([^/]*)\/([^/@:]*)(.*)$/s.exec(text) ?? []
  if (owner === undefined || repo === undefined || rest === undefined) {
    throw wrong(text, 'it names no owner and repository, as hf:Qwen/Qwen3-8B-GGUF')
  }
  for (const [what, name] of [
    ['owner', owner],
    ['repository', repo],
  ]) {
    if (!hubName.test(name ?? '') || name?.includes('..') || name?.includes('--')) {
      throw wrong(text, `${JSON.stringify(name)} is no ${what} of the hub`)
    }
  }
  let left = rest
  let revision: string | null = null
  if (left.startsWith('@')) {
    const found = revisionStart.exec(left.slice(1))?.[0]
    if (found === undefined) throw wrong(text, 'nothing follows the @, as @main or a commit')
    revision = decoded(text, found)
    left = left.slice(1 + found.length)
  }
  const bare = { kind: 'hf', owner, repo, revision, path: null, quantization: null } as const
  if (left === '') return bare
  const named = left.slice(1)
  if (left.startsWith(':')) {
    if (quantizationName.test(named)) return { ...bare, quantization: named }
    throw wrong(text, `${JSON.stringify(named)} is no quantization, as Q4_K_M`)
  }
  if (left.startsWith('/') && isSafePath(named)) return { ...bare, path: named }
  throw wrong(text, `${JSON.stringify(named)} is no path of a file`)
}

function parseHttp(text: string): HttpReference {
  if (!URL.canParse(text)) throw wrong(text, 'it is no URL')
  const url = new URL(text)
  const fragment = url.hash.slice(1)
  url.hash = ''
  if (fragment === '') return { kind: 'http', url: url.href, sha256: null }
  const [, sha256] = /^sha256=([0-9a-f]{64})$/i.exec(fragment) ?? []
  if (sha256 === undefined) {
    throw wrong(text, `${JSON.stringify(fragment)} is no hash, as #sha256= and 64 hex digits`)
  }
  return { kind: 'http', url: url.href, sha256: sha256.toLowerCase() }
}

function parseFile(text: string, cwd: string): FileReference {
  if (text === 'file:') throw wrong(text, 'it names no path')
  if (!text.startsWith('file://')) return { kind: 'file', path: local(text.slice(5), cwd) }
  try {
    return { kind: 'file', path: fileURLToPath(text) }
  } catch (cause) {
    throw wrong(text, 'a file URL has three slashes and no host, as file:///models/x.gguf', cause)
  }
}

function local(path: string, cwd: string): string {
  return resolve(cwd, path.startsWith('~/') ? join(homedir(), path.slice(2)) : path)
}

function parseNode(text: string): NodeReference {
  const [, scheme = 'http://', host, wanted] =
    /^node:(https?:\/\/)?([^/]+)\/(.+)$/s.exec(text) ?? []
  if (host === undefined || wanted === undefined || !/:\d+$/.test(host)) {
    throw wrong(text, 'it names no node and port, as node:khelben:7071/hf:owner/repo')
  }
  if (!URL.canParse(scheme + host)) throw wrong(text, `${JSON.stringify(host)} is no host and port`)
  if (!/^sha256-[0-9a-f]{64}$/.test(wanted)) parseReference(wanted)
  return { kind: 'node', url: scheme + host, wanted }
}

/** The text that parses to the same reference: what manifests and lists show. */
export function referenceText(reference: WeightsReference): string {
  switch (reference.kind) {
    case 'hf': {
      const { owner, repo, revision, path, quantization } = reference
      const at = revision === null ? '' : `@${revision.replaceAll('/', '%2F')}`
      const what = path !== null ? `/${path}` : quantization !== null ? `:${quantization}` : ''
      return `hf:${owner}/${repo}${at}${what}`
    }
    case 'http':
      return reference.url + (reference.sha256 === null ? '' : `#sha256=${reference.sha256}`)
    case 'file':
      return `file:${reference.path}`
    case 'node':
      return `node:${reference.url.replace(/^http:\/\//, '')}/${reference.wanted}`
  }
}

/** Names a place below a folder, whatever system reads it: nobody may climb out of a model's folder. */
export function isSafePath(path: string): boolean {
  return path
    .split('/')
    .every((step) => /^[^\\:*?"<>|\p{Cc}]{1,255}$/u.test(step) && step !== '.' && step !== '..')
}

function decoded(text: string, revision: string): string {
  try {
    return decodeURIComponent(revision)
  } catch (cause) {
    throw wrong(text, `${JSON.stringify(revision)} is badly encoded`, cause)
  }
}

function wrong(text: string, why: string, cause?: unknown): WeightsError {
  return new WeightsError(
    'wrong_reference',
    `${JSON.stringify(text)} names no weights: ${why}; ${forms}`,
    { cause },
  )
}
