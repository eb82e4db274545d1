/** Every error that can leave Motley. The key is the public `code`, and it keeps its meaning. */
export interface ErrorEntry {
  readonly status: number
  /** Whether the same request may succeed a little later. */
  readonly retryable: boolean
  readonly message: string
  /** What to do about it. */
  readonly hint: string
}

export const errorCatalog = {
  invalid_json: {
    status: 400,
    retryable: false,
    message: 'The request body is not valid JSON.',
    hint: 'Send one JSON object with a "model" and what the API asks for.',
  },
  invalid_request: {
    status: 400,
    retryable: false,
    message: 'The request is not what this API takes.',
    hint: 'See the message for the field and what is allowed there.',
  },
  malformed_http: {
    status: 400,
    retryable: false,
    message: 'The request is not well-formed HTTP/1.1.',
    hint: 'Send each header once, either Content-Length or Transfer-Encoding, and CRLF line ends.',
  },
  context_length_exceeded: {
    status: 400,
    retryable: false,
    message: 'No endpoint that may take this request has a context that holds its prompt.',
    hint: 'Send a shorter prompt; the message names what each endpoint holds. Waiting does not help.',
  },
  missing_model: {
    status: 400,
    retryable: false,
    message: 'The request names no model.',
    hint: 'Add "model"; GET /v1/models lists the names.',
  },
  invalid_api_key: {
    status: 401,
    retryable: false,
    message: 'The API key is missing or not known here.',
    hint: 'Send "Authorization: Bearer <key>" with a key from gateway.keys.',
  },
  admin_only: {
    status: 403,
    retryable: false,
    message: 'This API key may not read what is for operators.',
    hint: 'Use a key with "admin: true" in gateway.keys; `motley key create --admin` makes one.',
  },
  model_not_allowed: {
    status: 403,
    retryable: false,
    message: 'This API key may not use this model.',
    hint: 'Add the model to the models of the key in gateway.keys, or use another key.',
  },
  no_permitted_endpoint: {
    status: 403,
    retryable: false,
    message: 'routing.rules or routing.script lets no endpoint of this model take this request.',
    hint: 'Waiting does not help: change the request, or have the operator change the policy.',
  },
  origin_not_allowed: {
    status: 403,
    retryable: false,
    message: 'Web pages of this origin may not use this gateway.',
    hint: 'Add it to gateway.origins, as https://name.',
  },
  not_found: {
    status: 404,
    retryable: false,
    message: 'There is no such path.',
    hint: 'The API starts at /v1; see docs/reference/http.md for every path.',
  },
  model_not_found: {
    status: 404,
    retryable: false,
    message: 'No endpoint of this fleet serves this model.',
    hint: 'GET /v1/models lists the names that work.',
  },
  method_not_allowed: {
    status: 405,
    retryable: false,
    message: 'This path does not take this method.',
    hint: 'The Allow header says which methods it takes.',
  },
  request_timeout: {
    status: 408,
    retryable: true,
    message: 'The request did not arrive in time.',
    hint: 'Send the headers and the body without long pauses.',
  },
  request_too_large: {
    status: 413,
    retryable: false,
    message: 'The request body is larger than this path takes.',
    hint: 'Send less, or raise gateway.limits for this path.',
  },
  unsupported_encoding: {
    status: 415,
    retryable: false,
    message: 'The request body has a Content-Encoding that is not understood here.',
    hint: 'Send gzip, deflate, br or zstd, or no Content-Encoding.',
  },
  expectation_failed: {
    status: 417,
    retryable: false,
    message: 'The Expect header asks for something that is not understood here.',
    hint: 'Send "Expect: 100-continue" or no Expect header.',
  },
  headers_too_large: {
    status: 431,
    retryable: false,
    message: 'The headers of the request are too large.',
    hint: 'Send fewer or shorter headers; 32 KiB in all is the limit.',
  },
  rate_limited: {
    status: 429,
    retryable: true,
    message: 'This API key has used up its limit for now.',
    hint: 'Wait as long as Retry-After says, or raise rpm, tpm or maxParallel of the key.',
  },
  queue_full: {
    status: 429,
    retryable: true,
    message: 'Every endpoint of this model is at its limit and the queue is full.',
    hint: 'Wait as long as Retry-After says, or add an endpoint.',
  },
  overloaded: {
    status: 429,
    retryable: true,
    message: 'More is asked of this model than it can answer in time.',
    hint: 'Wait as long as Retry-After says, or add an endpoint.',
  },
  engine_rate_limited: {
    status: 429,
    retryable: true,
    message: 'Every endpoint of this model asks to be left alone for a while.',
    hint: "Wait as long as Retry-After says. The limit is the engine's, not the gateway's.",
  },
  engine_failed: {
    status: 502,
    retryable: true,
    message: 'The engine failed to answer.',
    hint: 'The attempts listed in the message say what happened on each endpoint.',
  },
  engine_key_refused: {
    status: 502,
    retryable: false,
    message: 'The engine does not accept the key that this gateway has for it, or wants one.',
    hint: 'The key of the client is not at fault: the operator should set `apiKey` of the endpoint.',
  },
  stream_interrupted: {
    status: 502,
    retryable: true,
    message: 'The engine stopped in the middle of its answer.',
    hint: 'Ask again; what was received so far is incomplete.',
  },
  no_ready_endpoint: {
    status: 503,
    retryable: true,
    message: 'No endpoint that serves this model is ready.',
    hint: 'Run `motley status` to see the state of each endpoint and why.',
  },
  cannot_wake: {
    status: 503,
    retryable: true,
    message: 'This model sleeps, and its controller cannot wake it now.',
    hint: 'The message says why. Once the operator has mended that, ask again after Retry-After.',
  },
  model_loading: {
    status: 503,
    retryable: true,
    message: 'The endpoints of this model are still loading it.',
    hint: 'Wait as long as Retry-After says.',
  },
  draining: {
    status: 503,
    retryable: true,
    message: 'This gateway is shutting down and takes nothing new.',
    hint: 'Send the request to another gateway, or again in a moment.',
  },
  spool_failed: {
    status: 503,
    retryable: true,
    message: 'The gateway has no place to keep a body of this size.',
    hint: 'The operator should give it a temporary folder with room (TMPDIR), or raise gateway.limits.memoryBytes.',
  },
  internal_error: {
    status: 500,
    retryable: true,
    message: 'The gateway made a mistake of its own.',
    hint: 'This is a bug of Motley: please report it with the request id.',
  },
  queue_timeout: {
    status: 503,
    retryable: true,
    message: 'No endpoint of this model had room in time.',
    hint: 'Ask again when it is quieter, add an endpoint, or raise gateway.queue.timeoutMs.',
  },
  engine_timeout: {
    status: 504,
    retryable: true,
    message: 'The engine did not answer in time.',
    hint: 'Raise timeouts of the model if such a wait is normal for it.',
  },
} as const satisfies Record<string, ErrorEntry>

export type ErrorCode = keyof typeof errorCatalog

/** An expected failure on its way out of Motley. `detail` says what was seen this time. */
export class MotleyError extends Error {
  readonly code: ErrorCode
  readonly detail: string | null
  /** Seconds after which asking again makes sense; null when nothing is known. */
  readonly retryAfterSeconds: number | null
  /** The field of the request that is at fault, where one is. */
  readonly param: string | null

  constructor(
    code: ErrorCode,
    detail: string | null = null,
    options: { retryAfterSeconds?: number | null; param?: string | null; cause?: unknown } = {},
  ) {
    super(detail ?? errorCatalog[code].message, { cause: options.cause })
    this.code = code
    this.detail = detail
    this.retryAfterSeconds = options.retryAfterSeconds ?? null
    this.param = options.param ?? null
  }

  get status(): number {
    return errorCatalog[this.code].status
  }
}
