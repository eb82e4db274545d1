/**
 * A model hub on loopback, in the shape of Hugging Face: an API that names commits and files, links
 * that redirect large files to a second server (the content network, another host), ranges, ETags,
 * gates, and faults on demand.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { writeAll } from '#std/http-json.ts'

/** Bytes of a file, made when they are asked for: a gigabyte costs no memory. */
export interface HubContent {
  readonly sizeBytes: number
  read(offset: number, length: number): Buffer
}

export interface HubRepository {
  readonly files: Readonly<Record<string, HubContent>>
  /** A licence has to be accepted: only this token may have content. */
  readonly gatedToken?: string
}

/** What happens to one request for content in place of a good answer. */
export type HubFault =
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Record<string, string> }
  /** The connection breaks after so many bytes. */
  | { readonly kind: 'cut'; readonly afterBytes: number }
  /** The bytes are wrong, one in a thousand. */
  | { readonly kind: 'damage' }

export interface HubOptions {
  /** `owner/repo` to what it has. */
  readonly repositories: Readonly<Record<string, HubRepository>>
  /** Entries on a page of a tree. */
  readonly pageLength?: number
  /** The content network answers whole files only. */
  readonly withoutRanges?: boolean
  /** How many requests a signed link is good for. */
  readonly linkUses?: number
}

export interface TestHub {
  readonly url: string
  /** The server of the content network. */
  readonly contentUrl: string
  /** Taken by requests for content, one each, in order. */
  readonly faults: HubFault[]
  /** After so many bytes of content in all, the connection that sends them breaks. */
  readonly cutsAt: number[]
  /** Content sent, over all connections; what got lost in a broken one counts. */
  readonly sentBytes: number
  readonly requests: readonly HubRequest[]
  close(): Promise<void>
}

export interface HubRequest {
  readonly server: 'hub' | 'content'
  readonly method: string
  readonly path: string
  readonly authorization: string | undefined
  readonly range: string | undefined
}

export const commit = 'c0ff'.repeat(10)
/** What is larger lies behind links, as git-lfs files do. */
const largeBytes = 64 * 1024
const pieceBytes = 64 * 1024

export async function startTestHub(options: HubOptions): Promise<TestHub> {
  const state: State = {
    options,
    contentUrl: '',
    faults: [],
    cutsAt: [],
    sentBytes: 0,
    requests: [],
    linkUses: new Map(),
    links: 0,
    files: new Map(),
  }
  for (const [name, { files }] of Object.entries(options.repositories)) {
    for (const [path, content] of Object.entries(files)) {
      state.files.set(`${name}/${path}`, { content, ...hashes(content) })
    }
  }
  const content = await listen((request, response) => answerContent(request, response, state))
  state.contentUrl = content.url
  const hub = await listen((request, response) => answerHub(request, response, state))
  return {
    url: hub.url,
    contentUrl: content.url,
    faults: state.faults,
    cutsAt: state.cutsAt,
    requests: state.requests,
    get sentBytes() {
      return state.sentBytes
    },
    async close() {
      await Promise.all([hub.close(), content.close()])
    },
  }
}

/** What the weights of a format begin with. */
export const starts = {
  gguf: Buffer.from('GGUF'),
  safetensors: Buffer.from('\x08\0\0\0\0\0\0\0{"a":0} ', 'latin1'),
} as const

/** Weights as far as anybody can tell from their first bytes; numbers that a seed repeats. */
export function madeWeights(
  sizeBytes: number,
  seed: number,
  format: keyof typeof starts = 'gguf',
): HubContent {
  const { read } = madeContent(sizeBytes, seed)
  return {
    sizeBytes,
    read(offset, length) {
      const bytes = read(offset, length)
      if (offset < starts[format].length) starts[format].copy(bytes, 0, offset)
      return bytes
    },
  }
}

/** Numbers that a seed repeats, different in every 64 KiB. */
export function madeContent(sizeBytes: number, seed: number): HubContent {
  let mixed = seed >>> 0
  const block = Buffer.allocUnsafe(pieceBytes)
  for (let at = 0; at < pieceBytes; at += 4) {
    mixed = (Math.imul(mixed, 1664525) + 1013904223) >>> 0
    block.writeUInt32LE(mixed, at)
  }
  return {
    sizeBytes,
    read(offset, length) {
      const end = Math.min(sizeBytes, offset + length)
      const parts: Buffer[] = []
      for (let at = offset; at < end; ) {
        const index = Math.floor(at / pieceBytes)
        const piece = Buffer.from(block)
        piece.writeUInt32LE(index, 0)
        const from = at - index * pieceBytes
        const part = piece.subarray(from, Math.min(pieceBytes, from + end - at))
        parts.push(part)
        at += part.length
      }
      return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
    },
  }
}

