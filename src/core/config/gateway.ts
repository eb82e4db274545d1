/** `gateway:` of motley.yaml: how clients reach the fleet, and what holds for all of them. */
import { z } from 'zod'
import { byteSize, listenText, milliseconds, modelText, nameText } from '#core/config/text.ts'
import { priorities } from '#core/deployment.ts'
import { serviceClasses } from '#core/service-class.ts'

export const keyConfig = z
  .strictObject({
    name: nameText.describe('Who uses the key: shown in logs and metrics.'),
    key: z
      .string()
      .min(8)
      .meta({ allowed: 'a key of at least 8 characters' })
      .optional()
      .describe('The key itself; better taken from an environment variable than written here.'),
    keyHash: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/)
      .meta({ allowed: '"sha256:" and 64 hex digits, as `motley key create` prints' })
      .optional()
      .describe('In place of the key, so that the file holds no secret: `motley key create`.'),
    admin: z
      .boolean()
      .default(false)
      .describe('Whether it may read /stats, /metrics and /admin. It may change nothing else.'),
    models: z.array(modelText).optional().describe('The models it may use. Left out: all of them.'),
    rpm: z.int().positive().optional().describe('Requests per minute.'),
    tpm: z.int().positive().optional().describe('Tokens per minute, of prompts and answers.'),
    maxParallel: z.int().positive().optional().describe('Requests at a time.'),
    class: z
      .enum(serviceClasses)
      .optional()
      .describe(
        'How urgent its requests are at most, where `fastest` routes: interactive ones go first, batch ones take what is left. A request may ask for less with the header x-motley-class.',
      ),
    priority: z
      .enum(priorities)
      .optional()
      .describe(
        'Which of those of one class that wait go first, where `fastest` routes. Left out: that of the model.',
      ),
  })
  .refine((entry) => (entry.key === undefined) !== (entry.keyHash === undefined), {
    error: 'exactly one of "key" and "keyHash"',
  })

/**
 * How long a request may take, by phase. Model entries override these.
 *
 * - connect: a loaded machine on the same network answers a SYN in well under a second; 2 s lets
 *   one lost packet be sent again and still moves on before a person notices.
 * - firstByte: a prefill of 100,000 tokens on a CPU takes minutes; a shorter limit kills good work.
 * - betweenChunks: a preempted stream of vLLM can stall for tens of seconds and still go on.
 */
export const defaultTimeouts = {
  connectMs: 2_000,
  firstByteMs: 300_000,
  betweenChunksMs: 60_000,
  totalMs: 1_800_000,
} as const

export const timeoutsConfig = z.strictObject({
  connectMs: milliseconds
    .min(1)
    .optional()
    .describe(`To open a connection; ${defaultTimeouts.connectMs} where nothing else is said.`),
  firstByteMs: milliseconds
    .min(1)
    .optional()
    .describe(
      `From the request to the first byte of the answer; ${defaultTimeouts.firstByteMs} where nothing else is said.`,
    ),
  betweenChunksMs: milliseconds
    .min(1)
    .optional()
    .describe(
      `Between two pieces of an answer; ${defaultTimeouts.betweenChunksMs} where nothing else is said.`,
    ),
  totalMs: milliseconds
    .min(1)
    .optional()
    .describe(
      `From the request to the end of the answer; ${defaultTimeouts.totalMs} where nothing else is said.`,
    ),
})

export const gatewayConfig = z.strictObject({
  listen: listenText
    .default('127.0.0.1:7070')
    .describe('Where clients reach the gateway. Anything but loopback requires keys.'),
  keys: z.array(keyConfig).default([]).describe('Who may use the gateway. Empty: everybody.'),
  origins: z
    .array(z.string())
    .default([])
    .describe('Web origins that may use the gateway from a browser, beside pages of this machine.'),
  timeouts: timeoutsConfig.default({}).describe('How long a request may take, by phase.'),
  retries: z
    .strictObject({
      maxAttempts: z
        .int()
        .min(1)
        .max(16)
        .default(4)
        .describe('Attempts in all, the first included, over endpoints and fallback models.'),
      budgetRatio: z
        .number()
        .min(0)
        .max(1)
        .default(0.2)
        .describe('Retries allowed per first attempt, so that an outage is not amplified.'),
      minPerSecond: z
        .number()
        .min(0)
        .default(10)
        .describe('Retries per second that are always allowed, so that a quiet gateway retries.'),
      lateFirstByteMs: milliseconds
        .default(10_000)
        .describe(
          'A stream whose first byte is later than this, and than ten times what was predicted, is asked of another endpoint that is ready; 0 never does.',
        ),
      continueAnswers: z
        .boolean()
        .default(true)
        .describe(
          'Whether a chat, message or completion that broke off in the middle of its stream goes on at another endpoint.',
        ),
      returnMs: milliseconds
        .default(10_000)
        .describe(
          'How long such an answer waits for an endpoint that comes back, where no other can go on with it; 0: not at all.',
        ),
    })
    .prefault({})
    .describe('What happens when an endpoint fails before or in the middle of its answer.'),
  queue: z
    .strictObject({
      maxRequests: z
        .int()
        .nonnegative()
        .default(1_000)
        .describe('Requests that may wait; further ones get 429.'),
      timeoutMs: milliseconds.default(30_000).describe('How long a request may wait.'),
    })
    .prefault({})
    .describe('Where requests wait while every endpoint of their model is at its limit.'),
  limits: z
    .strictObject({
      jsonBytes: byteSize
        .prefault('64MiB')
        .describe('The largest JSON body: chats with images run to tens of megabytes.'),
      uploadBytes: byteSize
        .prefault('512MiB')
        .describe('The largest audio file or other multipart upload.'),
      memoryBytes: byteSize
        .prefault('1MiB')
        .describe('What of a body stays in memory; the rest is spooled to a temporary file.'),
    })
    .prefault({})
    .describe('How large a request may be.'),
  writeStallMs: milliseconds
    .min(1)
    .default(60_000)
    .describe('A reader that takes nothing for this long is cut off, so that its slot returns.'),
  lameDuckMs: milliseconds
    .default(0)
    .describe(
      'How long after SIGTERM requests are still taken while /health/ready is 503, so that a load balancer looks elsewhere first; 0: not at all.',
    ),
  drainMs: milliseconds.default(30_000).describe('How long running answers may go on after that.'),
  pingMs: milliseconds
    .default(0)
    .describe('Send `: ping` to a streaming client that has waited this long; 0 sends none.'),
  halfClose: z
    .enum(['keep', 'cancel'])
    .default('keep')
    .describe('What a client that closes only its sending side gets: `keep` finishes its answer.'),
  accessLog: z
    .string()
    .default('stderr')
    .describe('Where the line about each request goes: stderr, stdout, off, or a file.'),
  accessLogFormat: z
    .enum(['auto', 'json', 'text'])
    .default('auto')
    .describe('How it is written: `auto` is a short `text` on a terminal, and `json` elsewhere.'),
})

export type GatewayConfig = z.output<typeof gatewayConfig>
export type KeyConfig = z.output<typeof keyConfig>
export type TimeoutsConfig = z.output<typeof timeoutsConfig>
