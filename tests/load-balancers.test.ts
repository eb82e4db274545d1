/** docs/load-balancers.md says what works. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { motleyConfig } from '#core/config/document.ts'
import { defaultTimeouts } from '#core/config/gateway.ts'
import { afterTest } from './harness/after-test.ts'
import { packageFile } from './harness/package-file.ts'

const page = readFileSync(packageFile('docs/load-balancers.md'), 'utf8')

function blocks(language: string): string[] {
  return [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
    .filter(([, of]) => of === language)
    .map(([, , text]) => text ?? '')
}

/** Of a time of HAProxy's. */
function secondsOf(name: string, haproxy: string): number {
  const [, count, unit] = new RegExp(`${name} (\\d+)(m|s)`).exec(haproxy) ?? []
  return Number(count) * (unit === 'm' ? 60 : 1)
}

const [haproxy = ''] = blocks('haproxy')
const [own = '', kubernetes = ''] = blocks('yaml')
const { gateway } = motleyConfig.parse(parse(own))

test.skipIf(spawnSync('haproxy', ['-v']).error !== undefined)(
  'HAProxy takes its configuration, without a warning',
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'motley-haproxy-'))
    afterTest(() => rmSync(folder, { recursive: true, force: true }))
    const file = join(folder, 'haproxy.cfg')
    writeFileSync(file, haproxy)
    const { status, stderr, stdout } = spawnSync('haproxy', ['-c', '-f', file], {
      encoding: 'utf8',
    })
    expect(`${stdout}${stderr}`).not.toMatch(/WARNING|ALERT/)
    expect(status).toBe(0)
  },
)

test('the port stays open for longer than HAProxy takes to notice', () => {
  const checks = Number(/fall (\d+)/.exec(haproxy)?.[1])
  expect(gateway.lameDuckMs).toBeGreaterThan(checks * secondsOf('inter', haproxy) * 1000)
})

test('HAProxy waits for longer than a gateway does', () => {
  const totalMs = gateway.timeouts.totalMs ?? defaultTimeouts.totalMs
  expect(secondsOf('timeout server', haproxy) * 1000).toBeGreaterThan(totalMs)
  expect(secondsOf('timeout client', haproxy) * 1000).toBeGreaterThan(totalMs)
})

test('the grace of a pod holds what a gateway takes to stop', () => {
  const { terminationGracePeriodSeconds } = parse(kubernetes) as Record<string, number>
  expect(terminationGracePeriodSeconds! * 1000).toBeGreaterThan(
    gateway.lameDuckMs + gateway.drainMs + 1_000,
  )
})
