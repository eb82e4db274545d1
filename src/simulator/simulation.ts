/**
 * A fleet on virtual time: arrivals, engines and a dispatcher, and nothing else. The dispatcher is
 * the object that the gateway uses; the engines are the model in `batching/`.
 *
 * Time jumps from event to event. All that happens at one time is told to the dispatcher before it
 * is asked what to do, and the same arguments give the same run.
 */
import { BatchScheduler, type EngineBehaviour } from '#batching/batch-scheduler.ts'
import { type StepTimeParameters, stepTimeOf } from '#batching/step-time.ts'
import type { EndpointState, EndpointView } from '#core/endpoint.ts'
import {
  type EndpointId,
  endpointId,
  type ModelName,
  type RequestId,
  requestId,
} from '#core/ids.ts'
import type { ServiceClass } from '#core/service-class.ts'
import type {
  Dispatch,
  DispatchEndpoint,
  Dispatcher,
  DispatchRequest,
  LatencyTargets,
} from '#routing/dispatcher.ts'
import type { StepSpeed } from '#routing/step-speed.ts'
import type { Fault } from '#simulator/fault.ts'
import { MinHeap } from '#std/min-heap.ts'

/** An endpoint as it is, and as the dispatcher is told that it is. */
export interface SimulatedEndpoint {
  readonly id: string
  /** Null when it serves every model. */
  readonly models: readonly ModelName[] | null
  readonly stepTime: StepTimeParameters
  readonly behaviour: EngineBehaviour
  readonly seats: number
  readonly kvTokens: number
  readonly batchTokens: number
  readonly weight: number
  readonly maxInFlight: number | null
  /** What is told of its speed; null when the dispatcher has to find out. */
  readonly told: StepSpeed | null
  /** Whether seats, KV cache and batch size are told. */
  readonly tellsLimits: boolean
}

/** One request of a trace. Only the engine gets to see how long the answer is. */
export interface Arrival {
  readonly atMs: number
  readonly model: ModelName
  readonly client: string
  readonly service: ServiceClass
  readonly targets: LatencyTargets
  readonly promptTokens: number
  readonly outputTokens: number
  readonly prefixBlocks: readonly number[]
  readonly prefixBlockTokens: number
}

export interface SimulationOptions {
  readonly endpoints: readonly SimulatedEndpoint[]
  /** In the order of their times. */
  readonly arrivals: readonly Arrival[]
  readonly dispatcher: Dispatcher
  readonly faults?: readonly Fault[]
  /** Engines report their load this often, and it arrives this much later. */
  readonly reportEveryMs?: number
  readonly reportDelayMs?: number
  /** Part of the arrivals that go past the dispatcher, by weight, and are not measured. */
  readonly bypassRatio?: number
  readonly chance: () => number
  /** What is not over by then stays unanswered. */
  readonly untilMs: number
  /** A clock of the host, to measure how long decisions take; left out: not measured. */
  readonly hostNowMs?: () => number
}

/** What became of one arrival. */
export interface Outcome {
  readonly arrival: Arrival
  endpoint: number
  /** When the dispatcher bound it last. */
  sentMs: number | null
  firstTokenMs: number | null
  endMs: number | null
  tokens: number
  hitTokens: number
  rejected: boolean
  bypassed: boolean
  sends: number
}

export interface SimulationResult {
  readonly outcomes: readonly Outcome[]
  readonly preemptions: number
  readonly endMs: number
  /** Host time spent in the dispatcher. */
  readonly decisionMs: number
  readonly decisionMsMax: number
}

interface Job {
  readonly index: number
  readonly outcome: Outcome
  request: DispatchRequest
  /** Tokens of the present attempt that the dispatcher was told of. */
  told: number
  site: Site | null
  place: number
  resumes: boolean
}

/** A running engine and who is on it. */
interface Site {
  readonly index: number
  readonly spec: SimulatedEndpoint
  readonly view: { -readonly [Key in keyof EndpointView]: EndpointView[Key] }
  scheduler: BatchScheduler
  readonly decoding: Job[]
  readonly jobs: Set<Job>
  slowness: number
  scheduledMs: number
}

export function simulate(options: SimulationOptions): SimulationResult {
  return new Simulation(options).run()
}

class Simulation {
  readonly #options: SimulationOptions
  readonly #dispatcher: Dispatcher
  readonly #sites: Site[]
  readonly #byId = new Map<EndpointId, Site>()
  readonly #jobs: Job[] = []
  readonly #byRequest = new Map<RequestId, Job>()
  readonly #steps = new MinHeap<Site>()
  readonly #faults: { readonly atMs: number; readonly apply: () => void }[] = []
  readonly #reports: { readonly atMs: number; readonly apply: () => void }[] = []
  #preemptions = 0
  #decisionMs = 0
  #decisionMsMax = 0
  #nowMs = 0

