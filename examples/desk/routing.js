// Whom each request may go to, asked for every request: routing: { script: ./routing.js }

const GiB = 1024 ** 3

function route(request, endpoints) {
  // Above 40B only CUDA with 40 GB will do; where the name does not say how large a model is, anything.
  if (request.parameterCount !== null && request.parameterCount > 40e9) {
    return endpoints.filter((one) => one.backend === 'cuda' && one.vramBytes >= 40 * GiB)
  }
  // Long prompts keep away from the CPU, as long as anybody else is up.
  if (request.promptTokens > 2000) {
    const fast = endpoints.filter((one) => one.backend !== 'cpu' && one.state !== 'failed')
    if (fast.length > 0) return fast
  }
  return endpoints
}
