/** The load of the benchmark: so many requests, so many at a time, on kept connections. */
import { Pool } from 'undici'

const [url, mode, countText, concurrencyText] = process.argv.slice(2) as [
  string,
  'whole' | 'stream',
  string,
  string,
]
const body = JSON.stringify({
  model: 'bench',
  stream: mode === 'stream',
  ...(mode === 'stream' ? { stream_options: { include_usage: true } } : {}),
  messages: [{ role: 'user', content: 'y'.repeat(900) }],
}).replace('"stream":true', '"stream":true')
const pool = new Pool(url, { connections: Number(concurrencyText), pipelining: 1 })
let left = Number(countText)
let failed = 0
const firstByteMs: number[] = []

async function work(): Promise<void> {
  while (left-- > 0) {
    const startMs = performance.now()
    const answer = await pool.request({
      path: '/v1/chat/completions',
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    })
    let first = true
    let bytes = 0
    for await (const chunk of answer.body) {
      if (first) firstByteMs.push(performance.now() - startMs)
      first = false
      bytes += chunk.length
    }
    if (answer.statusCode !== 200 || bytes < 500) failed++
  }
}

await Promise.all(Array.from({ length: Number(concurrencyText) }, work))
firstByteMs.sort((left, right) => left - right)
process.stdout.write(
  JSON.stringify({ failed, firstByteMsP50: firstByteMs[Math.floor(firstByteMs.length / 2)] }),
)
await pool.close()
