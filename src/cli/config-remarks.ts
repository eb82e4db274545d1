import { pathText } from '#cli/config-error.ts'
import type { MotleyConfig } from '#core/config/document.ts'
import { strayModels } from '#core/config/stray-models.ts'
import { strayInRules } from '#core/config/stray-rules.ts'

/** What is no mistake and was hardly meant, a line each: names of nothing that the file has. */
export function configRemarks(config: MotleyConfig): readonly string[] {
  return [...strayModels(config), ...strayInRules(config)].map(
    ({ path, text }) => `${pathText(path)}: ${text}`,
  )
}