  constructor(options: SimulationOptions) {
    this.#options = options
    this.#dispatcher = options.dispatcher
    this.#sites = options.endpoints.map((spec, index) => newSite(spec, index))
    for (const site of this.#sites) this.#byId.set(site.view.id, site)
    for (const fault of options.faults ?? []) this.#planFault(fault)
    this.#faults.sort((left, right) => left.atMs - right.atMs)
  }

  run(): SimulationResult {
    const { arrivals, untilMs, bypassRatio = 0, chance, reportEveryMs = 0 } = this.#options
    this.#tellEndpoints()
    let nextArrival = 0
    let nextFault = 0
    let nextReportMs = reportEveryMs > 0 ? reportEveryMs : Number.POSITIVE_INFINITY
    let wakeMs = Number.POSITIVE_INFINITY
    for (;;) {
      const nowMs = Math.min(
        arrivals[nextArrival]?.atMs ?? Number.POSITIVE_INFINITY,
        this.#steps.minKey,
        this.#faults[nextFault]?.atMs ?? Number.POSITIVE_INFINITY,
        this.#reports[0]?.atMs ?? Number.POSITIVE_INFINITY,
        wakeMs,
        this.#byRequest.size > 0 || nextArrival < arrivals.length
          ? nextReportMs
          : Number.POSITIVE_INFINITY,
      )
      if (nowMs === Number.POSITIVE_INFINITY || nowMs > untilMs) break
      this.#nowMs = nowMs
      while (this.#steps.minKey <= nowMs) this.#step(this.#steps.pop() as Site)
      while ((this.#faults[nextFault]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
        this.#faults[nextFault++]?.apply()
      }
      if (nextReportMs <= nowMs) {
        this.#takeReports()
        nextReportMs += reportEveryMs
      }
      while ((this.#reports[0]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
        this.#reports.shift()?.apply()
      }
      while ((arrivals[nextArrival]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
        const arrival = arrivals[nextArrival++] as Arrival
        if (bypassRatio > 0 && chance() < bypassRatio) this.#bypass(arrival)
        else this.#arrive(arrival)
      }
      wakeMs = this.#dispatch()
    }
    return {
      outcomes: this.#jobs.map(({ outcome }) => outcome),
      preemptions: this.#preemptions,
      endMs: this.#nowMs,
      decisionMs: this.#decisionMs,
      decisionMsMax: this.#decisionMsMax,
    }
  }

  #dispatch(): number {
    for (;;) {
      const dispatch = this.#ask()
      if (dispatch === null) break
      this.#obey(dispatch)
    }
    const wakeMs = this.#dispatcher.wakeAtMs(this.#nowMs) ?? Number.POSITIVE_INFINITY
    if (wakeMs <= this.#nowMs) throw new Error('a dispatcher wakes later than now')
    return wakeMs
  }

  #ask(): Dispatch | null {
    const { hostNowMs } = this.#options
    // With nobody waiting there is nothing to decide, and a clock takes longer than that answer.
    if (hostNowMs === undefined || this.#dispatcher.waiting === 0) {
      return this.#dispatcher.next(this.#nowMs)
    }
    const startMs = hostNowMs()
    const dispatch = this.#dispatcher.next(this.#nowMs)
    const tookMs = hostNowMs() - startMs
    this.#decisionMs += tookMs
    this.#decisionMsMax = Math.max(this.#decisionMsMax, tookMs)
    return dispatch
  }

  #obey(dispatch: Dispatch): void {
    const job = this.#byRequest.get(dispatch.request.id)
    if (job === undefined) throw new Error(`${dispatch.request.id} is sent, and is not waiting`)
    if (job.site !== null) throw new Error(`${dispatch.request.id} is sent twice`)
    if (dispatch.kind === 'reject') {
      job.outcome.rejected = true
      this.#byRequest.delete(job.request.id)
      return
    }
    const site = this.#byId.get(dispatch.endpoint)
    if (site === undefined) throw new Error(`there is no ${dispatch.endpoint}`)
    job.outcome.sends++
    job.outcome.sentMs = this.#nowMs
    if (!this.#submit(job, site)) this.#fail(job)
  }

  #newJob(arrival: Arrival): Job {
    const index = this.#jobs.length
    const { atMs, outputTokens: _, ...known } = arrival
    const job: Job = {
      index,
      outcome: {
        arrival,
        endpoint: -1,
        sentMs: null,
        firstTokenMs: null,
        endMs: null,
        tokens: 0,
        hitTokens: 0,
        rejected: false,
        bypassed: false,
        sends: 0,
      },
      request: {
        ...known,
        id: requestId(`r${index}`),
        task: 'chat',
        maxTokens: null,
        priority: 0,
        arrivedAtMs: atMs,
        excluded: [],
        constraint: null,
        streams: true,
        workUnits: null,
      },
      told: 0,
      site: null,
      place: -1,
      resumes: false,
    }
    this.#jobs.push(job)
    return job
  }

  #arrive(arrival: Arrival): void {
    const job = this.#newJob(arrival)
    this.#byRequest.set(job.request.id, job)
    this.#dispatcher.arrive(job.request, this.#nowMs)
  }

  /** Straight to an endpoint, as by a user who knows its address. */
  #bypass(arrival: Arrival): void {
    const job = this.#newJob(arrival)
    job.outcome.bypassed = true
    const up = this.#sites.filter(({ view }) => view.state === 'ready')
    let draw = this.#options.chance() * up.reduce((sum, { view }) => sum + view.weight, 0)
    for (const site of up) {
      draw -= site.view.weight
      if (draw >= 0 && site !== up.at(-1)) continue
      this.#submit(job, site)
      return
    }
  }

  #submit(job: Job, site: Site): boolean {
    const { outcome, request } = job
    const { arrival } = outcome
    const accepted =
      site.view.state === 'ready' &&
      site.scheduler.submit(
        {
          id: job.index,
          promptTokens: arrival.promptTokens + outcome.tokens,
          outputTokens: arrival.outputTokens - outcome.tokens,
          ...(request.prefixBlocks.length > 0 && {
            prefix: { hashes: request.prefixBlocks, blockTokens: request.prefixBlockTokens },
          }),
        },
        this.#nowMs,
      )
    job.site = site
    job.told = 0
    job.resumes = false
    outcome.endpoint = site.index
    if (!accepted) return false
    site.jobs.add(job)
    this.#schedule(site)
    return true
  }

