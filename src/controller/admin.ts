/** The controller's pages under /admin/v1/, whoever serves them: JSON in, JSON out. */
import { z } from 'zod'
import { AgentFailure } from '#controller/agent-session.ts'
import type { Controller } from '#controller/controller.ts'
import { ControllerRefusal } from '#controller/controller-refusal.ts'
import { StoreError, StoreFullError } from '#controller/event-store.ts'
import { nameText } from '#core/config/text.ts'
import { replicaSpec } from '#protocol/agent-messages.ts'
import { wishesWanted } from '#protocol/wishes.ts'

export interface AdminRequest {
  readonly method: string
  /** Without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** Parsed JSON; null when there was no body. */
  readonly body: unknown
  /** The name of the key it came with; null where none is needed. */
  readonly key: string | null
}

export interface AdminAnswer {
  readonly status: number
  readonly body: unknown
}

const tokenWanted = z.strictObject({
  validMinutes: z
    .number()
    .positive()
    .max(60 * 24 * 30),
})
const drainWanted = z.strictObject({ draining: z.boolean() })
/** Null for the newest page. */
const afterWanted = z.nullable(z.stringFormat('offset', /^\d{1,15}$/).transform(Number))
const replicaWanted = z.strictObject({
  node: z.string().min(1),
  // What a person writes wrong is told; what agents hear has room for newer versions.
  replica: replicaSpec.omit({ id: true }).strict(),
})
const attachWanted = z.strictObject({
  node: z.string().min(1),
  /** The engine, or its port. */
  engine: z.union([z.string().min(1).max(100), z.int().transform(String)]),
  name: nameText.optional(),
})

const weightsWanted = z.strictObject({ source: z.string().min(1).max(2_000) })
const deploymentsWanted = wishesWanted.extend({ revision: z.int().min(0).optional() })

/** Null when there is no such page. */
export async function answerAdmin(
  controller: Controller,
  request: AdminRequest,
): Promise<AdminAnswer | null> {
  const parts = request.path
    .replace(/^\/admin\/v1\//, '')
    .split('/')
    .map(decodedPart)
  const [area, name, what] = parts
  try {
    switch (
      `${request.method} ${area}${name === undefined ? '' : '/:name'}${what === undefined ? '' : `/${what}`}`
    ) {
      case 'GET nodes':
        return ok(controller.picture())
      case 'POST nodes/:name/drain':
        controller.setDraining(name ?? '', drainWanted.parse(request.body).draining)
        return ok({ node: name, draining: drainWanted.parse(request.body).draining })
      case 'DELETE nodes/:name':
        controller.revoke(name ?? '')
        return ok({ node: name, revoked: true })
      case 'POST tokens': {
        const { validMinutes } = tokenWanted.parse(request.body)
        const { host, port } = controller
        return ok({ ...controller.createToken(validMinutes * 60_000), controller: { host, port } })
      }
      case 'GET replicas':
        return ok({ replicas: controller.replicas() })
      case 'POST replicas': {
        const wanted = replicaWanted.parse(request.body)
        const { node, replica } = wanted
        await controller.learnOf(replica)
        return { status: 201, body: controller.startReplica(node, replica, request.key) }
      }
      case 'GET replicas/:name': {
        return ok(controller.replica(name ?? ''))
      }
      case 'DELETE replicas/:name':
        return ok({ ...controller.stopReplica(name ?? ''), wanted: false })
      case 'GET replicas/:name/logs': {
        return ok(await controller.logs(name ?? '', afterWanted.parse(request.query.get('after'))))
      }
      case 'POST replicas/:name/benchmark':
        return ok(await controller.benchmark(name ?? ''))
      case 'GET attached':
        return ok({ endpoints: controller.attached() })
      case 'POST attached': {
        const wanted = attachWanted.parse(request.body)
        const { node, engine } = wanted
        return { status: 201, body: await controller.attach(node, engine, wanted.name ?? null) }
      }
      case 'DELETE attached/:name':
        controller.detach(name ?? '')
        return ok({ endpoint: name, attached: false })
      case 'GET placement':
        return ok(controller.placement())
      case 'GET plans':
        return ok({ plans: controller.plans() })
      case 'PUT deployments': {
        const { revision, ...wishes } = deploymentsWanted.parse(request.body)
        return ok(controller.apply(wishes, revision ?? null))
      }
      case 'POST deployments/:name/retry':
        return ok({ deployment: name, ...controller.retry(name ?? '') })
      case 'POST weights':
        return ok(await controller.readWeights(weightsWanted.parse(request.body).source))
      case 'GET measurements':
        return ok({
          measurements: Object.values(controller.state.measurements),
          memory: Object.values(controller.state.memory),
        })
      default:
        return null
    }
  } catch (error) {
    return { status: statusOf(error), body: { error: { message: wordsOf(error) } } }
  }
}

function ok(body: unknown): AdminAnswer {
  return { status: 200, body }
}

/** A wish that is refused is the asker's matter, a disk without room that of whoever runs this. */
function statusOf(error: unknown): number {
  if (error instanceof z.ZodError) return 400
  if (error instanceof StoreFullError) return 507
  return error instanceof StoreError ? 503 : 409
}

/** Only what is meant for people; anything else is a bug, and the caller's to report. */
function wordsOf(error: unknown): string {
  if (error instanceof z.ZodError) {
    const [issue] = error.issues
    return `${issue?.path.join('.') || 'the body'}: ${issue?.message}`
  }
  if (
    error instanceof ControllerRefusal ||
    error instanceof AgentFailure ||
    error instanceof StoreError
  ) {
    return error.message
  }
  throw error
}

/** A part of a path; one that is not well-formed stands for itself, and is then not found. */
function decodedPart(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
