'use strict'

// Entries that tell round, thread and number, and whose body can be checked without knowing
// anything else.

const fillers = ['abcdefghijklmnopqrstuvwxyz0123456789', 'Grüße, κόσμε, 世界 🌍 — ', 'x']

/** FNV-1a of the body's bytes, 32 bits. */
function hash(bytes) {
  let value = 0x811c9dc5
  for (let i = 0; i < bytes.length; i++) value = Math.imul(value ^ bytes[i], 0x01000193)
  return (value >>> 0).toString(16).padStart(8, '0')
}

/** A random generator with a seed (mulberry32): returns numbers in [0, 1). */
function random(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** Text of the entry `number` of `thread` in `round`; its body is about `size` characters. */
function makeEntry(round, thread, number, size) {
  const filler = fillers[(number + thread) % fillers.length]
  const body =
    filler
      .repeat(Math.ceil(size / filler.length))
      .slice(0, size)
      .toWellFormed?.() ?? 'y'.repeat(size)
  return `${round}/${thread}/${number}/${hash(Buffer.from(body))}/${body}`
}

/** `{ key, number }` of an entry, or null if it is torn. */
function checkEntry(bytes) {
  let at = 0
  for (let slash = 0; slash < 4; slash++) {
    at = bytes.indexOf(0x2f, at) + 1
    if (at === 0 || at > 64) return null
  }
  const [round, thread, number, sum] = bytes.toString('latin1', 0, at - 1).split('/')
  if (hash(bytes.subarray(at)) !== sum) return null
  return { key: `${round}/${thread}`, number: Number(number) }
}

module.exports = { random, makeEntry, checkEntry }
