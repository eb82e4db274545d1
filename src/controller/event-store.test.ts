/** The store under what happens to files and processes: killed, opened twice, damaged. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import type { ClusterEvent } from '#controller/cluster-state.ts'
import { EventStore, StoreError, StoreFullError, StoreInUseError } from '#controller/event-store.ts'
import { nodeId } from '#core/ids.ts'
import { seededChance } from '#std/seeded-chance.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'motley-store-'))
  folders.push(folder)
  return folder
}

const fileOf = (folder: string): string => join(folder, 'controller.sqlite')

const joined = (number: number): Extract<ClusterEvent, { type: 'node-joined' }> => ({
  type: 'node-joined',
  node: nodeId(`node-${number}`),
  name: `n${number}`,
  fingerprint: `f${number}`,
  tokenDigest: 'none',
})

function withStore<Result>(folder: string, use: (store: EventStore) => Result): Result {
  const store = new EventStore(folder)
  try {
    return use(store)
  } finally {
    store.close()
  }
}

function rowsOf(folder: string, table: 'events' | 'snapshots'): number {
  const database = new DatabaseSync(fileOf(folder))
  const row = database.prepare(`SELECT count(*) AS rows FROM ${table}`).get()
  database.close()
  return Number(row?.['rows'])
}

test('what was appended is there when it is opened again, and only for its owner', () => {
  const folder = newFolder()
  const written = withStore(folder, (store) => store.append(5.4, joined(1), joined(2)))
  expect(withStore(folder, ({ state }) => state)).toEqual(written)
  expect(Object.values(written.nodes).map(({ joinedAtMs }) => joinedAtMs)).toEqual([5, 5])
  expect(statSync(fileOf(folder)).mode & 0o777).toBe(0o600)
})

test('snapshots change nothing of the state, and events that two of them hold are dropped', () => {
  const folder = newFolder()
  const written = withStore(folder, (store) => {
    for (let number = 0; number < 1_700; number++) {
      if (number % 3 === 0) store.append(number, joined(number), joined(number + 1))
      else store.append(number, { type: 'node-revoked', node: nodeId(`node-${number}`) })
    }
    return store.state
  })
  expect(withStore(folder, ({ state }) => state)).toEqual(written)
  expect(rowsOf(folder, 'events')).toBeLessThanOrEqual(1_000)
  expect(rowsOf(folder, 'snapshots')).toBe(2)
})

test('of events that cannot all be kept, none is', () => {
  const folder = newFolder()
  const circular: Record<string, unknown> = {}
  circular['self'] = circular
  const broken = { ...joined(2), name: circular } as unknown as ClusterEvent
  withStore(folder, (store) => {
    expect(() => store.append(1, joined(1), broken)).toThrow(StoreError)
    expect(store.state.nodes).toEqual({})
    store.append(1, joined(3))
  })
  expect(Object.keys(withStore(folder, ({ state }) => state.nodes))).toEqual(['node-3'])
})

test('a second controller on the same folder is refused, and the first goes on', () => {
  const folder = newFolder()
  withStore(folder, (store) => {
    expect(() => new EventStore(folder)).toThrow(StoreInUseError)
    expect(() => new EventStore(folder)).toThrow(
      /^another controller uses .*: stop it, or give this one .* MOTLEY_DATA_DIR$/,
    )
    store.append(1, joined(1))
  })
  expect(Object.keys(withStore(folder, ({ state }) => state.nodes))).toEqual(['node-1'])
})

function damagedBy(damage: (folder: string) => void): string {
  const folder = newFolder()
  withStore(folder, (store) => {
    for (let number = 0; number < 20; number++) store.append(1, joined(number))
  })
  damage(folder)
  return folder
}

const change = (sql: string) => (folder: string) => {
  const database = new DatabaseSync(fileOf(folder))
  database.exec(sql)
  database.close()
}

test.each([
  {
    name: 'a file that is no database',
    damage: (folder: string) => writeFileSync(fileOf(folder), 'x'.repeat(5_000)),
  },
  {
    name: 'a file with a hole of zeros',
    damage: (folder: string) => {
      const bytes = readFileSync(fileOf(folder))
      writeFileSync(fileOf(folder), bytes.fill(0, 4_096))
    },
  },
  {
    name: 'an event that is no JSON',
    damage: change(`UPDATE events SET event = '{' WHERE seq = 7`),
  },
  { name: 'an event that is missing', damage: change('DELETE FROM events WHERE seq = 7') },
  {
    name: 'a snapshot that is no JSON',
    damage: change(`INSERT INTO snapshots VALUES (20, 'state')`),
  },
])('$name is one sentence about what to do', ({ damage }) => {
  const folder = damagedBy(damage)
  const open = () => new EventStore(folder)
  expect(open).toThrow(StoreError)
  expect(open).toThrow(
    /^\S+controller\.sqlite is damaged \([^\n]+\): put a copy of it back, or move/,
  )
})

test('an event of a newer version is not taken for damage', () => {
  const folder = damagedBy(
    change(`UPDATE events SET event = '{"type":"node-painted"}' WHERE seq = 7`),
  )
  expect(() => new EventStore(folder)).toThrow(
    /written by a newer version of Motley \("node-painted"\)/,
  )
})

test('a folder that cannot be used is named', () => {
  const file = join(newFolder(), 'file')
  writeFileSync(file, '')
  expect(() => new EventStore(join(file, 'controller'))).toThrow(
    /controller\.sqlite cannot be opened/,
  )
})

/** Appends as fast as it can, and says each number once it is kept. */
const appender = `
import { writeSync } from 'node:fs'
import { EventStore } from '#controller/event-store.ts'
const store = new EventStore(process.argv[1])
let number = Object.keys(store.state.nodes).length
for (;;) {
  store.append(number, { type: 'node-joined', node: 'node-' + number, name: '', fingerprint: '', tokenDigest: '' })
  writeSync(1, number++ + '\\n')
}`

