/**
 * A fault is one thing the emulator does wrong on purpose, and when it does it.
 *
 *   kind[:argument[:argument]][@condition]…        cut:40@first=3@model=llama-3.1-8b
 *
 * Events of a stream are counted from the first that carries a piece of the answer; the opening
 * events (role, response.created, message_start) do not count. An answer that is not a stream is
 * hit after half of its body.
 */
export type FaultKind =
  /** As a killed process: the listening socket is closed and every connection is reset. */
  | { readonly kind: 'refuse' }
  /** RST before any byte of the answer. */
  | { readonly kind: 'reset' }
  /** RST after the status line and headers. */
  | { readonly kind: 'reset-after-headers' }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  | { readonly kind: 'slow-first-token'; readonly delayMs: number }
  /** FIN after so many events: the body never ends properly. */
  | { readonly kind: 'cut'; readonly events: number }
  /** Ends the body properly after so many events: an answer that is short and looks whole. */
  | { readonly kind: 'end-at'; readonly events: number }
  /** RST after so many events. */
  | { readonly kind: 'reset-at'; readonly events: number }
  | { readonly kind: 'stall'; readonly events: number; readonly delayMs: number }
  /** The nth event is truncated JSON. */
  | { readonly kind: 'garbage'; readonly events: number }
  /** In place of the nth event, a chunk header that is not one. */
  | { readonly kind: 'bad-chunk'; readonly events: number }
  /** Everything but the last word: no [DONE]. */
  | { readonly kind: 'no-done' }
  /** The engine's own error event in place of the nth event. */
  | { readonly kind: 'mid-error'; readonly events: number }
  /** The same bytes in awkward pieces: CRLF, frames joined, characters split. */
  | { readonly kind: 'split-utf8' }
  /** Comment lines so often while nothing else is sent. */
  | { readonly kind: 'pings'; readonly everyMs: number }
  | { readonly kind: 'status'; readonly status: number }
  /** Says that it is loading, on the health page too. */
  | { readonly kind: 'loading' }
  | { readonly kind: '429'; readonly retryAfterMs: number; readonly form: 'seconds' | 'date' }
  | { readonly kind: 'context-length' }
  | { readonly kind: 'content-filter' }
  /** The health page says all is well while requests get a 500. */
  | { readonly kind: 'lying-health' }
  /** 400 when the last message is the assistant's. */
  | { readonly kind: 'reject-prefill' }
  | { readonly kind: 'slow-health'; readonly delayMs: number }
  /**
   * Closes the connection right after an answer that promised to keep it; with `next`, resets it
   * when the next request has arrived on it, which a client cannot foresee.
   */
  | { readonly kind: 'keep-alive-race'; readonly moment: 'after' | 'next' }

/** When a fault happens; all conditions must hold. Times count from when the script was set. */
export interface FaultWhen {
  /** Only the first so many requests that meet the other conditions. */
  readonly first?: number
  /** Only each nth of them. */
  readonly every?: number
  /** Only by chance, drawn from the seed. */
  readonly chance?: number
  readonly afterMs?: number
  readonly untilMs?: number
  readonly model?: string
  readonly task?: string
}

export type Fault = FaultKind & { readonly when: FaultWhen }

/** A fault that could not be read. The message says what was found and what would be right. */
export class FaultSyntaxError extends Error {}

type Reader = (args: readonly string[], text: string) => FaultKind

/** Where a fault in mid-stream happens when nobody says: after the answer has visibly begun. */
const defaultEvents = '3'

interface Kind {
  /** What happens, for people. */
  readonly what: string
  readonly example: string
  readonly read: Reader
}

