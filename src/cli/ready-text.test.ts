import type { NetworkInterfaceInfo } from 'node:os'
import { expect, test } from 'vitest'
import { ownUrl, urlFlag } from '#cli/gateway-client.ts'
import { endpointsText, noEndpointsText, reachableUrl, readyText } from '#cli/ready-text.ts'
import { motleyConfig } from '#core/config/document.ts'

function address(text: string, internal: boolean): NetworkInterfaceInfo {
  return {
    address: text,
    netmask: '255.255.255.0',
    family: 'IPv4',
    mac: '00:00:00:00:00:00',
    internal,
    cidr: null,
  }
}

const lan = { lo: [address('127.0.0.1', true)], eth0: [address('192.168.1.5', false)] }

test.each([
  { url: 'http://127.0.0.1:7070', shown: 'http://127.0.0.1:7070' },
  { url: 'http://0.0.0.0:7070', shown: 'http://192.168.1.5:7070' },
  { url: 'http://[::]:7070', shown: 'http://192.168.1.5:7070' },
  { url: 'http://10.0.0.7:7070', shown: 'http://10.0.0.7:7070' },
])('others reach $url as $shown', ({ url, shown }) => {
  expect(reachableUrl(url, lan, 'node0')).toBe(shown)
})

test('a machine without an address goes by its name', () => {
  expect(reachableUrl('http://0.0.0.0:7070', { lo: lan.lo }, 'node0')).toBe('http://node0:7070')
})

test.each([
  { listen: '0.0.0.0:7071', url: 'http://127.0.0.1:7071' },
  { listen: '[::]:7071', url: 'http://[::1]:7071' },
  { listen: 'localhost:80', url: 'http://localhost:80' },
  { listen: '127.0.0.1:0', url: null },
])('this machine reaches $listen as $url', ({ listen, url }) => {
  expect(ownUrl(listen)).toBe(url)
})

const facts = {
  url: 'http://127.0.0.1:7070',
  ownModels: [],
  loading: null,
  hasEndpoints: true,
  flag: '',
}

test('the question to try names a model that is there, or none', () => {
  const config = motleyConfig.parse({ endpoints: [{ url: 'http://a' }] })
  const question = readyText({ ...facts, config, ownModels: ['tiny'], loading: 'tiny' })
  expect(question).toContain('"model":"tiny"')
  expect(question).toContain('Models  tiny (still loading)')
  const list = readyText({ ...facts, config })
  expect(list).toContain('curl http://127.0.0.1:7070/v1/models\n')
  expect(list).not.toContain('"model"')
})

test('commands that are shown ask the gateway that shows them', async () => {
  expect(await urlFlag('http://127.0.0.1:7070')).toBe('')
  expect(await urlFlag('http://0.0.0.0:7070')).toBe('')
  expect(await urlFlag('http://0.0.0.0:80')).toBe(' --url http://127.0.0.1:80')
  const flag = await urlFlag('http://127.0.0.1:7170')
  const config = motleyConfig.parse({ endpoints: [{ url: 'http://a' }] })
  expect(readyText({ ...facts, config, flag })).toContain(
    'motley models --url http://127.0.0.1:7170',
  )
  expect(endpointsText(config, flag)).toContain('"motley status --url http://127.0.0.1:7170" shows')
})

test('with keys the question carries one', () => {
  const config = motleyConfig.parse({ gateway: { keys: [{ name: 'a', key: 'long-enough' }] } })
  expect(readyText({ ...facts, config })).toContain('-H "authorization: Bearer $MOTLEY_KEY"')
})

test('without endpoints there is no question, and the reason is the file', () => {
  const config = motleyConfig.parse({ models: { llama: {} } })
  const text = readyText({ ...facts, config, hasEndpoints: false })
  expect(text).not.toContain('curl')
  expect(text).toContain('Models  none')
  expect(noEndpointsText(null, 'go home')).toMatch(/^there is no motley.yaml here.*or go home$/)
  expect(noEndpointsText('f.yaml', 'go home')).toMatch(/^f.yaml names no endpoints.*or go home$/)
})
