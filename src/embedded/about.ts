/** The routes that only tell: models, health, version, metrics, slots. */
import { type EmbeddedEngine, readGauges } from '#embedded/embedded-engine.ts'
import { renderMetrics } from '#embedded/engine-metrics.ts'
import { checkModelName, type Exchange } from '#embedded/exchange.ts'
import { motleyVersion } from '#embedded/motley-version.ts'
import { sendJson } from '#std/http-json.ts'

export function answerModels({ engine, response }: Exchange): void {
  sendJson(response, 200, { object: 'list', data: [modelEntry(engine)] })
}

export function answerModel({ engine, response }: Exchange, name: string): void {
  checkModelName(engine, name)
  sendJson(response, 200, modelEntry(engine))
}

function modelEntry({ modelName, createdSeconds, contextTokens, loaded }: EmbeddedEngine) {
  const { facts } = loaded
  return {
    id: modelName,
    object: 'model',
    created: createdSeconds,
    owned_by: 'motley',
    max_model_len: contextTokens,
    meta: {
      vocab_type: facts.vocabularyType,
      n_vocab: facts.vocabularyTokens,
      n_ctx_train: facts.trainContextTokens,
      n_ctx: contextTokens,
      n_embd: facts.embeddingSize,
      n_params: facts.parameterCount,
      size: facts.sizeBytes,
    },
  }
}

export function answerHealth({ response }: Exchange): void {
  sendJson(response, 200, { status: 'ok' })
}

export function answerVersion({ engine, response }: Exchange): void {
  const { llamaCppVersion, llama } = engine.loaded
  sendJson(response, 200, {
    version: motleyVersion,
    engine: 'motley-embedded',
    llamaCpp: llamaCppVersion,
    gpu: llama.gpu === false ? null : llama.gpu,
  })
}

export function answerMetrics({ engine, response }: Exchange): void {
  response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
  response.end(renderMetrics(engine.metrics, readGauges(engine)))
}

export function answerSlots({ engine, response }: Exchange): void {
  const { slots, contextTokens } = engine
  const list = slots.slots.map((slot) => ({
    id: slot.id,
    n_ctx: contextTokens,
    is_processing: slots.isBusy(slot),
    cached_tokens: slot.sequence.nextTokenIndex,
  }))
  sendJson(response, 200, list)
}