/** The grammar: each kind, what it does, an example of it, and how its arguments are read. */
const kinds: Readonly<Record<string, Kind>> = {
  // An object lists a key that is a number before all others, so it stands here as well.
  '429': {
    what: 'it has no room, and says when to try again (Retry-After)',
    example: '429:2s',
    read: ([after = '1s'], text) => ({
      kind: '429',
      retryAfterMs: duration(after, text),
      form: 'seconds',
    }),
  },
  '429-date': {
    what: 'the same, with the time as a date',
    example: '429-date:2s',
    read: ([after = '1s'], text) => ({
      kind: '429',
      retryAfterMs: duration(after, text),
      form: 'date',
    }),
  },
  refuse: {
    what: 'the port is closed and every connection reset, as of a killed process',
    example: 'refuse',
    read: () => ({ kind: 'refuse' }),
  },
  reset: {
    what: 'the connection is reset before any byte of the answer',
    example: 'reset',
    read: () => ({ kind: 'reset' }),
  },
  'reset-after-headers': {
    what: 'it is reset after the status line and the headers',
    example: 'reset-after-headers',
    read: () => ({ kind: 'reset-after-headers' }),
  },
  hang: {
    what: 'the request is taken and never answered',
    example: 'hang',
    read: () => ({ kind: 'hang' }),
  },
  'slow-first-token': {
    what: 'the first word comes so much later',
    example: 'slow-first-token:20s',
    read: ([delay], text) => ({ kind: 'slow-first-token', delayMs: duration(delay, text) }),
  },
  cut: {
    what: 'the connection ends after so many events, the answer does not',
    example: 'cut:40',
    read: ([events], text) => ({ kind: 'cut', events: count(events, text) }),
  },
  'end-at': {
    what: 'the answer ends after so many events and looks whole',
    example: 'end-at:40',
    read: ([events], text) => ({ kind: 'end-at', events: count(events, text) }),
  },
  'reset-at': {
    what: 'the connection is reset after so many events',
    example: 'reset-at:40',
    read: ([events], text) => ({ kind: 'reset-at', events: count(events, text) }),
  },
  stall: {
    what: 'nothing comes for so long after so many events',
    example: 'stall:40:30s',
    read: ([events, delay], text) => ({
      kind: 'stall',
      events: count(events, text),
      delayMs: duration(delay, text),
    }),
  },
  garbage: {
    what: 'that event is cut JSON',
    example: 'garbage:10',
    read: ([events = defaultEvents], text) => ({ kind: 'garbage', events: count(events, text, 1) }),
  },
  'bad-chunk': {
    what: 'a broken chunk header comes in place of that event',
    example: 'bad-chunk:10',
    read: ([events = defaultEvents], text) => ({
      kind: 'bad-chunk',
      events: count(events, text, 1),
    }),
  },
  'no-done': {
    what: 'all comes but the last word, [DONE]',
    example: 'no-done',
    read: () => ({ kind: 'no-done' }),
  },
  'mid-error': {
    what: "the engine's own error comes in place of that event",
    example: 'mid-error:10',
    read: ([events = defaultEvents], text) => ({
      kind: 'mid-error',
      events: count(events, text, 1),
    }),
  },
  'split-utf8': {
    what: 'the same bytes in awkward pieces',
    example: 'split-utf8',
    read: () => ({ kind: 'split-utf8' }),
  },
  pings: {
    what: 'comments come so often while nothing else does',
    example: 'pings:5s',
    read: ([every], text) => ({ kind: 'pings', everyMs: duration(every, text) }),
  },
  status: {
    what: 'the answer is this status',
    example: 'status:503',
    read: ([status], text) => ({ kind: 'status', status: httpStatus(status, text) }),
  },
  loading: {
    what: 'it says that it is loading, on its health page too',
    example: 'loading',
    read: () => ({ kind: 'loading' }),
  },
  'context-length': {
    what: 'the prompt is too long for it',
    example: 'context-length',
    read: () => ({ kind: 'context-length' }),
  },
  'content-filter': {
    what: 'the prompt is refused',
    example: 'content-filter',
    read: () => ({ kind: 'content-filter' }),
  },
  'lying-health': {
    what: 'all requests fail and the health page says all is well',
    example: 'lying-health',
    read: () => ({ kind: 'lying-health' }),
  },
  'reject-prefill': {
    what: 'no answer that is begun is continued',
    example: 'reject-prefill',
    read: () => ({ kind: 'reject-prefill' }),
  },
  'slow-health': {
    what: 'the health page takes so long',
    example: 'slow-health:5s',
    read: ([delay], text) => ({ kind: 'slow-health', delayMs: duration(delay, text) }),
  },
  'keep-alive-race': {
    what: 'the connection closes after an answer that promised to keep it; with :next, when the next request is there',
    example: 'keep-alive-race or keep-alive-race:next',
    read: ([moment = 'after'], text) => {
      if (moment !== 'after' && moment !== 'next') throw wrong(text, 'keep-alive-race:next')
      return { kind: 'keep-alive-race', moment }
    },
  },
}

/** Each kind for people: how it is written, and what happens then. */
export const faultKinds: readonly { readonly example: string; readonly what: string }[] =
  Object.values(kinds).map(({ example, what }) => ({ example: example.split(' or ', 1)[0]!, what }))

/** When it happens, for people; without any, always. */
export const faultConditions =
  '@first, @first=3, @every=5, @p=0.1, @after=10s, @until=60s, @model=name, @task=chat'

const maxArguments: Readonly<Record<string, number>> = { stall: 2 }
const withoutArguments = new Set(Object.keys(kinds).filter((kind) => kinds[kind]?.example === kind))

/** Reads `cut:40@first`; throws {@link FaultSyntaxError}. */
export function parseFault(text: string): Fault {
  const [head = '', ...conditions] = text.trim().split('@')
  const [kind = '', ...args] = head.split(':')
  const entry = Object.hasOwn(kinds, kind) ? kinds[kind] : undefined
  if (entry === undefined) {
    throw new FaultSyntaxError(
      `Cannot read the fault ${JSON.stringify(text)}: there is no kind ${JSON.stringify(kind)}; ` +
        `the kinds are ${Object.keys(kinds).join(', ')}.`,
    )
  }
  const most = withoutArguments.has(kind) ? 0 : (maxArguments[kind] ?? 1)
  if (args.length > most) throw wrong(text, entry.example)
  const fault = entry.read(args, text)
  const when = readConditions(conditions, text)
  if (fault.kind === 'refuse') refuseKnowsOnlyTime(when, text)
  return { ...fault, when }
}

