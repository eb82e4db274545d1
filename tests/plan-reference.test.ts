/** docs/reference/plan.md names every field that `motley plan --json` prints. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { motley } from './harness/command.ts'
import { packageFile } from './harness/package-file.ts'

const page = readFileSync(packageFile('docs/reference/plan.md'), 'utf8')
const named = new Set([...page.matchAll(/`([A-Za-z]+)`/g)].map(([, name]) => name))

/** Keys at every depth; those of maps by device or score term are names of things, not fields. */
function fieldsIn(value: unknown, into = new Set<string>()): Set<string> {
  if (Array.isArray(value)) for (const one of value) fieldsIn(one, into)
  else if (typeof value === 'object' && value !== null) {
    for (const [key, inner] of Object.entries(value)) {
      into.add(key)
      const isMap = ['score', 'claimedBytes', 'measuredBytes'].includes(key)
      if (!isMap) fieldsIn(inner, into)
    }
  }
  return into
}

test.each(['homelab', 'desk', 'platform'])(
  'every field of the plan of %s is explained',
  async (story) => {
    const file = (name: string) => packageFile(`examples/${story}/${name}`)
    const args = ['plan', file('motley.yaml'), '--inventory', file('inventory.json'), '--json']
    const { out } = await motley(args)
    const fields = fieldsIn(JSON.parse(out))
    expect(fields.size).toBeGreaterThan(30)
    expect([...fields].filter((field) => !named.has(field))).toEqual([])
  },
)
