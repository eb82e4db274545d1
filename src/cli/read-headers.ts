/** Reads here what weights hold, where there is no controller whose machines could be asked. */
import { CommandFailure } from '#cli/command-failure.ts'
import { logLine } from '#cli/terminal.ts'
import { findFiles, withWeights } from '#cli/weights-session.ts'
import type { Wishes } from '#controller/deploying.ts'
import type { ModelFacts } from '#core/model-facts.ts'
import { inspectFiles } from '#weights/inspect.ts'
import { WeightsError } from '#weights/weights-error.ts'

/**
 * With what the headers say of variants that nobody knows. Of those that cannot be read a line says
 * why; they stay unknown, and the plan says so.
 */
export async function withHeaders(wishes: Wishes): Promise<Wishes> {
  const unread = wishes.deployments
    .flatMap(({ variants }) => variants)
    .filter(({ facts }) => facts === null)
    .map(({ source }) => source)
  const sources = [...new Set(unread)]
  if (sources.length === 0) return wishes
  const read = await readHeaders(sources)
  return {
    ...wishes,
    deployments: wishes.deployments.map((deployment) => ({
      ...deployment,
      variants: deployment.variants.map((variant) => {
        const facts = variant.facts ?? read.get(variant.source) ?? null
        return facts === null ? variant : { ...variant, facts, format: facts.format }
      }),
    })),
  }
}

async function readHeaders(sources: readonly string[]): Promise<ReadonlyMap<string, ModelFacts>> {
  const read = new Map<string, ModelFacts>()
  let isDone = false
  for (const source of sources) logLine(`reading what ${source} holds …`)
  await withWeights(async (context) => {
    const reading = sources.map(async (source) => {
      try {
        const { files } = await findFiles(source, context)
        read.set(source, await inspectFiles(files))
      } catch (error) {
        if (!(error instanceof WeightsError) || context.signal.aborted) throw error
        logLine(`motley: ${source} is planned without its size: ${error.message}`)
      }
    })
    await Promise.all(reading)
    isDone = true
  })
  if (!isDone) throw new CommandFailure('no', 'stopped')
  return read
}
