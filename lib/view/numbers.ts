/**
 * A list of numbers that grows, in memory that is never copied: what the index of a large log is
 * made of.
 */

type Numbers = Uint8Array | Uint16Array | Uint32Array | Float64Array

const CHUNK_BITS = 15
const CHUNK = 1 << CHUNK_BITS
const MASK = CHUNK - 1

export class NumberList {
  readonly #chunks: Numbers[] = []
  readonly #Type: new (
    length: number
  ) => Numbers
  #length = 0

  /** @param Type what a number takes, as `Uint32Array` */
  constructor(Type: new (length: number) => Numbers) {
    this.#Type = Type
  }

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    const at = this.#length++
    if ((at & MASK) === 0) this.#chunks.push(new this.#Type(CHUNK))
    this.#chunks[at >>> CHUNK_BITS]![at & MASK] = value
  }

  /** Appends `values[from, to)`. */
  append(values: Uint8Array, from: number, to: number): void {
    for (let at = from; at < to; ) {
      const within = this.#length & MASK
      if (within === 0) this.#chunks.push(new this.#Type(CHUNK))
      const count = Math.min(to - at, CHUNK - within)
      this.#chunks[this.#length >>> CHUNK_BITS]!.set(values.subarray(at, at + count), within)
      this.#length += count
      at += count
    }
  }

  /** The number at an index from 0 to `length - 1`. */
  at(index: number): number {
    return this.#chunks[index >>> CHUNK_BITS]![index & MASK]!
  }

  set(index: number, value: number): void {
    this.#chunks[index >>> CHUNK_BITS]![index & MASK] = value
  }

  /**
   * Of a list in ascending order: how many of its first `length` numbers are less than `value`.
   */
  countBelow(value: number, length: number = this.#length): number {
    let low = 0
    let high = length
    while (low < high) {
      const middle = Math.floor((low + high) / 2)
      if (this.at(middle) < value) low = middle + 1
      else high = middle
    }
    return low
  }
}
