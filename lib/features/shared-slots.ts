/** Memory that all threads of the process share, by name. */

import { createHash } from 'node:crypto'
import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'

/** What a thread inherits from the one that starts it. */
const KEY = 'shardlog.slots'
const SLOTS = 64
/** Words of 32 bits: two of the name's hash, then what the slot is for. */
const SLOT_WORDS = 64
const NAME_WORDS = 2

function inherited(): SharedArrayBuffer {
  const known = getEnvironmentData(KEY) as unknown
  if (known instanceof SharedArrayBuffer) return known
  const made = new SharedArrayBuffer(SLOTS * SLOT_WORDS * Int32Array.BYTES_PER_ELEMENT)
  // Threads that are started from now on have it; those of a process whose main thread has not loaded us count for themselves.
  setEnvironmentData(KEY, made as never)
  return made
}

// When this module is loaded, which in the main thread is before its workers are started.
const words: Int32Array | null = typeof SharedArrayBuffer === 'undefined' ? null : new Int32Array(inherited())

/** Words of this thread alone. */
function ownWords(): Int32Array {
  return new Int32Array(SLOT_WORDS - NAME_WORDS)
}

/** The words of the slot at `at` if it is of this name, or free: then it is from now on. */
function claim(at: number, high: number, low: number): Int32Array | null {
  if (words === null) return null
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
