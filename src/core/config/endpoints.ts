/** `endpoints:` of motley.yaml: engines that already run somewhere. */
import { z } from 'zod'
import { httpUrl, milliseconds, modelText, nameText } from '#core/config/text.ts'

export const engineNames = [
  'vllm',
  'sglang',
  'llama-server',
  'ollama',
  'motley-embedded',
  'openai',
] as const

export const endpointConfig = z.strictObject({
  url: httpUrl,
  /** Left out: host and port of the URL. */
  name: nameText.optional(),
  /** Left out: the endpoint is asked. */
  engine: z.enum(engineNames).optional(),
  /**
   * Left out: the endpoint is asked. A list names what it serves; a map says what clients call
   * each model and what the engine calls it.
   */
  models: z.union([z.array(modelText), z.record(modelText, modelText)]).optional(),
  weight: z.number().min(0).max(1_000).default(1),
  /** The most requests to send at a time; more wait in the gateway. */
  maxInFlight: z.int().positive().optional(),
  labels: z.record(z.string(), z.string()).default({}),
  /** Sent to the endpoint as a bearer token, never to clients. */
  apiKey: z.string().optional(),
  health: z
    .strictObject({
      /** Left out: the engine's own health page. */
      path: z.string().startsWith('/').optional(),
      /**
       * 1.5 s apart, 1 s each, two in a row (the second after 0.5 s): a dead endpoint is out
       * within 4 s of silence, under the 5 s that operators of HAProxy are used to.
       */
      intervalMs: milliseconds.min(50).default(1_500),
      timeoutMs: milliseconds.min(10).default(1_000),
      enabled: z.boolean().default(true),
    })
    .prefault({}),
})

export type EndpointConfig = z.output<typeof endpointConfig>

/** What the endpoint is called: its name, or host and port of its URL. */
export function endpointName(endpoint: Pick<EndpointConfig, 'name' | 'url'>): string {
  if (endpoint.name !== undefined || !URL.canParse(endpoint.url)) {
    return endpoint.name ?? endpoint.url
  }
  const { hostname, port, protocol } = new URL(endpoint.url)
  return `${hostname.replace(/[[\]]/g, '')}-${port === '' ? (protocol === 'https:' ? '443' : '80') : port}`
}
