/**
 * The controller's memory on disk: an append-only log of events in SQLite, and now and then a
 * snapshot so that starting does not read them all. What `append` returned from survives a killed
 * process and a lost power supply.
 */
import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import {
  applyEvent,
  type ClusterEvent,
  type ClusterState,
  emptyCluster,
} from '#controller/cluster-state.ts'

/** A start reads at most so many events beside a snapshot: some milliseconds. */
const eventsPerSnapshot = 500

/** Another controller has this directory open. */
export class StoreInUseError extends Error {}

export class EventStore {
  readonly #database: DatabaseSync
  readonly #insertEvent: StatementSync
  readonly #insertSnapshot: StatementSync
  #state: ClusterState
  #lastSeq: number
  #snapshotSeq: number

  /** Throws `StoreInUseError`, or the system's error when the directory cannot be used. */
  constructor(directory: string) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const file = join(directory, 'controller.sqlite')
    this.#database = new DatabaseSync(file)
    chmodSync(file, 0o600)
    try {
      // Two controllers on one log would each forget what the other wrote.
      this.#database.exec('PRAGMA locking_mode = EXCLUSIVE')
      this.#database.exec('PRAGMA journal_mode = WAL')
      // Every commit reaches the disk before it is acknowledged.
      this.#database.exec('PRAGMA synchronous = FULL')
      this.#database.exec(
        `CREATE TABLE IF NOT EXISTS events (seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, event TEXT NOT NULL) STRICT;
         CREATE TABLE IF NOT EXISTS snapshots (seq INTEGER PRIMARY KEY, state TEXT NOT NULL) STRICT;`,
      )
    } catch (error) {
      this.#database.close()
      if (/locked|busy/i.test((error as Error).message)) {
        throw new StoreInUseError(`another controller uses ${directory}`)
      }
      throw error
    }
    this.#insertEvent = this.#database.prepare(
      'INSERT INTO events (seq, at_ms, event) VALUES (?, ?, ?)',
    )
    this.#insertSnapshot = this.#database.prepare(
      'INSERT OR REPLACE INTO snapshots (seq, state) VALUES (?, ?)',
    )
    const snapshot = this.#database
      .prepare('SELECT seq, state FROM snapshots ORDER BY seq DESC LIMIT 1')
      .get() as { seq: number; state: string } | undefined
    this.#snapshotSeq = snapshot?.seq ?? 0
    this.#lastSeq = this.#snapshotSeq
    this.#state =
      snapshot === undefined ? emptyCluster : (JSON.parse(snapshot.state) as ClusterState)
    for (const row of this.#database
      .prepare('SELECT seq, at_ms, event FROM events WHERE seq > ? ORDER BY seq')
      .iterate(this.#snapshotSeq)) {
      const { seq, at_ms: atMs, event } = row as { seq: number; at_ms: number; event: string }
      this.#state = applyEvent(this.#state, JSON.parse(event) as ClusterEvent, atMs)
      this.#lastSeq = seq
    }
  }

  get state(): ClusterState {
    return this.#state
  }

  /** Keeps the events, all or none, and returns what they made of the state. */
  append(atMs: number, ...events: readonly ClusterEvent[]): ClusterState {
    const at = Math.round(atMs)
    let state = this.#state
    let seq = this.#lastSeq
    this.#database.exec('BEGIN IMMEDIATE')
    try {
      for (const event of events) {
        seq++
        this.#insertEvent.run(seq, at, JSON.stringify(event))
        state = applyEvent(state, event, at)
      }
      if (seq - this.#snapshotSeq >= eventsPerSnapshot) {
        this.#insertSnapshot.run(seq, JSON.stringify(state))
        this.#database.exec(`DELETE FROM snapshots WHERE seq < ${seq}`)
      }
      this.#database.exec('COMMIT')
    } catch (error) {
      this.#database.exec('ROLLBACK')
      throw error
    }
    if (seq - this.#snapshotSeq >= eventsPerSnapshot) this.#snapshotSeq = seq
    this.#lastSeq = seq
    this.#state = state
    return state
  }

  close(): void {
    this.#database.close()
  }
}
