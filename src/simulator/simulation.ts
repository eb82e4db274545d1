/**
 * A fleet on virtual time: arrivals, engines and a dispatcher, and nothing else. The dispatcher is
 * the object that the gateway uses; the engines are the model in `batching/`.
 *
 * Time jumps from event to event. All that happens at one time is told to the dispatcher before it
 * is asked what to do, and the same arguments give the same run.
 */
import type { EndpointState } from '#core/endpoint.ts'
import type { EndpointId, RequestId } from '#core/ids.ts'
import type { Dispatch, Dispatcher } from '#routing/dispatcher.ts'
import type { Arrival } from '#simulator/arrival.ts'
import { DecisionClock } from '#simulator/decision-clock.ts'
import type { Fault } from '#simulator/fault.ts'
import { type Job, newJob } from '#simulator/job.ts'
import type { Outcome } from '#simulator/outcome.ts'
import type { SimulatedEndpoint } from '#simulator/simulated-endpoint.ts'
import { Site } from '#simulator/site.ts'
import { MinHeap } from '#std/min-heap.ts'

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
  /** Hears of each arrival, at its time. */
  readonly onArrival?: (atMs: number) => void
}

export interface SimulationResult {
  readonly outcomes: readonly Outcome[]
  readonly preemptions: number
  readonly endMs: number
  /** Host time spent in the dispatcher. */
  readonly decisionMs: number
  readonly decisionMsMax: number
}

export function simulate(options: SimulationOptions): SimulationResult {
  return new Simulation(options).run()
}

class Simulation {
  readonly #options: SimulationOptions
  readonly #dispatcher: Dispatcher
  readonly #sites: Site<Job>[]
  readonly #byId = new Map<EndpointId, Site<Job>>()
  readonly #jobs: Job[] = []
  readonly #byRequest = new Map<RequestId, Job>()
  readonly #steps = new MinHeap<Site<Job>>()
  readonly #faults = new MinHeap<() => void>()
  /** What engines said of their load, on its way. */
  readonly #reports = new MinHeap<() => void>()
  #preemptions = 0
  readonly #clock: DecisionClock
  #nowMs = 0

