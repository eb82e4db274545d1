/** How an answer that was cut off elsewhere goes on at an engine. */
export type Continuation =
  /** The chat ends with what there is of the answer, and these fields stand beside it. */
  | {
      readonly kind: 'assistant-prefill'
      readonly fields: Readonly<Record<string, unknown>>
      /** Whether an answer that is not streamed begins with what there was. */
      readonly repeatsUnlessStreamed: boolean
    }
  /** Only a completion can go on: what there is of the answer is added to the prompt. */
  | { readonly kind: 'completion' }
  /** Not at all; `why` in a sentence. */
  | { readonly kind: 'none'; readonly why: string }
