/** Another node of the fleet: it lists what it has, and serves each content by its hash. */

import { nearest } from '#std/closest.ts'
import { parseJson } from '#std/parse-json.ts'
import { isTransientStatus, readText } from '#weights/http-client.ts'
import { retrying, TransientError } from '#weights/retry.ts'
import { blobPage, listPage, type WeightsList, weightsList } from '#weights/serve.ts'
import type {
  HttpLocation,
  ResolvedFile,
  ResolvedWeights,
  SourceContext,
  WeightsSource,
} from '#weights/source.ts'
import { WeightsError } from '#weights/weights-error.ts'

const failuresMax = 3

export const node: WeightsSource<'node'> = {
  kind: 'node',

  async resolve({ url, wanted }, context) {
    const list = await readList(url, context)
    const { host } = new URL(url)
    const model = list.models.find(({ reference }) => reference === wanted)
    const [, sha256] = /^sha256-(.*)$/.exec(wanted) ?? []
    const files =
      model?.files ??
      list.models
        .flatMap((each) => each.files)
        .filter((each) => each.sha256 === sha256)
        .slice(0, 1)
    if (files.length === 0) {
      const near = nearest(
        wanted,
        list.models.map(({ reference }) => reference),
        3,
      )
      throw new WeightsError(
        'not_found',
        `${host} has no ${wanted}; ${near.length === 0 ? 'it has no weights at all' : `near it: ${near.join(', ')}`}`,
      )
    }
    return resolved(url, model?.version ?? null, files, context)
  },
}

function resolved(
  url: string,
  version: string | null,
  files: WeightsList['models'][number]['files'],
  context: SourceContext,
): ResolvedWeights {
  return {
    version,
    files: files.map(
      ({ path, sizeBytes, sha256 }): ResolvedFile => ({
        path,
        sizeBytes,
        digest: { kind: 'sha256', hex: sha256 },
        locations: [nodeLocation(url, sha256, context)],
      }),
    ),
  }
}

export function nodeLocation(
  nodeUrl: string,
  sha256: string,
  { nodeHeaders }: SourceContext,
): HttpLocation {
  const { host } = new URL(nodeUrl)
  return {
    kind: 'http',
    url: nodeUrl + blobPage(sha256),
    headers: nodeHeaders,
    explain: (status) =>
      status === 404
        ? new WeightsError('not_found', `node ${host} does not have it any more`)
        : new WeightsError('not_allowed', `node ${host} answers ${status} instead of its weights`),
  }
}

/** Everything a node has in full. Rejects with a {@link WeightsError}. */
export async function readList(url: string, context: SourceContext): Promise<WeightsList> {
  const { http, signal, nodeHeaders } = context
  const { host } = new URL(url)
  const { status, text } = await retrying(
    async () => {
      const answer = await http.request({ url: url + listPage, headers: nodeHeaders, signal })
      const body = await readText(answer, signal)
      if (isTransientStatus(answer.status)) {
        throw new TransientError(`node ${host} answers ${answer.status}`)
      }
      return { status: answer.status, text: body }
    },
    failuresMax,
    context,
  )
  if (status === 401 || status === 403) {
    throw new WeightsError(
      'not_allowed',
      `node ${host} does not let us see its weights (${status})`,
    )
  }
  const parsed = weightsList.safeParse(parseJson(text))
  if (status !== 200 || !parsed.success) {
    throw new WeightsError(
      'wrong_content',
      `${host} is no Motley node: ${listPage} lists no weights`,
    )
  }
  return parsed.data
}
