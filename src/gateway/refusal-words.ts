/** Why an endpoint may not take a request, in words: for whoever asked, and for a table. */
import type { Refusal } from '#routing/filter.ts'
import { roughDuration, roughNumber } from '#std/rough-number.ts'

interface RefusalWords {
  /** The clause after its name. */
  readonly clause: string
  /** The same where letters are few. */
  readonly cell: string
}

export function refusalWords(refusal: Refusal): RefusalWords {
  switch (refusal.kind) {
    case 'rule':
      return alike(`${refusal.why} (rule ${refusal.rule})`)
    case 'script':
      return alike('was left out by routing.script')
    case 'context': {
      const { contextTokens, neededTokens } = refusal
      return {
        clause: `has a context of ${contextTokens} tokens, and about ${neededTokens} are needed`,
        cell: `holds ${contextTokens} tokens, of ~${roughNumber(neededTokens)}`,
      }
    }
    case 'begun':
      return {
        clause: 'does not go on with an answer that another began',
        cell: 'takes up no begun answer',
      }
    case 'tried':
      return alike('has failed this request already')
    case 'state':
      return alike(`is ${refusal.state}`)
    case 'probing':
      return alike('is failing, and its one probe is under way')
    case 'weight-zero':
      return {
        clause: 'has weight 0 and takes nothing new',
        cell: 'weight 0 takes nothing new',
      }
    case 'cooling':
      return alike('asked to be left alone for a while (429)')
    case 'full':
      return {
        clause: `is at its limit of ${refusal.maxInFlight} requests`,
        cell: `is at its limit: ${refusal.inFlight} of ${refusal.maxInFlight}`,
      }
    case 'untried':
      return {
        clause: 'takes one request at a time until its speed is known',
        cell: 'speed not known yet: takes one at a time',
      }
    case 'silent':
      return { clause: 'owes answers, and nothing comes', cell: 'owes answers' }
    case 'kv-cache':
      return {
        clause: 'has no room in its KV cache',
        cell: `${roughNumber(refusal.neededTokens)}/${roughNumber(refusal.kvTokens)} KV tokens`,
      }
    case 'ttft':
      return {
        clause: 'would begin its answer too late',
        cell: `late: ${roughDuration(Math.max(0, refusal.leftMs))} left`,
      }
    case 'tpot':
      return {
        clause: 'would write its answer too slowly',
        cell: `slow: ${roughDuration(refusal.targetMs)} wanted`,
      }
    case 'stall':
      return {
        clause: 'would hold up answers that are being written there',
        cell: `stalls others ${roughDuration(refusal.stallMs)}`,
      }
    case 'work':
      return {
        clause: 'has other work to do first',
        cell: `${roughDuration(refusal.aheadMs)} of other work`,
      }
  }
}

function alike(text: string): RefusalWords {
  return { clause: text, cell: text }
}
