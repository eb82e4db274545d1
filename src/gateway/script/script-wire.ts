/** What a routing script is given and gives back; plain data, copied between threads. */
export interface ScriptRequest {
  readonly model: string
  readonly task: string
  readonly key: string | null
  readonly promptTokens: number
  readonly maxTokens: number | null
  readonly stream: boolean
  /** Parameters of the model; null where nobody knows. */
  readonly parameterCount: number | null
}

export interface ScriptEndpoint {
  readonly name: string
  readonly state: string
  readonly engine: string | null
  readonly backend: string | null
  readonly vramBytes: number | null
  readonly node: string | null
  readonly labels: Readonly<Record<string, string>>
  readonly weight: number
  readonly inFlight: number
  readonly ttftMs: number | null
}

/** Which endpoints may take a request, or why the script did not say. */
export type ScriptVerdict =
  | { readonly kind: 'endpoints'; readonly names: readonly string[] }
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