export function textContent(text: string): HubContent {
  return bytesContent(Buffer.from(text))
}

export function bytesContent(bytes: Buffer): HubContent {
  return {
    sizeBytes: bytes.length,
    read: (offset, length) => bytes.subarray(offset, offset + length),
  }
}

export function sha256Of(content: HubContent): string {
  return hashes(content).sha256
}

interface HubFile {
  readonly content: HubContent
  readonly sha256: string
  readonly gitSha1: string
}

interface State {
  readonly options: HubOptions
  contentUrl: string
  readonly faults: HubFault[]
  readonly cutsAt: number[]
  sentBytes: number
  readonly requests: HubRequest[]
  readonly linkUses: Map<string, number>
  links: number
  /** By `owner/repo/path`. */
  readonly files: Map<string, HubFile>
}

function hashes(content: HubContent): { sha256: string; gitSha1: string } {
  const sha256 = createHash('sha256')
  const sha1 = createHash('sha1').update(`blob ${content.sizeBytes}\0`)
  for (let at = 0; at < content.sizeBytes; at += pieceBytes) {
    const piece = content.read(at, pieceBytes)
    sha256.update(piece)
    sha1.update(piece)
  }
  return { sha256: sha256.digest('hex'), gitSha1: sha1.digest('hex') }
}

