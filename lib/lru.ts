/** A map that keeps what was used last. */
export class Lru<Key, Value> {
  readonly #most: number
  readonly #entries = new Map<Key, Value>()

  /** @param most entries that it holds */
  constructor(most: number) {
    this.#most = most
  }

  get size(): number {
    return this.#entries.size
  }

  get(key: Key): Value | undefined {
    const value = this.#entries.get(key)
    if (value === undefined) return undefined
    // A map lists its keys in the order in which they came.
    this.#entries.delete(key)
    this.#entries.set(key, value)
    return value
  }

  values(): IterableIterator<Value> {
    return this.#entries.values()
  }

  /** Of all entries, the one that was not used for the longest; undefined if there is none. */
  oldest(): [Key, Value] | undefined {
    return this.#entries.entries().next().value
  }

  delete(key: Key): void {
    this.#entries.delete(key)
  }

  set(key: Key, value: Value): void {
    this.#entries.delete(key)
    this.#entries.set(key, value)
    if (this.#entries.size <= this.#most) return
    const [oldest] = this.#entries.keys()
    this.#entries.delete(oldest as Key)
  }
}
