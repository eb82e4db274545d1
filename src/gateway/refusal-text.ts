import type { Refusal } from '#routing/filter.ts'

/** Why an endpoint may not take a request: the clause after its name, for whoever asked. */
export function refusalText(refusal: Refusal): string {
  switch (refusal.kind) {
    case 'rule':
      return `${refusal.why} (rule ${refusal.rule})`
    case 'script':
      return 'was left out by routing.script'
    case 'context':
      return `has a context of ${refusal.contextTokens} tokens, and about ${refusal.neededTokens} are needed`
    case 'tried':
      return 'has failed this request already'
    case 'state':
      return `is ${refusal.state}`
    case 'probing':
      return 'is failing, and its one probe is under way'
    case 'weight-zero':
      return 'has weight 0 and takes nothing new'
    case 'cooling':
      return 'asked to be left alone for a while (429)'
    case 'full':
      return `is at its limit of ${refusal.maxInFlight} requests`
    case 'untried':
      return 'has one request first, as nothing is known of it'
    case 'silent':
      return 'owes answers, and nothing comes'
    case 'kv-cache':
      return 'has no room in its KV cache'
    case 'ttft':
      return 'would begin its answer too late'
    case 'tpot':
      return 'would write its answer too slowly'
    case 'stall':
      return 'would hold up answers that are being written there'
    case 'work':
      return 'has other work to do first'
  }
}
