/** Memory that all threads of the process share, by name. */

import { createHash } from 'node:crypto'
import { sharedMemory } from '../shared-memory'

/** Words of 32 bits: two of the name's hash, then what the slot is for. */
const SLOT_WORDS = 64
const NAME_WORDS = 2

const words = new Int32Array(sharedMemory('shardlog.slots'))
const SLOTS = words.length / SLOT_WORDS

/** Words of this thread alone. */
function ownWords(): Int32Array {
  return new Int32Array(SLOT_WORDS - NAME_WORDS)
}

/** The words of the slot at `at` if it is of this name, or free: then it is from now on. */
function claim(at: number, high: number, low: number): Int32Array | null {
  const first = Atomics.compareExchange(words, at, 0, high)
  if (first !== 0 && first !== high) return null
  const second = Atomics.compareExchange(words, at + 1, 0, low)
  return second === 0 || second === low ? words.subarray(at + NAME_WORDS, at + SLOT_WORDS) : null
}

/**
 * 62 words, zero at first, which all threads that ask by the same name share.
 *
 * @param name null: this thread's alone; so are those of names beyond the first 64 of the process
 */
export function sharedSlot(name: string | null): Int32Array {
  if (name === null) return ownWords()
  const hash = createHash('sha256').update(name).digest()
  const [high, low] = [hash.readInt32LE(0) || 1, hash.readInt32LE(4) || 1]
  for (let slot = 0; slot < SLOTS; slot++) {
    const found = claim(slot * SLOT_WORDS, high, low)
    if (found !== null) return found
  }
  return ownWords()
}