test('a controller that is killed at any moment has lost nothing of what it acknowledged', async () => {
  const folder = newFolder()
  const chance = seededChance(7)
  let acknowledged = -1
  for (let round = 0; round < 5; round++) {
    const child = spawn(
      process.execPath,
      ['--conditions=motley-source', '--input-type=module', '-e', appender, folder],
      {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    const closed = once(child, 'close')
    const before = acknowledged
    // Some hundreds of appends on, so that snapshots are met as well.
    const killAfter = 100 + Math.floor(chance() * 400)
    createInterface({ input: child.stdout }).on('line', (line) => {
      acknowledged = Number(line)
      if (acknowledged - before === killAfter) child.kill('SIGKILL')
    })
    await closed
    const { nodes } = withStore(folder, ({ state }) => state)
    const kept = Object.keys(nodes).length
    expect(acknowledged).toBeGreaterThan(before)
    // One more may be kept, of which it could not say so any more.
    expect([acknowledged + 1, acknowledged + 2]).toContain(kept)
    expect(nodes[`node-${acknowledged}`]?.joinedAtMs).toBe(acknowledged)
    acknowledged = kept - 1
  }
})

test('a full disk refuses what cannot be kept, keeps what was, and is written to again once there is room', () => {
  const folder = newFolder()
  let database: DatabaseSync | null = null
  const store = new EventStore(folder, (file) => {
    database = new DatabaseSync(file)
    return database
  })
  const pagesMax = (count: number) => database?.exec(`PRAGMA max_page_count = ${count}`)
  const large = (number: number): ClusterEvent => ({
    ...joined(number),
    fingerprint: 'f'.repeat(50_000),
  })
  store.append(1, joined(1))
  pagesMax(20)
  let appended = 1
  const fill = () => {
    for (;;) store.append(1, large(++appended))
  }
  expect(fill).toThrow(StoreFullError)
  expect(fill).toThrow(
    new StoreFullError(
      `the disk of ${fileOf(folder)} is full, and nothing was changed: make room there, and try again`,
    ),
  )
  const kept = store.state
  expect(Object.keys(kept.nodes).length).toBe(appended - 2)

  pagesMax(10_000)
  store.append(1, large(0))
  expect(Object.keys(store.state.nodes)).toEqual([...Object.keys(kept.nodes), 'node-0'])
  const { state } = store
  store.close()
  expect(withStore(folder, (again) => again.state)).toEqual(state)
})
