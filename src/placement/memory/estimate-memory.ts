/** How much memory one replica takes of each of its devices, and of what. */
import type { MemoryNeed } from '#placement/fit.ts'
import { fractionNeed } from '#placement/memory/fraction.ts'
import type { MemoryQuestion } from '#placement/memory/memory-question.ts'
import { weightsOnlyNeed } from '#placement/memory/weights-only.ts'
import { wholeContextNeed } from '#placement/memory/whole-context.ts'

/** Never throws: what the headers do not tell counts as nothing, and its term says so. */
export function estimateMemory(question: MemoryQuestion): MemoryNeed {
  const { engine } = question
  switch (engine.kind) {
    case 'whole-context':
      return wholeContextNeed(question, engine)
    case 'fraction':
      return fractionNeed(question, engine)
    case 'weights-only':
      return weightsOnlyNeed(question, engine)
  }
}
