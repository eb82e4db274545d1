/** Weights that one node has come to another one from there. */
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { expect, test } from 'vitest'
import { peerTlsOptions } from '#std/peer-tls.ts'
import { makeCertificate } from '#std/self-signed-certificate.ts'
import { bytesContent, startTestHub } from '#testing/test-hub.ts'
import { afterTest } from './harness/after-test.ts'
import { controller, node, replicaWanted } from './harness/fleet-nodes.ts'
import { packageFile } from './harness/package-file.ts'
import { untilTrue } from './harness/until-true.ts'

test('what one node has downloaded, the next one takes from it', {
  timeout: 150_000,
}, async () => {
  const file = readFileSync(packageFile('models/motley-tiny.gguf'))
  const hub = await startTestHub({
    repositories: { 'motley/tiny-GGUF': { files: { 'tiny-Q8_0.gguf': bytesContent(file) } } },
  })
  afterTest(() => hub.close())
  const fleet = await controller()
  const wanted = replicaWanted('hf:motley/tiny-GGUF:Q8_0', 'tiny')
  for (const name of ['first', 'second']) {
    await node(fleet, name, { hubUrl: hub.url })
    const { id } = fleet.startReplica(name, wanted)
    const reported = () => fleet.replicas().find(({ spec }) => spec.id === id)?.reported ?? null
    await untilTrue(`the replica on ${name} is ready`, () => reported()?.state === 'ready', {
      withinMs: 60_000,
      seen: reported,
    })
  }
  expect(hub.sentBytes).toBeLessThan(file.length * 1.5)
})

test('a stranger is let in to no weights', async () => {
  const fleet = await controller()
  const { agent } = await node(fleet, 'shy')
  const stranger = await makeCertificate('stranger', Date.now())
  const outcome = await new Promise<string>((resolve) => {
    const asked = request({
      ...peerTlsOptions(stranger),
      host: '127.0.0.1',
      port: agent.ingressPort,
      path: '/weights',
    })
    asked.on('response', ({ statusCode }) => resolve(`answered ${statusCode}`))
    asked.on('error', () => resolve('cut'))
    asked.end()
  })
  expect(outcome).toBe('cut')
})
