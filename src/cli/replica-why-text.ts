/** The words of `motley why` for a replica that somebody started by hand: no plan put it there. */
import { z } from 'zod'
import { agoText } from '#cli/ago-text.ts'
import { replicaAnswer, stateText } from '#cli/fleet-text.ts'
import { pastOf } from '#cli/last-end-text.ts'
import { bytesText } from '#cli/quantity.ts'
import { paint } from '#cli/terminal.ts'
import { unheardText } from '#cli/unheard-text.ts'
import { terminalWidth } from '#cli/width.ts'
import { wrapped } from '#cli/wrapped.ts'

/** What is used of GET /admin/v1/replicas/…; an earlier controller does not tell who asked. */
export const byHandAnswer = replicaAnswer.extend({
  spec: replicaAnswer.shape.spec.extend({
    engine: z.string().nullish(),
    backend: z.string().nullish(),
  }),
  placed: z.looseObject({ deployment: z.string() }).nullable().default(null),
  asked: z.object({ key: z.string().nullable(), atMs: z.number() }).nullable().default(null),
})
export type ByHand = z.output<typeof byHandAnswer>

/** `log` is the end of what its engine wrote, for one that does not answer; null where there is none. */
export function replicaWhyText(replica: ByHand, log: string | null, nowMs: number): string {
  const { spec, nodeName, reported } = replica
  const unheard = unheardText(replica)
  const lastWords = reported?.state === 'ready' ? [] : lastLines(log)
  return [
    `${paint('bold', spec.id)} on ${nodeName}: ${stateText(replica)}`,
    ...(unheard === null ? [] : indented(unheard)),
    ...indented(askedText(replica, nowMs)),
    ...indented('no plan put it there: none moves or ends it, and all leave its memory to it'),
    ...indented(`${spec.source}, which clients ask for as "${spec.model}"`),
    ...indented(engineText(replica)),
    ...indented(deviceText(replica)),
    ...(reported === null ? [] : pastOf(reported, nowMs).flatMap(indented)),
    ...(reported?.detail == null ? [] : indented(reported.detail)),
    ...(reported?.alarms ?? []).flatMap((alarm) => indented(`! ${alarm}`)),
    ...(lastWords.length === 0 ? [] : ['', 'Its last words:', ...lastWords.flatMap(indented)]),
    '',
    ...wrapped(`"motley replica stop ${spec.id}" ends it.`, terminalWidth, '  '),
  ].join('\n')
}

function askedText({ asked, nodeName }: ByHand, nowMs: number): string {
  if (asked === null) return `somebody started it by hand on ${nodeName}`
  const whose = asked.key === null ? 'without a key' : `with the key "${asked.key}"`
  return `somebody started it by hand on ${nodeName}, ${whose}, ${agoText(nowMs - asked.atMs)} ago`
}

/** What was asked for where nothing is chosen yet. */
function engineText({ spec, reported }: ByHand): string {
  const { contextTokens, slots } = spec
  const engine = reported?.engine ?? spec.engine ?? 'an engine that its node chooses'
  const backend = reported?.backend ?? spec.backend ?? null
  return [
    backend === null ? engine : `${engine} on ${backend}`,
    contextTokens === null ? 'the usual context' : `context ${contextTokens}`,
    slots === null ? 'the usual slots' : `${slots} slot${slots === 1 ? '' : 's'}`,
  ].join(', ')
}

function deviceText({ memory }: ByHand): string {
  const devices = memory?.devices ?? []
  if (devices.length === 0) {
    return 'its device is chosen on its node; what it takes is measured when it is ready'
  }
  return devices.map(({ name, takenBytes }) => `${bytesText(takenBytes)} of ${name}`).join(', ')
}

/** As many as fit a glance; the rest is in the log. */
const linesShown = 4

function lastLines(log: string | null): string[] {
  const lines = (log ?? '').split('\n').filter((line) => line.trim() !== '')
  return lines.slice(-linesShown)
}

function indented(text: string): string[] {
  return wrapped(`    ${text}`, terminalWidth, '      ')
}
