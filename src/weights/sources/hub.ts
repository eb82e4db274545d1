/**
 * The Hugging Face hub, and mirrors that speak as it does. Names, revisions and hashes come from
 * its API; content from `/resolve/`, which redirects to signed links of a content network.
 */
import { z } from 'zod'
import { parseJson } from '#std/parse-json.ts'
import {
  discard,
  type HttpAnswer,
  type HttpHeaders,
  isTransientStatus,
  readText,
  retryAfterMs,
} from '#weights/http-client.ts'
import { type HubReference, isSafePath } from '#weights/reference.ts'
import { retrying, TransientError } from '#weights/retry.ts'
import type { ResolvedFile, SourceContext, WeightsSource } from '#weights/source.ts'
import { chooseFiles } from '#weights/sources/hub-files.ts'
import { WeightsError } from '#weights/weights-error.ts'

const failuresMax = 4
/** Pages of 1000 entries; a repository with more than 100,000 files is no model. */
const treePagesMax = 100

const infoShape = z.looseObject({ sha: z.string().regex(/^[0-9a-f]{40}$/) })

const treeShape = z.array(
  z.looseObject({
    type: z.string(),
    path: z.string(),
    size: z.int().nonnegative(),
    oid: z.string(),
    lfs: z.looseObject({ oid: z.string(), size: z.int().nonnegative() }).nullish(),
  }),
)
type TreeEntry = z.output<typeof treeShape>[number]

export const hub: WeightsSource<'hf'> = {
  kind: 'hf',

  async resolve(reference, context) {
    const commit = await findCommit(reference, context)
    const tree = await readTree(reference, commit, context)
    const files = tree
      .filter(({ type }) => type === 'file')
      .map((entry) => ({ path: entry.path, sizeBytes: entry.lfs?.size ?? entry.size, entry }))
    return {
      version: commit,
      files: chooseFiles(files, reference).map(({ path, sizeBytes, entry }) =>
        resolvedFile(path, sizeBytes, entry, reference, commit, context),
      ),
    }
  },
}

function resolvedFile(
  path: string,
  sizeBytes: number,
  { oid, lfs }: TreeEntry,
  reference: HubReference,
  commit: string,
  context: SourceContext,
): ResolvedFile {
  if (!isSafePath(path)) {
    throw new WeightsError('wrong_content', `${JSON.stringify(path)} is no name for a file here`)
  }
  const encoded = path.split('/').map(encodeURIComponent).join('/')
  return {
    path,
    sizeBytes,
    digest: digestOf(lfs?.oid, oid),
    locations: [
      {
        kind: 'http',
        url: `${context.hubUrl}/${nameOf(reference)}/resolve/${commit}/${encoded}`,
        headers: authorization(context),
        explain: (status, headers) => explain(status, headers, reference, context, path),
      },
    ],
  }
}

function digestOf(lfsOid: string | undefined, oid: string): ResolvedFile['digest'] {
  const sha256 = lfsOid?.replace(/^sha256:/, '')
  if (sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256)) return { kind: 'sha256', hex: sha256 }
  return /^[0-9a-f]{40}$/.test(oid) ? { kind: 'git-sha1', hex: oid } : null
}

/** Everything after this names the commit, so that files of two versions never mix. */
async function findCommit(reference: HubReference, context: SourceContext): Promise<string> {
  const revision = encodeURIComponent(reference.revision ?? 'main')
  const url = `${context.hubUrl}/api/models/${nameOf(reference)}/revision/${revision}`
  const { text } = await page(url, reference, context)
  const info = infoShape.safeParse(parseJson(text))
  if (info.success) return info.data.sha
  throw strange(url)
}

async function readTree(
  reference: HubReference,
  commit: string,
  context: SourceContext,
): Promise<readonly TreeEntry[]> {
  const entries: TreeEntry[] = []
  const start = `${context.hubUrl}/api/models/${nameOf(reference)}/tree/${commit}`
  let url: string | null = `${start}?recursive=true&expand=false`
  for (let pages = 0; url !== null && pages < treePagesMax; pages++) {
    const { text, headers } = await page(url, reference, context)
    const parsed = treeShape.safeParse(parseJson(text))
    if (!parsed.success) throw strange(url)
    entries.push(...parsed.data)
    url = nextPage(headers, url)
  }
  return entries
}

