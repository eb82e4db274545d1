/**
 * What a routing script is given and gives back; plain data, copied between threads. The reference
 * page of `routing.script` is written from these definitions.
 */
import { z } from 'zod'
import { endpointStates } from '#core/endpoint.ts'
import { backends } from '#core/engine-build.ts'
import { tasks } from '#core/task.ts'

export const scriptRequest = z
  .strictObject({
    model: z
      .string()
      .describe('The model, by the name that the fleet knows it by; of a fallback, its own.'),
    parameterCount: z
      .number()
      .nullable()
      .describe('Parameters of the model, as its name says: 70e9. Null where it does not.'),
    task: z.enum(tasks).describe('What is asked for.'),
    key: z
      .string()
      .nullable()
      .describe('The name in `gateway.keys` that it came with; null without keys.'),
    promptTokens: z
      .number()
      .describe(
        'About how long the prompt is: estimated from its bytes, before anybody counts it.',
      ),
    maxTokens: z
      .number()
      .nullable()
      .describe('The longest answer that the client wants; null where it does not say.'),
    stream: z.boolean().describe('Whether the answer is wanted as a stream.'),
  })
  .readonly()

export type ScriptRequest = z.output<typeof scriptRequest>

export const scriptEndpoint = z
  .strictObject({
    name: z.string().describe('Its name; what `route` may return in its stead.'),
    state: z
      .enum(endpointStates)
      .describe(
        'How it is. One that is not ready may be returned: it is passed over, or waited for.',
      ),
    engine: z.string().nullable().describe('The software that answers, as `vllm`.'),
    backend: z.enum(backends).nullable().describe('What its engine is built for.'),
    vramBytes: z.number().nullable().describe('Memory of its devices together.'),
    node: z.string().nullable().describe('The machine it is on.'),
    labels: z
      .record(z.string(), z.string())
      .readonly()
      .describe('Its labels, as `endpoints` gives them.'),
    weight: z.number().describe('Its weight; 0 takes nothing new, also when it is returned.'),
    inFlight: z.number().describe('Requests that this gateway sent there and that are not over.'),
    ttftMs: z
      .number()
      .nullable()
      .describe('Its time to first token of late; null before one was measured.'),
  })
  .readonly()

export type ScriptEndpoint = z.output<typeof scriptEndpoint>

/** Which endpoints may take a request, or why the script did not say. */
export type ScriptVerdict =
  | { readonly kind: 'endpoints'; readonly names: readonly string[] }
  /** A clause with "it" for the script: what it did wrong, or what was done to it. */
  | { readonly kind: 'failed'; readonly why: string }

/** From the gateway to the thread of the script. */
export type ToScript = {
  readonly request: ScriptRequest
  readonly endpoints: readonly ScriptEndpoint[]
}

/** From the thread of the script: once when it has started, and for each request. */
export type FromScript =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'unusable'; readonly why: string }
  | ScriptVerdict
