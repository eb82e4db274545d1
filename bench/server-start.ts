/** Starting servers for a benchmark: a port that is free, and a wait until what listens there answers. */
import { createServer } from 'node:net'

export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** Until its list of models has the word in it; rejects after a minute. */
export async function untilAnswers(url: string, word: string): Promise<void> {
  for (let tries = 0; tries < 1_200; tries++) {
    try {
      const answer = await fetch(`${url}/v1/models`)
      if ((await answer.text()).includes(word)) return
    } catch {
      // Not listening yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  throw new Error(`nothing answers at ${url}`)
}
