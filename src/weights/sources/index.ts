/** Every source of weights. A new one is a file beside these and a line here. */
import type { WeightsReference } from '#weights/reference.ts'
import type { ResolvedWeights, SourceContext } from '#weights/source.ts'
import { file } from '#weights/sources/file.ts'
import { http } from '#weights/sources/http.ts'
import { hub } from '#weights/sources/hub.ts'
import { node } from '#weights/sources/node.ts'

/** Rejects with a WeightsError and with the reason of the context's signal. */
export function resolveWeights(
  reference: WeightsReference,
  context: SourceContext,
): Promise<ResolvedWeights> {
  switch (reference.kind) {
    case 'hf':
      return hub.resolve(reference, context)
    case 'http':
      return http.resolve(reference, context)
    case 'file':
      return file.resolve(reference, context)
    case 'node':
      return node.resolve(reference, context)
  }
}