  /** The endpoint failed this request; another one goes on with what is left of it. */
  #fail(job: Job): void {
    const { site, outcome, request } = job
    if (site === null) throw new Error('only a request that was sent can fail')
    this.#leaveSite(job, site)
    if (outcome.bypassed) return
    this.#dispatcher.done(
      request.id,
      { kind: 'failed', cachedTokens: null, tokens: null },
      this.#nowMs,
    )
    job.request = {
      ...request,
      promptTokens: outcome.arrival.promptTokens + outcome.tokens,
      excluded: [...request.excluded, site.view.id],
    }
    this.#dispatcher.arrive(job.request, this.#nowMs)
  }

  #leaveSite(job: Job, site: Site): void {
    site.jobs.delete(job)
    stopDecoding(site, job)
    job.site = null
  }

  #schedule(site: Site): void {
    const { stepDueMs } = site.scheduler
    if (stepDueMs === site.scheduledMs || stepDueMs === Number.POSITIVE_INFINITY) return
    site.scheduledMs = stepDueMs
    this.#steps.push(stepDueMs, site)
  }

  #step(site: Site): void {
    const { scheduler } = site
    // What a change of plans left in the heap.
    if (scheduler.stepDueMs > this.#nowMs) return
    const report = scheduler.runStep()
    this.#preemptions += report.preempted.length
    if (report.decodes > 0) for (const job of site.decoding) this.#token(job)
    for (const index of report.finished) {
      const job = this.#jobs[index] as Job
      // One token is all of a short answer: its first is its last.
      if (job.outcome.firstTokenMs === null || job.told === 0) this.#firstToken(job)
      this.#end(job, site)
    }
    for (const index of report.firstTokens) {
      const job = this.#jobs[index] as Job
      if (job.site !== site) continue
      if (job.told === 0) this.#firstToken(job)
      startDecoding(site, job)
    }
    this.#resume(site)
    for (const index of report.preempted) {
      const job = this.#jobs[index] as Job
      stopDecoding(site, job)
      if (job.told > 0) job.resumes = true
    }
    for (const index of report.failed) this.#fail(this.#jobs[index] as Job)
    site.scheduledMs = Number.NaN
    this.#schedule(site)
  }

  /** Preempted answers go on without a word; they are seen to have a token more. */
  #resume(site: Site): void {
    if (site.decoding.length === site.jobs.size) return
    for (const job of site.jobs) {
      if (!job.resumes) continue
      const progress = site.scheduler.progress(job.index)
      if (progress?.state !== 'decoding' || progress.emittedTokens <= job.told) continue
      job.resumes = false
      this.#token(job)
      startDecoding(site, job)
    }
  }

  #firstToken(job: Job): void {
    const { outcome, request, site } = job
    if (site !== null) {
      outcome.hitTokens = site.scheduler.progress(job.index)?.hitTokens ?? outcome.hitTokens
    }
    outcome.firstTokenMs ??= this.#nowMs
    outcome.tokens++
    job.told = 1
    if (!outcome.bypassed) this.#dispatcher.firstToken(request.id, this.#nowMs)
  }

  #token(job: Job): void {
    job.outcome.tokens++
    job.told++
    if (!job.outcome.bypassed) this.#dispatcher.tokens(job.request.id, 1, this.#nowMs)
  }

  #end(job: Job, site: Site): void {
    const { outcome, request } = job
    this.#leaveSite(job, site)
    outcome.endMs = this.#nowMs
    if (outcome.bypassed) return
    this.#byRequest.delete(request.id)
    this.#dispatcher.done(
      request.id,
      { kind: 'answered', cachedTokens: outcome.hitTokens, tokens: null },
      this.#nowMs,
    )
  }

  #tellEndpoints(): void {
    this.#dispatcher.endpoints(
      this.#sites.map(({ spec, view }): DispatchEndpoint => {
        return {
          view,
          serves: (model) => spec.models?.includes(model) ?? true,
          limits: spec.tellsLimits
            ? { seats: spec.seats, kvTokens: spec.kvTokens, batchTokens: spec.batchTokens }
            : { seats: null, kvTokens: null, batchTokens: null },
          speed: spec.told,
        }
      }),
      this.#nowMs,
    )
  }

  #takeReports(): void {
    const { reportDelayMs = 0 } = this.#options
    for (const site of this.#sites) {
      if (site.view.state !== 'ready') continue
      const load = site.scheduler.load(this.#nowMs)
      const report = {
        runningRequests: load.running,
        waitingRequests: load.waiting,
        kvCacheUsageRatio: load.kvUsedTokens / load.kvTokens,
        slots: null,
        kvTokens: load.kvTokens,
      }
      this.#reports.push({
        atMs: this.#nowMs + reportDelayMs,
        apply: () => this.#dispatcher.report(site.view.id, report, this.#nowMs),
      })
    }
  }

  #planFault(fault: Fault): void {
    const site = this.#sites[fault.endpoint]
    if (site === undefined) throw new RangeError(`there is no endpoint ${fault.endpoint}`)
    const at = (atMs: number, apply: () => void) => this.#faults.push({ atMs, apply })
    switch (fault.kind) {
      case 'slow':
        at(fault.atMs, () => {
          site.slowness = fault.factor
        })
        at(fault.untilMs, () => {
          site.slowness = 1
        })
        return
      case 'lost':
        at(fault.atMs, () => this.#setState(site, 'failed'))
        at(fault.untilMs, () => this.#setState(site, 'ready'))
    }
  }

  #setState(site: Site, state: EndpointState): void {
    site.view.state = state
    this.#tellEndpoints()
    if (state === 'ready') return
    const jobs = [...site.jobs]
    site.scheduler = newScheduler(site)
    site.scheduledMs = Number.NaN
    for (const job of jobs) this.#fail(job)
  }
}

