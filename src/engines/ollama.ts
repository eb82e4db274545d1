import { z } from 'zod'
import type { Engine, EngineModel } from '#engines/engine.ts'
import { versionText } from '#engines/engine-fields.ts'
import { parseJson } from '#std/parse-json.ts'

const versionPage = z.object({ version: versionText })
const tagsPage = z.object({ models: z.array(z.unknown()) })
const tag = z.object({
  name: z.string().min(1).max(1_000),
  details: z.object({ family: z.string().catch('') }).catch({ family: '' }),
})

/**
 * Ollama. It is ready without any model in memory and loads one when a request names it, so its
 * pages say nothing about how busy it is.
 */
export const ollama: Engine = {
  id: 'ollama',
  title: 'Ollama',
  identify: {
    path: '/api/version',
    read(answer) {
      if (answer.status !== 200) return null
      const page = versionPage.safeParse(parseJson(answer.body))
      return page.success ? { version: page.data.version, contextTokens: null, slots: null } : null
    },
  },
  health: {
    path: '/api/version',
    read: (answer) => (answer.status === 200 ? 'ready' : 'unhealthy'),
  },
  models: {
    path: '/api/tags',
    read(answer) {
      if (answer.status !== 200) return null
      const page = tagsPage.safeParse(parseJson(answer.body))
      if (!page.success) return null
      const models = new Map<string, EngineModel>()
      for (const entry of page.data.models) {
        const model = tag.safeParse(entry)
        if (!model.success) continue
        const { name, details } = model.data
        // The list does not say what a model is for, but encoders only embed.
        const embeds = /bert|embed/i.test(`${details.family} ${name}`)
        models.set(name, {
          // Ollama takes a name without a tag for the one tagged `latest`, and so do its users.
          servedName: name.replace(/:latest$/, ''),
          contextTokens: null,
          tasks: embeds ? ['embedding', 'ollama-embed'] : null,
        })
      }
      return [...models.values()]
    },
  },
  loadPages: [],
  tasks: [
    'chat',
    'completion',
    'responses',
    'messages',
    'embedding',
    'transcription',
    'ollama-chat',
    'ollama-generate',
    'ollama-embed',
  ],
  supportsStreamUsage: true,
}
