import type { LlamaEmbeddingContext, Token } from 'node-llama-cpp'
import type { LoadedModel } from '#embedded/loaded-model.ts'
import { RequestError } from '#embedded/request-error.ts'

/** A longer input needs a batch as long as itself, and the memory for it. */
const longestInputTokens = 8192

/**
 * Turns token lists into unit vectors. It has a context of its own, which costs memory, so that
 * is made when the first embedding is asked for. Inputs are computed one after another.
 */
export class Embedder {
  readonly #loaded: LoadedModel
  #context: Promise<LlamaEmbeddingContext> | undefined

  constructor(loaded: LoadedModel) {
    this.#loaded = loaded
  }

  /** The longest input, which leaves room for the tokens a model puts around it. */
  get maxTokens(): number {
    return this.#contextTokens - 3
  }

  async embed(tokens: readonly Token[]): Promise<readonly number[]> {
    const context = await this.#open()
    const { vector } = await context.getEmbeddingFor([...tokens])
    const length = Math.hypot(...vector)
    return length === 0 ? vector : vector.map((value) => value / length)
  }

  get #contextTokens(): number {
    return Math.min(longestInputTokens, this.#loaded.facts.trainContextTokens)
  }

  #open(): Promise<LlamaEmbeddingContext> {
    this.#context ??= this.#create().catch((cause: unknown) => {
      this.#context = undefined // the next request may find more memory
      const words = cause instanceof Error ? cause.message : String(cause)
      throw new RequestError(500, `The model cannot compute embeddings now: ${words}`, {
        code: 'embeddings_unavailable',
      })
    })
    return this.#context
  }

  #create(): Promise<LlamaEmbeddingContext> {
    const contextSize = this.#contextTokens
    const { model, threads } = this.#loaded
    return model.createEmbeddingContext({ contextSize, batchSize: contextSize, threads })
  }
}