  constructor(options: SimulationOptions) {
    this.#options = options
    this.#dispatcher = options.dispatcher
    this.#clock = new DecisionClock(options.hostNowMs ?? null)
    this.#sites = options.endpoints.map((spec, index) => new Site<Job>(spec, index))
    for (const site of this.#sites) this.#byId.set(site.view.id, site)
    for (const fault of options.faults ?? []) this.#planFault(fault)
  }

  run(): SimulationResult {
    const { arrivals, untilMs, bypassRatio = 0, chance, reportEveryMs = 0 } = this.#options
    const { onArrival } = this.#options
    this.#tellEndpoints()
    let nextArrival = 0
    let nextReportMs = reportEveryMs > 0 ? reportEveryMs : Number.POSITIVE_INFINITY
    let wakeMs = Number.POSITIVE_INFINITY
    for (;;) {
      const nowMs = Math.min(
        arrivals[nextArrival]?.atMs ?? Number.POSITIVE_INFINITY,
        this.#steps.minKey,
        this.#faults.minKey,
        this.#reports.minKey,
        wakeMs,
        this.#byRequest.size > 0 || nextArrival < arrivals.length
          ? nextReportMs
          : Number.POSITIVE_INFINITY,
      )
      if (nowMs === Number.POSITIVE_INFINITY || nowMs > untilMs) break
      this.#nowMs = nowMs
      while (this.#steps.minKey <= nowMs) this.#step(this.#steps.pop() as Site<Job>)
      while (this.#faults.minKey <= nowMs) this.#faults.pop()?.()
      if (nextReportMs <= nowMs) {
        this.#takeReports()
        nextReportMs += reportEveryMs
      }
      while (this.#reports.minKey <= nowMs) this.#reports.pop()?.()
      while ((arrivals[nextArrival]?.atMs ?? Number.POSITIVE_INFINITY) <= nowMs) {
        const arrival = arrivals[nextArrival++] as Arrival
        onArrival?.(arrival.atMs)
        if (bypassRatio > 0 && chance() < bypassRatio) this.#bypass(arrival)
        else this.#arrive(arrival)
      }
      wakeMs = this.#dispatch()
    }
    return {
      outcomes: this.#jobs.map(({ outcome }) => outcome),
      preemptions: this.#preemptions,
      endMs: this.#nowMs,
      decisionMs: this.#clock.totalMs,
      decisionMsMax: this.#clock.longestMs,
    }
  }

  #dispatch(): number {
    for (;;) {
      const dispatch = this.#clock.ask(this.#dispatcher, this.#nowMs)
      if (dispatch === null) break
      this.#obey(dispatch)
    }
    const wakeMs = this.#dispatcher.wakeAtMs(this.#nowMs) ?? Number.POSITIVE_INFINITY
    if (wakeMs <= this.#nowMs) throw new Error('a dispatcher wakes later than now')
    return wakeMs
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

  #begin(arrival: Arrival): Job {
    const job = newJob(arrival, this.#jobs.length)
    this.#jobs.push(job)
    return job
  }

  #arrive(arrival: Arrival): void {
    const job = this.#begin(arrival)
    this.#byRequest.set(job.request.id, job)
    this.#dispatcher.arrive(job.request, this.#nowMs)
  }

  /** Straight to an endpoint, as by a user who knows its address. */
  #bypass(arrival: Arrival): void {
    const job = this.#begin(arrival)
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

  #submit(job: Job, site: Site<Job>): boolean {
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

  #leaveSite(job: Job, site: Site<Job>): void {
    site.jobs.delete(job)
    site.stopDecoding(job)
    job.site = null
  }

  #schedule(site: Site<Job>): void {
    const { stepDueMs } = site.scheduler
    if (stepDueMs === site.scheduledMs || stepDueMs === Number.POSITIVE_INFINITY) return
    site.scheduledMs = stepDueMs
    this.#steps.push(stepDueMs, site)
  }

  #step(site: Site<Job>): void {
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
      site.startDecoding(job)
    }
    this.#resume(site)
    for (const index of report.preempted) {
      const job = this.#jobs[index] as Job
      site.stopDecoding(job)
      if (job.told > 0) job.resumes = true
    }
    for (const index of report.failed) this.#fail(this.#jobs[index] as Job)
    site.scheduledMs = Number.NaN
    this.#schedule(site)
  }

  /** Preempted answers go on without a word; they are seen to have a token more. */
  #resume(site: Site<Job>): void {
    if (site.decoding.length === site.jobs.size) return
    for (const job of site.jobs) {
      if (!job.resumes) continue
      const progress = site.scheduler.progress(job.index)
      if (progress?.state !== 'decoding' || progress.emittedTokens <= job.told) continue
      job.resumes = false
      this.#token(job)
      site.startDecoding(job)
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

  #end(job: Job, site: Site<Job>): void {
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
      this.#sites.map((site) => site.told()),
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
      this.#reports.push(this.#nowMs + reportDelayMs, () =>
        this.#dispatcher.report(site.view.id, report, this.#nowMs),
      )
    }
  }

  #planFault(fault: Fault): void {
    const site = this.#sites[fault.endpoint]
    if (site === undefined) throw new RangeError(`there is no endpoint ${fault.endpoint}`)
    const at = (atMs: number, happen: () => void) => this.#faults.push(atMs, happen)
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

  #setState(site: Site<Job>, state: EndpointState): void {
    site.view.state = state
    this.#tellEndpoints()
    if (state === 'ready') return
    const jobs = [...site.jobs]
    site.restart()
    for (const job of jobs) this.#fail(job)
  }
}
