import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { askPlacement, placementQuestion, wishesIn } from '#cli/placement-question.ts'

const node = (id: string) => ({
  ...{ id, name: id, presence: 'ready', draining: false, inventory: null, statement: null },
})

async function asked(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'motley-inventory-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const inventory = join(folder, 'nodes.json')
  await writeFile(inventory, text)
  return await askPlacement({ inventory }).then(
    () => 'accepted',
    (error: Error) => error.message.replace(folder, ''),
  )
}

test.each([
  { file: 'an empty file', text: ' ', why: 'it is empty' },
  {
    file: 'one that breaks off',
    text: '{ "nodes": [{ "id": ',
    why: 'it is not JSON, or it breaks off',
  },
])('of $file it is said what is wrong, and what prints a right one', async ({ text, why }) => {
  await expect(asked(text)).resolves.toBe(
    `--inventory /nodes.json: ${why}; "motley nodes --json" prints one`,
  )
})

test('a node that stands twice is refused, as its memory would be promised twice', async () => {
  const twice = JSON.stringify({ nodes: [node('one'), node('two'), node('one')] })
  await expect(asked(twice)).resolves.toBe(
    '--inventory /nodes.json: the node "one" stands in it twice; keep one of the two',
  )
  const named = JSON.stringify({ nodes: [node('one'), { ...node('two'), name: 'one' }] })
  await expect(asked(named)).resolves.toMatch('the node "one" stands in it twice')
  await expect(asked(JSON.stringify({ nodes: [node('one'), node('two')] }))).resolves.toBe(
    'accepted',
  )
})

test('a model that is asked for by an alias of the catalogue is told as one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'motley-alias-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const inventory = join(folder, 'nodes.json')
  const file = join(folder, 'motley.yaml')
  await writeFile(inventory, JSON.stringify({ nodes: [node('one')] }))
  await writeFile(
    file,
    `models: { mistral-small: { variants: [{ source: "hf:a/b" }] } }
deployments: { a: { model: mistral-7b }, b: { model: mistral-small }, c: { model: llama-3.3-70b } }`,
  )
  const { problems } = await placementQuestion(file, { inventory })
  expect(problems).toEqual([
    '"a" asks for mistral-7b, an alias of mistral-7b-v0.3 in the catalogue: the same files under another name',
  ])
})

test('a file that wants nothing says so; one that does not speak of it is no wish', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'motley-wishes-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const written = async (text: string) => {
    const file = join(folder, 'motley.yaml')
    await writeFile(file, text)
    return wishesIn(file)
  }
  await expect(written('deployments: {}')).resolves.toMatchObject({ deployments: [] })
  await expect(written('gateway: { pingMs: 0 }')).rejects.toThrow(
    /has no "deployments".*if nothing should, write "deployments: {}"/,
  )
})
