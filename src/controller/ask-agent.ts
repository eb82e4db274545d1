import type { z } from 'zod'
import { AgentFailure, type AgentSession } from '#controller/agent-session.ts'

/** What an agent replies, as it should be. Rejects with {@link AgentFailure}. */
export async function askAgent<Shape extends z.ZodType>(
  session: AgentSession,
  shape: Shape,
  ...question: Parameters<AgentSession['ask']>
): Promise<z.output<Shape>> {
  const parsed = shape.safeParse(await session.ask(...question))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new AgentFailure(
    `the agent replied what cannot be understood (${issue?.path.join('.')}: ${issue?.message}): run the same version of Motley on both`,
  )
}
