/** `endpoints:` of motley.yaml: engines that already run somewhere. */
import { z } from 'zod'
import { byteSize, httpUrl, milliseconds, modelText, nameText } from '#core/config/text.ts'
import { backends } from '#core/engine-build.ts'
import { engineIds } from '#core/engine-id.ts'
import type { MeasuredSpeed } from '#core/measured-speed.ts'

export const endpointConfig = z.strictObject({
  url: httpUrl.describe('Where the engine listens, as http://node0:8001.'),
  name: nameText.optional().describe('What it is called. Left out: host and port of the URL.'),
  engine: z
    .enum(engineIds)
    .optional()
    .describe('The software that answers there. Left out: the endpoint is asked.'),
  models: z
    .union([z.array(modelText), z.record(modelText, modelText)])
    .optional()
    .meta({
      allowed: 'a list of model names, or a map of the names clients use to those of the engine',
      description:
        'What it serves. A list names the models; a map says what clients call each model and ' +
        'what the engine calls it. Left out: the endpoint is asked.',
    }),
  backend: z
    .enum(backends)
    .optional()
    .describe('What its engine is built for, where rules ask for it: cuda, rocm, metal …'),
  vram: byteSize
    .optional()
    .describe('Memory of the devices it runs on, where rules ask for it: 24GiB.'),
  weight: z
    .number()
    .min(0)
    .max(1_000)
    .default(1)
    .describe('How strong it is relative to the others; 0 takes no new requests.'),
  maxInFlight: z
    .int()
    .positive()
    .optional()
    .describe('The most requests to send at a time; more wait in the gateway.'),
  labels: z.record(z.string(), z.string()).default({}).meta({
    allowed: 'a map of label names to texts',
    description: 'What you want to say about it, as vendor: nvidia; routing.rules may ask for it.',
  }),
  apiKey: z
    .string()
    .optional()
    .describe('Sent to the endpoint as a bearer token, never to clients.'),
  health: z
    .strictObject({
      path: z
        .string()
        .startsWith('/')
        .meta({ allowed: 'a path that starts with "/"' })
        .optional()
        .describe("The page to ask. Left out: the engine's own health page."),
      // 1.5 s apart, 1 s each, two in a row (the second after 0.5 s): a dead endpoint is out
      // within 4 s of silence, under the 5 s that operators of HAProxy are used to.
      intervalMs: milliseconds.min(50).default(1_500).describe('Time between two checks.'),
      timeoutMs: milliseconds
        .min(10)
        .default(1_000)
        .describe('How long a check may take. Two failures in a row take the endpoint out.'),
      enabled: z
        .boolean()
        .default(true)
        .describe('false: never asked, and judged by the requests it gets alone.'),
    })
    .prefault({})
    .describe('How the endpoint is checked while it is idle.'),
})

export type EndpointConfig = z.output<typeof endpointConfig> & {
  /** Of a replica behind an agent's port; never in a file. */
  readonly peer?: EndpointPeer | undefined
  /** What a benchmark found of it, tokens a second; never in a file. */
  readonly measured?: MeasuredSpeed | undefined
  /** Longest prompt plus answer of a replica, in tokens; never in a file. */
  readonly contextTokens?: number | undefined
  /** Of what runs on a node and cannot be sent anything now; never in a file. */
  readonly held?: EndpointHold | undefined
}

/**
 * What whoever looks after an endpoint says of it, where asking the endpoint itself is of no use:
 * it is not there yet, its node is silent, or it is to be left alone.
 */
export interface EndpointHold {
  readonly state: 'loading' | 'failed' | 'draining'
  /** In a few words, for people. */
  readonly reason: string
}

/** Two programs that know each other's certificate by its fingerprint. */
export interface EndpointPeer {
  /** Shown to the other side. */
  readonly own: {
    readonly certificate: string
    readonly privateKey: string
    readonly fingerprint: string
  }
  /** SHA-256 of the certificate that the other side must own, in lower-case hexadecimal. */
  readonly fingerprint: string
}

/** What the endpoint is called: its name, or host and port of its URL. */
export function endpointName(endpoint: Pick<EndpointConfig, 'name' | 'url'>): string {
  if (endpoint.name !== undefined || !URL.canParse(endpoint.url)) {
    return endpoint.name ?? endpoint.url
  }
  const { hostname, port, protocol } = new URL(endpoint.url)
  return `${hostname.replace(/[[\]]/g, '')}-${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`
}
