import { capabilityOfWeights } from '#core/number-format.ts'
import { capabilityFindings } from '#placement/compatibility/capability.ts'
import { unverified } from '#placement/compatibility/finding.ts'
import type { Check } from '#placement/compatibility/question.ts'

/** Whether there are kernels for the numbers that the weights are in. */
export const quantization: Check = {
  name: 'quantization',
  find(question, build) {
    const { engine, format, model } = question
    // What has no build at all is not worth more words.
    if (build === null || format === null || !engine.weightsFormats.includes(format)) return []
    const asked = capabilityOfWeights(model ?? { format, quantization: null })
    if (asked !== null) return capabilityFindings(question, asked)
    if (format !== 'safetensors') return []
    if (model === null) return [unverified('nobody has read which numbers its weights are in')]
    const plain = model.quantization === null || /^f(32|64)$|float32/i.test(model.quantization)
    if (plain) return []
    return [unverified(`nobody has looked into ${model.quantization} with ${engine.title}`)]
  },
}
