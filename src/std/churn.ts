/**
 * A Map and a Set for what comes and goes thousands of times a second.
 *
 * V8's own grow by a new table, and the old table keeps a pointer to the new one, for iterators
 * that may still stand in it. Once a table has become old enough for the old space, every table
 * after it is kept, with all that lay in it when it was replaced, until a full collection: whole
 * requests are copied and promoted though nobody can reach them. In a relay that was 10 KB a
 * request and a tenth of all CPU. Starting over with a fresh Map now and then breaks that chain.
 */

/** Copying what is there costs nothing beside so many calls, and so many tables are small. */
const removalsMin = 256

/**
 * Like Map, as far as that is needed here. Whoever iterates may remove; once something was added
 * meanwhile, an iteration may miss that and still come by what was removed since.
 */
export class ChurnMap<Key, Value> {
  #map = new Map<Key, Value>()
  #removals = 0

  get size(): number {
    return this.#map.size
  }

  get(key: Key): Value | undefined {
    return this.#map.get(key)
  }

  set(key: Key, value: Value): void {
    // Here and not where something is removed, which is what happens while others iterate.
    if (this.#removals >= removalsMin && this.#removals >= this.#map.size) {
      this.#map = new Map(this.#map)
      this.#removals = 0
    }
    this.#map.set(key, value)
  }

  delete(key: Key): boolean {
    const wasThere = this.#map.delete(key)
    if (wasThere) this.#removals++
    return wasThere
  }

  values(): IterableIterator<Value> {
    return this.#map.values()
  }
}

/** Like Set, with the same promise as {@link ChurnMap}. */
export class ChurnSet<Value> implements Iterable<Value> {
  readonly #map = new ChurnMap<Value, Value>()

  get size(): number {
    return this.#map.size
  }

  add(value: Value): void {
    this.#map.set(value, value)
  }

  delete(value: Value): boolean {
    return this.#map.delete(value)
  }

  [Symbol.iterator](): Iterator<Value> {
    return this.#map.values()
  }
}
