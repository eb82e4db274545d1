/**
 * The controller's memory on disk: a log of events in SQLite, and now and then a snapshot so that
 * starting does not read them all. What `append` returned from survives a killed process and a lost
 * power supply. Events are kept until two snapshots hold what they did.
 */
import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import {
  applyEvent,
  type ClusterEvent,
  type ClusterState,
  emptyCluster,
} from '#controller/cluster-state.ts'
import { type KeptPlan, plansKeptMax } from '#controller/reconcile/kept-plan.ts'
import { makeFolderSync } from '#std/make-folder.ts'

/** A start reads at most so many events beside a snapshot: some milliseconds. */
const eventsPerSnapshot = 500

/** It cannot be read, or not written to; the message says why, for people. */
export class StoreError extends Error {}

/** There is no room: what is there can be read, and written to again once there is. */
export class StoreFullError extends StoreError {}

/** Another controller has this directory open. */
export class StoreInUseError extends StoreError {}

export class EventStore {
  readonly #file: string
  readonly #database: DatabaseSync
  readonly #insertEvent: StatementSync
  readonly #insertSnapshot: StatementSync
  #state: ClusterState = emptyCluster
  #lastSeq = 0
  #snapshotSeq = 0

  /** `open` is for tests, which have disks of their own. Throws {@link StoreError}. */
  constructor(directory: string, open = (file: string) => new DatabaseSync(file)) {
    this.#file = join(directory, 'controller.sqlite')
    this.#database = openDatabase(directory, this.#file, open)
    try {
      // Two controllers on one log would each forget what the other wrote.
      this.#database.exec('PRAGMA locking_mode = EXCLUSIVE')
      this.#database.exec('PRAGMA journal_mode = WAL')
      // Every commit reaches the disk before it is acknowledged.
      this.#database.exec('PRAGMA synchronous = FULL')
      this.#database.exec(
        `CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, event TEXT NOT NULL) STRICT;
         CREATE TABLE IF NOT EXISTS snapshots (seq INTEGER PRIMARY KEY, state TEXT NOT NULL) STRICT;
         CREATE TABLE IF NOT EXISTS plans (seq INTEGER PRIMARY KEY, plan TEXT NOT NULL) STRICT;`,
      )
      this.#insertEvent = this.#database.prepare(
        'INSERT INTO events (seq, at_ms, event) VALUES (?, ?, ?)',
      )
      this.#insertSnapshot = this.#database.prepare(
        'INSERT OR REPLACE INTO snapshots (seq, state) VALUES (?, ?)',
      )
      this.#read()
    } catch (error) {
      this.#database.close()
      const { message } = error as Error
      if (error instanceof StoreError) throw error
      if (isFull(error)) throw fullError(this.#file, error)
      if (/locked|busy/i.test(message)) {
        throw new StoreInUseError(
          `another controller uses ${directory}: stop it, or give this one a folder of its own with MOTLEY_DATA_DIR`,
        )
      }
      throw new StoreError(
        `${this.#file} is damaged (${message}): put a copy of it back, or move it away and let the machines join again`,
        { cause: error },
      )
    }
  }

  get state(): ClusterState {
    return this.#state
  }

  /**
   * Keeps the events, all or none, and returns what they made of the state. Throws
   * {@link StoreError}; then nothing has changed.
   */
  append(atMs: number, ...events: readonly ClusterEvent[]): ClusterState {
    const at = Math.round(atMs)
    let state = this.#state
    let seq = this.#lastSeq
    let snapshotSeq = this.#snapshotSeq
    try {
      this.#database.exec('BEGIN IMMEDIATE')
      for (const event of events) {
        seq++
        this.#insertEvent.run(seq, at, JSON.stringify(event))
        state = applyEvent(state, event, at)
      }
      if (seq - snapshotSeq >= eventsPerSnapshot) {
        this.#insertSnapshot.run(seq, JSON.stringify(state))
        this.#database.exec(`DELETE FROM events WHERE seq <= ${snapshotSeq};
           DELETE FROM snapshots WHERE seq < ${snapshotSeq}`)
        snapshotSeq = seq
      }
      this.#database.exec('COMMIT')
    } catch (error) {
      // A full disk ends the transaction by itself.
      if (this.#database.isOpen && this.#database.isTransaction) this.#database.exec('ROLLBACK')
      if (isFull(error)) throw fullError(this.#file, error)
      throw new StoreError(`${this.#file} cannot be written (${(error as Error).message})`, {
        cause: error,
      })
    }
    this.#snapshotSeq = snapshotSeq
    this.#lastSeq = seq
    this.#state = state
    return state
  }

  /** Beside the events: what it says is for people, and no state follows from it. */
  keepPlan(plan: KeptPlan): void {
    try {
      this.#database.prepare('INSERT INTO plans (plan) VALUES (?)').run(JSON.stringify(plan))
      this.#database
        .prepare('DELETE FROM plans WHERE seq <= (SELECT MAX(seq) FROM plans) - ?')
        .run(plansKeptMax)
    } catch (error) {
      throw new StoreError(`${this.#file} cannot be written (${(error as Error).message})`, {
        cause: error,
      })
    }
  }

  /** The newest first. */
  plans(): KeptPlan[] {
    const rows = this.#database.prepare('SELECT plan FROM plans ORDER BY seq DESC').all()
    return rows.map((row) => JSON.parse((row as { plan: string }).plan) as KeptPlan)
  }

  close(): void {
    this.#database.close()
  }

  #read(): void {
    const snapshot = this.#database
      .prepare('SELECT seq, state FROM snapshots ORDER BY seq DESC LIMIT 1')
      .get() as { seq: number; state: string } | undefined
    if (snapshot !== undefined) {
      // One of an earlier version lacks what was added since.
      this.#state = { ...emptyCluster, ...(JSON.parse(snapshot.state) as ClusterState) }
      this.#snapshotSeq = snapshot.seq
      this.#lastSeq = snapshot.seq
    }
    const rows = this.#database
      .prepare('SELECT seq, at_ms, event FROM events WHERE seq > ? ORDER BY seq')
      .iterate(this.#snapshotSeq)
    for (const row of rows) {
      const { seq, at_ms: atMs, event } = row as { seq: number; at_ms: number; event: string }
      if (seq !== this.#lastSeq + 1) throw new Error(`event ${this.#lastSeq + 1} is missing`)
      const parsed = JSON.parse(event) as ClusterEvent
      const state = applyEvent(this.#state, parsed, atMs)
      // Its type says that this cannot be; a newer version may have written another kind.
      if ((state as ClusterState | undefined) === undefined) {
        throw new StoreError(
          `${this.#file} was written by a newer version of Motley ("${parsed.type}"): run that one`,
        )
      }
      this.#state = state
      this.#lastSeq = seq
    }
  }
}

function fullError(file: string, cause: unknown): StoreFullError {
  return new StoreFullError(
    `the disk of ${file} is full, and nothing was changed: make room there, and try again`,
    { cause },
  )
}

/** SQLite's own code, and the system's where it could not even make a file. */
function isFull(error: unknown): boolean {
  const { errcode, code } = error as { errcode?: unknown; code?: unknown }
  return errcode === sqliteFull || code === 'ENOSPC'
}

/** `SQLITE_FULL` of https://www.sqlite.org/rescode.html. */
const sqliteFull = 13

function openDatabase(
  directory: string,
  file: string,
  open: (file: string) => DatabaseSync,
): DatabaseSync {
  try {
    makeFolderSync(directory, { mode: 0o700 })
    const database = open(file)
    chmodSync(file, 0o600)
    return database
  } catch (error) {
    throw new StoreError(`${file} cannot be opened (${(error as Error).message})`, { cause: error })
  }
}