function newSite(spec: SimulatedEndpoint, index: number): Site {
  const site: Omit<Site, 'scheduler'> & { scheduler: BatchScheduler | null } = {
    index,
    spec,
    view: {
      id: endpointId(spec.id),
      state: 'ready',
      weight: spec.weight,
      slowStartRatio: 1,
      inFlight: 0,
      maxInFlight: spec.maxInFlight,
      probeInFlight: false,
      coolingUntilMs: new Map(),
      ttftMs: null,
      turn: 0,
      labels: {},
    },
    scheduler: null,
    decoding: [],
    jobs: new Set(),
    slowness: 1,
    scheduledMs: Number.NaN,
  }
  site.scheduler = newScheduler(site as Site)
  return site as Site
}

function newScheduler(site: Site): BatchScheduler {
  const { spec } = site
  const stepTime = stepTimeOf(spec.stepTime)
  return new BatchScheduler({
    stepTime: (load) => site.slowness * stepTime(load),
    seats: spec.seats,
    kvTokens: spec.kvTokens,
    behaviour: { ...spec.behaviour, batchTokens: spec.batchTokens },
    stepsAtOnce: 1,
  })
}

function startDecoding(site: Site, job: Job): void {
  job.place = site.decoding.length
  site.decoding.push(job)
}

function stopDecoding(site: Site, job: Job): void {
  if (job.place === -1) return
  const last = site.decoding.pop() as Job
  if (last !== job) {
    site.decoding[job.place] = last
    last.place = job.place
  }
  job.place = -1
}
