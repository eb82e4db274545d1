import { BatchScheduler } from '#batching/batch-scheduler.ts'
import { stepTimeOf } from '#batching/step-time.ts'
import type { EndpointView } from '#core/endpoint.ts'
import { endpointId } from '#core/ids.ts'
import type { DispatchEndpoint } from '#routing/dispatcher.ts'
import { servesModel } from '#simulator/serves-model.ts'
import type { SimulatedEndpoint } from '#simulator/simulated-endpoint.ts'

/** Who is on a site knows where in its list of those that decode. */
interface Occupant {
  /** -1 for one that does not decode. */
  place: number
}

/** A running engine and who is on it. */
export class Site<Job extends Occupant> {
  readonly index: number
  readonly spec: SimulatedEndpoint
  readonly view: { -readonly [Key in keyof EndpointView]: EndpointView[Key] }
  scheduler: BatchScheduler
  readonly decoding: Job[] = []
  readonly jobs = new Set<Job>()
  /** Each step takes so many times as long. */
  slowness = 1
  /** When the step is due that stands in the queue of steps; NaN for none. */
  scheduledMs = Number.NaN

  constructor(spec: SimulatedEndpoint, index: number) {
    this.index = index
    this.spec = spec
    this.view = {
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
    }
    this.scheduler = this.#newScheduler()
  }

  /** The engine starts anew and has forgotten everything. */
  restart(): void {
    this.scheduler = this.#newScheduler()
    this.scheduledMs = Number.NaN
  }

  /** As the dispatcher is told of it. */
  told(): DispatchEndpoint {
    const { view, spec } = this
    return {
      view,
      serves: (model) => servesModel(spec, model),
      limits: spec.tellsLimits
        ? { seats: spec.seats, kvTokens: spec.kvTokens, batchTokens: spec.batchTokens }
        : { seats: null, kvTokens: null, batchTokens: null },
      speed: spec.told,
    }
  }

  startDecoding(job: Job): void {
    job.place = this.decoding.length
    this.decoding.push(job)
  }

  stopDecoding(job: Job): void {
    if (job.place === -1) return
    const last = this.decoding.pop() as Job
    if (last !== job) {
      this.decoding[job.place] = last
      last.place = job.place
    }
    job.place = -1
  }

  #newScheduler(): BatchScheduler {
    const { spec } = this
    const stepTime = stepTimeOf(spec.stepTime)
    return new BatchScheduler({
      stepTime: (load) => this.slowness * stepTime(load),
      seats: spec.seats,
      kvTokens: spec.kvTokens,
      behaviour: { ...spec.behaviour, batchTokens: spec.batchTokens },
      stepsAtOnce: 1,
    })
  }
}
