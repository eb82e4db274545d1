/** `motley drain` of the only machine there is: what has no other place ends only when somebody agrees. */
import { expect, test } from 'vitest'
import { wishesWanted } from '#protocol/wishes.ts'
import { motley } from './harness/command.ts'
import { dataFolder, oneMachine } from './harness/one-machine.ts'
import { packageFile } from './harness/package-file.ts'
import { wishes } from './harness/planned-controller.ts'
import { untilTrue } from './harness/until-true.ts'

test('a deployment without another place is told before its node drains, and nothing is changed without --yes', async () => {
  dataFolder()
  const { url, node, admin, untilState } = await oneMachine()
  const wanted = wishesWanted.parse(
    wishes(`
models: { tiny: { variants: [{ source: "file:${packageFile('models/motley-tiny.gguf')}" }] } }
deployments: { chat: { model: tiny, context: 256, slots: 1, share: true } }`),
  )
  await admin('deployments', 'PUT', wanted)
  await untilState('chat-0', 'ready')
  const drainingNow = async () => {
    const { nodes } = await admin<{ nodes: { draining: boolean }[] }>('nodes')
    return nodes.map(({ draining }) => draining)
  }

  const refused = await motley(['drain', node, '--url', url])
  expect(refused).toMatchObject({
    code: 2,
    out: expect.stringContaining(`Without ${node} there is no place for all of chat`),
    err: 'motley: nobody can be asked here: add --yes to drain it all the same\n',
  })
  expect(await drainingNow()).toEqual([false])

  const drained = await motley(['drain', node, '--yes', '--url', url])
  expect(drained).toMatchObject({ code: 0, out: expect.stringContaining('chat has no place') })
  expect(await drainingNow()).toEqual([true])
  // An engine outlives its agent: it is waited for, so that none is left by the test.
  await untilTrue('its engine has ended', async () => {
    const { replicas } = await admin<{ replicas: unknown[] }>('replicas')
    return replicas.length === 0
  })
}, 120_000)
