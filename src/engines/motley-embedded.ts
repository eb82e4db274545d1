import { z } from 'zod'
import type { Engine } from '#engines/engine.ts'
import { meanOfRatios, nullable, sumOfCounts, versionText } from '#engines/engine-fields.ts'
import { saysLoading } from '#engines/engine-loading-page.ts'
import { readModelList } from '#engines/engine-model-list.ts'
import { parseJson } from '#std/parse-json.ts'
import { readPrometheusValues } from '#std/prometheus-text.ts'

const versionPage = z.object({
  engine: z.literal('motley-embedded'),
  version: nullable(versionText),
})

const running = 'motley_embedded_requests_processing'
const waiting = 'motley_embedded_requests_deferred'
const slots = 'motley_embedded_slots_total'
const kvCacheUsage = 'motley_embedded_kv_cache_usage_ratio'
const loadNames = new Set([running, waiting, slots, kvCacheUsage])

/** The small engine that `motley up` brings. */
export const motleyEmbedded: Engine = {
  id: 'motley-embedded',
  title: 'Motley embedded',
  identify: {
    path: '/version',
    read(answer) {
      if (answer.status !== 200) return null
      const page = versionPage.safeParse(parseJson(answer.body))
      return page.success ? { version: page.data.version, contextTokens: null, slots: null } : null
    },
  },
  health: {
    path: '/health',
    read(answer) {
      if (answer.status === 200) return 'ready'
      return saysLoading(answer) ? 'loading' : 'unhealthy'
    },
  },
  models: { path: '/v1/models', read: readModelList },
  loadPages: [
    {
      path: '/metrics',
      read(answer) {
        if (answer.status !== 200) return null
        const values = readPrometheusValues(answer.body, loadNames)
        return {
          runningRequests: sumOfCounts(values.get(running)),
          waitingRequests: sumOfCounts(values.get(waiting)),
          kvCacheUsageRatio: meanOfRatios(values.get(kvCacheUsage)),
          slots: sumOfCounts(values.get(slots)),
        }
      },
    },
  ],
  tasks: ['chat', 'completion', 'embedding', 'tokenize'],
  supportsStreamUsage: true,
}