async function listen(
  handle: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function record(server: HubRequest['server'], request: IncomingMessage, state: State): void {
  state.requests.push({
    server,
    method: request.method ?? '',
    path: request.url ?? '',
    authorization: request.headers.authorization,
    range: request.headers.range,
  })
}

async function answerHub(
  request: IncomingMessage,
  response: ServerResponse,
  state: State,
): Promise<void> {
  record('hub', request, state)
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://hub')
  const names = Object.keys(state.options.repositories)
  if (pathname === '/api/models') {
    const search = searchParams.get('search')?.toLowerCase() ?? ''
    const start = search.split(/[^a-z0-9]/)[0] ?? ''
    const found = names.filter((name) => name.toLowerCase().includes(start))
    return json(
      response,
      200,
      found.map((id) => ({ id })),
    )
  }
  const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/([^/]+)$/.exec(pathname)
  const link = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(pathname)
  const [, name = '', revision = ''] = api ? [api[0], api[1], api[3]] : (link ?? [])
  const repository = state.options.repositories[name]
  if (repository === undefined) {
    // The hub does not tell strangers what exists.
    const status = request.headers.authorization === undefined ? 401 : 404
    return failure(response, status, 'RepoNotFound', 'Repository not found')
  }
  if (!['main', commit].includes(revision)) {
    return failure(response, 404, 'RevisionNotFound', `Invalid rev id: ${revision}`)
  }
  if (api?.[2] === 'revision') {
    const gated = repository.gatedToken === undefined ? false : 'manual'
    return json(response, 200, { id: name, sha: commit, gated, private: false })
  }
  if (api !== null) return answerTree(response, name, searchParams, state)
  return answerLink(request, response, name, decodeURIComponent(link?.[3] ?? ''), state)
}

function answerTree(
  response: ServerResponse,
  name: string,
  query: URLSearchParams,
  { options, files }: State,
): void {
  const paths = Object.keys(options.repositories[name]?.files ?? {})
  const length = options.pageLength ?? 1000
  const from = Number(query.get('cursor') ?? 0)
  const entries = paths.slice(from, from + length).map((path) => {
    const file = files.get(`${name}/${path}`) as HubFile
    const { sizeBytes: size } = file.content
    const lfs = size > largeBytes ? { lfs: { oid: file.sha256, size, pointerSize: 130 } } : {}
    return { type: 'file', path, size, oid: file.gitSha1, ...lfs }
  })
  const next = `/api/models/${name}/tree/${commit}?recursive=true&cursor=${from + length}`
  const more = from + length < paths.length ? { link: `<${next}>; rel="next"` } : {}
  json(response, 200, entries, more)
}

async function answerLink(
  request: IncomingMessage,
  response: ServerResponse,
  name: string,
  path: string,
  state: State,
): Promise<void> {
  const file = state.files.get(`${name}/${path}`)
  const gate = state.options.repositories[name]?.gatedToken
  if (gate !== undefined && request.headers.authorization !== `Bearer ${gate}`) {
    const status = request.headers.authorization === undefined ? 401 : 403
    return failure(response, status, 'GatedRepo', `Access to model ${name} is restricted`)
  }
  if (file === undefined) return failure(response, 404, 'EntryNotFound', 'Entry not found')
  const headers = { 'x-repo-commit': commit }
  if (file.content.sizeBytes <= largeBytes) {
    return sendContent(request, response, file, { ...headers, etag: `"${file.gitSha1}"` }, state)
  }
  state.links += 1
  response.writeHead(302, {
    ...headers,
    location: `${state.contentUrl}/${file.sha256}?signature=${state.links}`,
    'x-linked-size': file.content.sizeBytes,
    'x-linked-etag': `"${file.sha256}"`,
  })
  response.end()
}

async function answerContent(
  request: IncomingMessage,
  response: ServerResponse,
  state: State,
): Promise<void> {
  record('content', request, state)
  const { pathname, search } = new URL(request.url ?? '/', 'http://content')
  const file = [...state.files.values()].find(({ sha256 }) => pathname === `/${sha256}`)
  const uses = (state.linkUses.get(search) ?? 0) + 1
  state.linkUses.set(search, uses)
  // A content network refuses what has two kinds of credentials.
  if (request.headers.authorization !== undefined) return failure(response, 400, '', 'two tokens')
  if (file === undefined) return failure(response, 404, '', 'no such content')
  if (uses > (state.options.linkUses ?? Number.POSITIVE_INFINITY)) {
    return failure(response, 403, '', 'the signature has expired')
  }
  return sendContent(request, response, file, { etag: `"${file.sha256.slice(0, 32)}"` }, state)
}

async function sendContent(
  request: IncomingMessage,
  response: ServerResponse,
  { content }: HubFile,
  headers: Record<string, string>,
  state: State,
): Promise<void> {
  const fault = state.faults.shift()
  if (fault?.kind === 'status') {
    response.writeHead(fault.status, fault.headers)
    response.end()
    return
  }
  const { sizeBytes } = content
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const condition = request.headers['if-range']
  const isPart =
    from !== undefined &&
    !state.options.withoutRanges &&
    (condition === undefined || condition === headers['etag'])
  const begin = isPart ? Number(from) : 0
  const end = isPart && to !== '' ? Math.min(sizeBytes, Number(to) + 1) : sizeBytes
  if (isPart && begin >= sizeBytes) {
    response.writeHead(416, { 'content-range': `bytes */${sizeBytes}` })
    response.end()
    return
  }
  response.writeHead(isPart ? 206 : 200, {
    ...headers,
    'content-length': end - begin,
    ...(state.options.withoutRanges ? {} : { 'accept-ranges': 'bytes' }),
    ...(isPart ? { 'content-range': `bytes ${begin}-${end - 1}/${sizeBytes}` } : {}),
  })
  if (request.method === 'HEAD') {
    response.end()
    return
  }
  for (let at = begin; at < end; ) {
    const limit = fault?.kind === 'cut' ? begin + fault.afterBytes : Number.POSITIVE_INFINITY
    let piece = content.read(at, Math.min(pieceBytes, end - at, Math.max(0, limit - at)))
    if (piece.length === 0) return cut(response)
    if (fault?.kind === 'damage') {
      piece = Buffer.from(piece)
      for (let each = 999; each < piece.length; each += 1000) piece[each] = (piece[each] ?? 0) ^ 1
    }
    at += piece.length
    state.sentBytes += piece.length
    await writeAll(response, piece)
    if (response.destroyed) return
    if (state.sentBytes >= (state.cutsAt[0] ?? Number.POSITIVE_INFINITY)) {
      state.cutsAt.shift()
      return cut(response)
    }
  }
  response.end()
}

/** What was written still arrives; then the connection is closed in the middle of the body. */
async function cut(response: ServerResponse): Promise<void> {
  await new Promise<void>((resolve) => {
    if (response.socket === null) resolve()
    else response.socket.end(() => resolve())
  })
  response.destroy()
}

function failure(response: ServerResponse, status: number, code: string, message: string): void {
  json(response, status, { error: message }, { 'x-error-code': code, 'x-error-message': message })
}

function json(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { ...headers, 'content-type': 'application/json' })
  response.end(JSON.stringify(value))
}
