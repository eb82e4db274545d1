/** How an answer that was cut off elsewhere goes on at an engine. */
import type { Task } from '#core/task.ts'

export type Continuation =
  /** The conversation ends with what there is of the answer, and these fields stand beside it. */
  | {
      readonly kind: 'assistant-prefill'
      /** Its APIs that go on with it; in others the engine begins another answer behind it. */
      readonly tasks: readonly Task[]
      readonly fields: Readonly<Record<string, unknown>>
      readonly thoughts: ThoughtsBefore
      /** Those of them whose streams may begin with all that there was, in one event. */
      readonly mayRepeat: readonly Task[]
      /** Whether an answer that is not streamed begins with what there was. */
      readonly repeatsUnlessStreamed: boolean
    }
  /** Only a completion can go on: what there is of the answer is added to the prompt. */
  | { readonly kind: 'completion' }
  /** Not at all; `why` in a sentence. */
  | { readonly kind: 'none'; readonly why: string }

/** What becomes of the thoughts that went before the words. */
export type ThoughtsBefore =
  | {
      readonly kind: 'given'
      /** The fields of a chat's message that hold them; releases differ. */
      readonly names: readonly string[]
      /** Whether it goes on thinking where they themselves broke off. */
      readonly goOn: boolean
    }
  /** Its template drops them; by these fields it does not think anew before it goes on. */
  | { readonly kind: 'left-out'; readonly fields: Readonly<Record<string, unknown>> }