/** `Link: <…>; rel="next"`, and only of the same host: the token goes along. */
function nextPage(headers: HttpHeaders, url: string): string | null {
  const [, next] = /<([^>]+)>\s*;[^,]*rel="next"/.exec(headers['link'] ?? '') ?? []
  if (next === undefined || !URL.canParse(next, url)) return null
  const { host, href } = new URL(next, url)
  return host === new URL(url).host ? href : null
}

async function page(
  url: string,
  reference: HubReference,
  context: SourceContext,
): Promise<{ text: string; headers: HttpHeaders }> {
  const { status, headers, text } = await fetchPage(url, context)
  if (status === 200) return { text, headers }
  if (status === 404 || status === 401) {
    const near = await similarNames(reference, context)
    throw explain(status, headers, reference, context, null, near)
  }
  throw explain(status, headers, reference, context, null)
}

async function fetchPage(
  url: string,
  context: SourceContext,
): Promise<{ status: number; headers: HttpHeaders; text: string }> {
  const { http, signal, clock } = context
  return retrying(
    async () => {
      const answer = await http.request({ url, headers: authorization(context), signal })
      if (isTransientStatus(answer.status)) throw transient(answer, clock.nowMs())
      const text = await readText(answer, signal)
      return { status: answer.status, headers: answer.headers, text }
    },
    failuresMax,
    context,
  )
}

function transient(answer: HttpAnswer, nowMs: number): TransientError {
  discard(answer)
  const { host } = new URL(answer.url)
  const what =
    answer.status === 429 ? 'has had enough requests for now (429)' : `answers ${answer.status}`
  return new TransientError(`${host} ${what}`, {
    retryAfterMs: retryAfterMs(answer.headers, nowMs),
  })
}

/** Repositories of the same or a like name; none where the hub cannot say. */
async function similarNames(
  { repo }: HubReference,
  context: SourceContext,
): Promise<readonly string[]> {
  try {
    const query = new URLSearchParams({ search: repo, limit: '3' })
    const { text } = await fetchPage(`${context.hubUrl}/api/models?${query}`, context)
    const list = z.array(z.looseObject({ id: z.string() })).safeParse(parseJson(text))
    return list.success ? list.data.slice(0, 3).map(({ id }) => id) : []
  } catch (error) {
    context.signal.throwIfAborted()
    if (error instanceof WeightsError) return [] // the first answer is the one that counts
    throw error
  }
}

function explain(
  status: number,
  headers: HttpHeaders,
  reference: HubReference,
  { hubUrl, hubToken }: SourceContext,
  path: string | null,
  near: readonly string[] = [],
): WeightsError {
  const name = nameOf(reference)
  const { host } = new URL(hubUrl)
  const code = headers['x-error-code']
  const said = headers['x-error-message']
  const reason = said === undefined ? '' : ` (${said.slice(0, 200)})`
  const likely = near.length === 0 ? '' : `; near it: ${near.join(', ')}`
  if (code === 'GatedRepo' || status === 403) {
    const licence = `open ${hubUrl}/${name}, accept the licence`
    const token =
      hubToken === null
        ? ' and set HF_TOKEN to a token of that account'
        : ' with the account of your HF_TOKEN'
    return new WeightsError(
      'not_allowed',
      `${name} is gated on ${host}${reason}: ${licence}${token}`,
    )
  }
  if (status === 401) {
    return new WeightsError(
      'not_allowed',
      hubToken === null
        ? `${host} shows ${name} to nobody without a token: it is private, or misspelt; check the name, or set HF_TOKEN${likely}`
        : `${host} does not take your HF_TOKEN for ${name}: it is wrong, expired, or may not read it${likely}`,
    )
  }
  if (status === 404 && (code === 'RevisionNotFound' || path !== null)) {
    const what = code === 'RevisionNotFound' ? `revision ${reference.revision ?? 'main'}` : path
    return new WeightsError('not_found', `${name} has no ${what} on ${host}${reason}`)
  }
  if (status === 404) {
    return new WeightsError('not_found', `there is no ${name} on ${host}${likely}`)
  }
  return new WeightsError('unreachable', `${host} answers ${status} for ${name}${reason}`)
}

function authorization({ hubToken }: SourceContext): Record<string, string> {
  return hubToken === null ? {} : { authorization: `Bearer ${hubToken}` }
}

function strange(url: string): WeightsError {
  const { host, pathname } = new URL(url)
  return new WeightsError(
    'wrong_content',
    `${host} does not answer as a hub does at ${pathname}; check HF_ENDPOINT`,
  )
}

function nameOf({ owner, repo }: HubReference): string {
  return `${owner}/${repo}`
}
