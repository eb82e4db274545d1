import { expect, test } from 'vitest'
import { basicAuthorization } from '#std/basic-authorization.ts'

test.each([
  ['http://us%40er:p%25ss@host/', 'us@er:p%ss'],
  ['http://user:100%@host/', 'user:100%'],
  ['http://user:%zz@host/', 'user:%zz'],
  ['http://user@host/', 'user:'],
])('%s is known by %s', (url, pair) => {
  const value = basicAuthorization(new URL(url)) ?? ''
  expect(Buffer.from(value.replace('Basic ', ''), 'base64').toString()).toBe(pair)
})

test('a URL without a name says nothing', () => {
  expect(basicAuthorization(new URL('http://host/'))).toBeNull()
})