function readConditions(conditions: readonly string[], text: string): FaultWhen {
  let when: FaultWhen = {}
  for (const condition of conditions) {
    const cut = condition.indexOf('=')
    const key = cut === -1 ? condition : condition.slice(0, cut)
    const value = cut === -1 ? undefined : condition.slice(cut + 1)
    when = { ...when, ...readCondition(key, value, text) }
  }
  return when
}

function readCondition(key: string, value: string | undefined, text: string): FaultWhen {
  if (key === 'first') return { first: count(value ?? '1', text, 1) }
  if (key === 'every') return { every: count(value, text, 1) }
  if (key === 'p') return { chance: ratio(value, text) }
  if (key === 'after') return { afterMs: duration(value, text) }
  if (key === 'until') return { untilMs: duration(value, text) }
  if (key === 'model' && value) return { model: value }
  if (key === 'task' && value) return { task: value }
  throw new FaultSyntaxError(
    `Cannot read the fault ${JSON.stringify(text)}: the condition ${JSON.stringify(key)} is not one ` +
      `of ${faultConditions}.`,
  )
}

/** A connection that is refused says nothing of its request, so nothing can be counted on it. */
function refuseKnowsOnlyTime(when: FaultWhen, text: string): void {
  const keys = Object.keys(when).filter((key) => key !== 'afterMs' && key !== 'untilMs')
  if (keys.length === 0) return
  throw new FaultSyntaxError(
    `Cannot read the fault ${JSON.stringify(text)}: refuse closes the listening socket, ` +
      'so it takes only @after and @until.',
  )
}

function wrong(text: string, example: string): FaultSyntaxError {
  return new FaultSyntaxError(
    `Cannot read the fault ${JSON.stringify(text)}: it is written like ${example}.`,
  )
}

function exampleOf(text: string): string {
  const kind = text.split(/[:@]/, 1)[0] ?? ''
  return kinds[kind]?.example ?? kind
}

function count(value: string | undefined, text: string, least = 0): number {
  const number = value === undefined || value === '' ? Number.NaN : Number(value)
  if (Number.isInteger(number) && number >= least) return number
  throw wrong(text, exampleOf(text))
}

function httpStatus(value: string | undefined, text: string): number {
  const status = Number(value)
  if (Number.isInteger(status) && status >= 400 && status <= 599) return status
  throw wrong(text, 'status:503, from 400 to 599')
}

function ratio(value: string | undefined, text: string): number {
  const number = value === undefined || value === '' ? Number.NaN : Number(value)
  if (number >= 0 && number <= 1) return number
  throw wrong(text, 'hang@p=0.1, from 0 to 1')
}

const msPerUnit: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 }

function duration(value: string | undefined, text: string): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(value ?? '')
  const unitMs = msPerUnit[match?.[2] ?? '']
  if (match === null || unitMs === undefined) {
    throw wrong(text, `${exampleOf(text)}, with times as 500ms, 20s or 1m`)
  }
  return Number(match[1]) * unitMs
}

/** Writes a fault as {@link parseFault} reads it. */
export function formatFault(fault: Fault): string {
  const { when } = fault
  const conditions = [
    when.first === undefined ? '' : `@first=${when.first}`,
    when.every === undefined ? '' : `@every=${when.every}`,
    when.chance === undefined ? '' : `@p=${when.chance}`,
    when.afterMs === undefined ? '' : `@after=${when.afterMs}ms`,
    when.untilMs === undefined ? '' : `@until=${when.untilMs}ms`,
    when.model === undefined ? '' : `@model=${when.model}`,
    when.task === undefined ? '' : `@task=${when.task}`,
  ]
  return formatKind(fault) + conditions.join('')
}

function formatKind(fault: FaultKind): string {
  switch (fault.kind) {
    case 'cut':
    case 'end-at':
    case 'reset-at':
    case 'garbage':
    case 'bad-chunk':
    case 'mid-error':
      return `${fault.kind}:${fault.events}`
    case 'stall':
      return `stall:${fault.events}:${fault.delayMs}ms`
    case 'slow-first-token':
    case 'slow-health':
      return `${fault.kind}:${fault.delayMs}ms`
    case 'pings':
      return `pings:${fault.everyMs}ms`
    case 'status':
      return `status:${fault.status}`
    case '429':
      return `${fault.form === 'date' ? '429-date' : '429'}:${fault.retryAfterMs}ms`
    case 'keep-alive-race':
      return fault.moment === 'next' ? 'keep-alive-race:next' : 'keep-alive-race'
    default:
      return fault.kind
  }
}
