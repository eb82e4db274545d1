/**
 * A request for a model that sleeps wakes it, and waits: as long as such a request may, and not at
 * all where waking takes longer than its client will.
 */
import { defaultTimeouts } from '#core/config/gateway.ts'
import type { EndpointState } from '#core/endpoint.ts'
import { MotleyError } from '#core/errors.ts'
import type { ModelName } from '#core/ids.ts'
import type { Exchange } from '#gateway/exchange.ts'
import type { GatewayState } from '#gateway/gateway-state.ts'
import { sendPings } from '#gateway/pings.ts'
import type { SleepingModel } from '#protocol/model-demand.ts'

/** How often it is asked how long it will take: that becomes known only once there is a place. */
const lookMs = 1_000

const answering: ReadonlySet<EndpointState> = new Set(['ready', 'busy', 'failing'])

/** Proxies and clients cut what is silent for a minute, the strictest of them for ten seconds. */
const pingMsWhileWaking = 5_000

/**
 * A place comes when somebody makes room or a machine returns: not within seconds. Where a start has
 * failed it is known when the next is tried.
 */
const noPlaceRetrySeconds = 30

/** A disk is emptied, or a database put right, by a person. */
const obstacleRetrySeconds = 30

/**
 * For a model that is not awake, the first of `models`: resolves when an endpoint answers for it, or
 * nothing sleeps here, or a fallback can answer at once; throws what the client must be told when it
 * would wait in vain.
 */
export async function waitForWake(
  state: GatewayState,
  exchange: Exchange,
  models: readonly [ModelName, ...ModelName[]],
): Promise<void> {
  const [asked, ...fallbacks] = models
  const sleeping = state.sleepers.find(asked)
  if (sleeping === null) return
  state.demand.note(asked, state.nowMs())
  const obstacle = state.sleepers.wake(asked)
  if (fallbacks.some((model) => isAwake(state, exchange, model))) return
  if (obstacle !== null) {
    throw new MotleyError('cannot_wake', `"${asked}" sleeps, and cannot be woken: ${obstacle}.`, {
      retryAfterSeconds: obstacleRetrySeconds,
    })
  }
  const { pingMs } = state.config.gateway
  const isPinged = pingMs > 0 && pingMs <= pingMsWhileWaking
  const stopPings = isPinged ? () => {} : sendPings(exchange, pingMsWhileWaking)
  try {
    await wake(state, exchange, asked)
  } finally {
    stopPings()
  }
}

export function isAwake(state: GatewayState, exchange: Exchange, model: ModelName): boolean {
  for (const endpoint of state.fleet.serving(model, exchange.route.task)) {
    if (answering.has(endpoint.state)) return true
  }
  return false
}

function wake(state: GatewayState, exchange: Exchange, model: ModelName): Promise<void> {
  const startedMs = state.nowMs()
  const untilMs = exchange.startedMs + patienceMs(state, exchange, model)
  return new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout | undefined
    const over = (): void => {
      clearTimeout(timer)
      leave()
      exchange.underWay = null
      const waitedMs = state.nowMs() - startedMs
      exchange.queueMs += waitedMs
      exchange.awayMs += waitedMs
    }
    const refuse = (error: MotleyError): void => {
      over()
      reject(error)
    }
    const leave = state.queue.enqueue(
      {
        model,
        tryNow() {
          if (!isAwake(state, exchange, model)) return false
          over()
          resolve()
          return true
        },
        // Whether it will come in time is looked at below; the queue's own limit is for room.
        onTimeout: () => refuse(tooLate(model, null, untilMs - exchange.startedMs)),
      },
      {
        maxRequests: state.config.gateway.queue.maxRequests,
        timeoutMs: Math.max(0, untilMs - startedMs),
      },
    )
    const look = (): void => {
      const sleeping = state.sleepers.find(model)
      if (sleeping === null) {
        // Its deployment was taken away: what comes of that is said by whoever comes next.
        over()
        resolve()
        return
      }
      const error = refusalOf(sleeping, model, {
        leftMs: untilMs - state.nowMs(),
        patienceMs: untilMs - exchange.startedMs,
      })
      if (error === null) timer = setTimeout(look, lookMs)
      else refuse(error)
    }
    exchange.underWay = {
      sinceMs: startedMs,
      waitsFor: { kind: 'endpoint' },
      clientGone() {
        over()
        resolve()
      },
      shutDown() {
        refuse(new MotleyError('draining', null, { retryAfterSeconds: 1 }))
      },
    }
    look()
  })
}

/** Null while it is worth waiting. */
function refusalOf(
  { state, expectedMs, retryMs, because }: SleepingModel,
  model: ModelName,
  { leftMs, patienceMs }: { readonly leftMs: number; readonly patienceMs: number },
): MotleyError | null {
  if (state === 'no-place') {
    return new MotleyError(
      'no_ready_endpoint',
      `"${model}" runs nowhere, and there is no place to start it: ${because ?? 'nothing has room for it'}.`,
      {
        retryAfterSeconds:
          retryMs === null ? noPlaceRetrySeconds : Math.max(1, Math.ceil(retryMs / 1_000)),
      },
    )
  }
  if (expectedMs === null || expectedMs <= leftMs) return null
  return tooLate(model, expectedMs, patienceMs)
}

function tooLate(model: ModelName, expectedMs: number | null, patienceMs: number): MotleyError {
  const limit = `${Math.round(patienceMs / 1_000)} s`
  return new MotleyError(
    'model_loading',
    expectedMs === null
      ? `"${model}" was woken and is not ready after the ${limit} that this request may wait.`
      : `"${model}" is waking, which takes about ${secondsText(expectedMs)} more; this request may wait ${limit}.`,
    { retryAfterSeconds: expectedMs === null ? 5 : Math.max(1, Math.ceil(expectedMs / 1_000)) },
  )
}

function secondsText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000)
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`
}

/**
 * As long as the first byte of an answer may take; less where the client says when it gives up, as
 * those of OpenAI do.
 */
function patienceMs(state: GatewayState, exchange: Exchange, model: ModelName): number {
  const { models, gateway } = state.config
  const own = Object.hasOwn(models, model) ? models[model]?.timeouts : undefined
  const firstByteMs =
    own?.firstByteMs ?? gateway.timeouts.firstByteMs ?? defaultTimeouts.firstByteMs
  const totalMs = own?.totalMs ?? gateway.timeouts.totalMs ?? defaultTimeouts.totalMs
  const said = Number(exchange.request.headers['x-stainless-timeout'])
  const clientMs = said > 0 ? said * 1_000 : Number.POSITIVE_INFINITY
  return Math.min(firstByteMs, totalMs, clientMs)
}
