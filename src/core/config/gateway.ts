/** `gateway:` of motley.yaml: how clients reach the fleet, and what holds for all of them. */
import { z } from 'zod'
import { byteSize, milliseconds, modelText, nameText } from '#core/config/text.ts'

export const keyConfig = z
  .strictObject({
    name: nameText,
    key: z.string().min(8, 'a key of at least 8 characters').optional(),
    keyHash: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/, '"sha256:" and 64 hex digits, as `motley key create` prints')
      .optional(),
    /** May read /stats, /metrics and /admin, and change nothing else. */
    admin: z.boolean().default(false),
    models: z.array(modelText).optional(),
    rpm: z.int().positive().optional(),
    tpm: z.int().positive().optional(),
    maxParallel: z.int().positive().optional(),
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
export const timeoutsConfig = z.strictObject({
  connectMs: milliseconds.min(1).optional(),
  firstByteMs: milliseconds.min(1).optional(),
  betweenChunksMs: milliseconds.min(1).optional(),
  totalMs: milliseconds.min(1).optional(),
})

export const defaultTimeouts = {
  connectMs: 2_000,
  firstByteMs: 300_000,
  betweenChunksMs: 60_000,
  totalMs: 1_800_000,
} as const

export const gatewayConfig = z.strictObject({
  listen: z
    .string()
    .regex(/^(\[[0-9A-Fa-f:]+\]|[^:\s]+):\d{1,5}$/, 'host:port, as 127.0.0.1:7070 or [::1]:7070')
    .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'a port up to 65535')
    .default('127.0.0.1:7070'),
  keys: z.array(keyConfig).default([]),
  /** Web origins that may use the gateway from a browser, beside pages of this machine. */
  origins: z.array(z.string()).default([]),
  timeouts: timeoutsConfig.default({}),
  retries: z
    .strictObject({
      /** Attempts in all, the first included, over endpoints and fallback models. */
      maxAttempts: z.int().min(1).max(16).default(4),
      /** Retries allowed per first attempt, so that an outage is not amplified. */
      budgetRatio: z.number().min(0).max(1).default(0.2),
      /** Retries per second that are always allowed, so that a quiet gateway retries at all. */
      minPerSecond: z.number().min(0).default(10),
    })
    .prefault({}),
  queue: z
    .strictObject({
      maxRequests: z.int().nonnegative().default(1_000),
      timeoutMs: milliseconds.default(30_000),
    })
    .prefault({}),
  limits: z
    .strictObject({
      /** JSON bodies: chats with images run to tens of megabytes. */
      jsonBytes: byteSize.default(64 * 1024 ** 2),
      /** Audio and other multipart uploads. */
      uploadBytes: byteSize.default(512 * 1024 ** 2),
      /** What of a body stays in memory; the rest is spooled to a temporary file. */
      memoryBytes: byteSize.default(1024 ** 2),
    })
    .prefault({}),
  /** A reader that takes nothing for this long is cut off, so that its slot returns. */
  writeStallMs: milliseconds.min(1).default(60_000),
  /** How long running answers may go on after SIGTERM. */
  drainMs: milliseconds.default(30_000),
  /** Send `: ping` to a streaming client that has waited this long; 0 sends none. */
  pingMs: milliseconds.default(0),
  /** What a client that closes only its sending side gets: `keep` finishes its answer. */
  halfClose: z.enum(['keep', 'cancel']).default('keep'),
  accessLog: z.string().default('stderr'),
})

export type GatewayConfig = z.output<typeof gatewayConfig>
export type KeyConfig = z.output<typeof keyConfig>
export type TimeoutsConfig = z.output<typeof timeoutsConfig>
