'use strict'

// Compares the texts that the renderer makes with what this Node makes of the same values: numbers
// and strings with JSON.stringify, times with Date. Prints how many were compared; fails at the
// first that differs.
//
//   node scripts/compare-with-node.js PROGRAM [number of doubles, default 1000000] [seed, default a
//   random one]
//
// PROGRAM is native/test/print_texts.cc, built; `npm run test:native` builds and runs it as one of
// its tests.

const { spawnSync } = require('node:child_process')
const { randomInt } = require('node:crypto')
const { runMain } = require('./run')

/** Values that are handed over at a time. */
const BATCH = 500_000

/** Largest output of one batch, in bytes. */
const MAX_OUTPUT = 1 << 28

/**
 * A generator of u32 (xorshift of 32 bits; Marsaglia, Xorshift RNGs, 2003), so that a seed says
 * what was compared.
 */
function randomBits(seed) {
  let state = seed | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return state >>> 0
  }
}

const pair = new Uint32Array(2)
const pairAsDouble = new Float64Array(pair.buffer)

/** The double with these 64 bits. */
function doubleOf(low, high) {
  pair[0] = low
  pair[1] = high
  return pairAsDouble[0]
}

const unit = bits => bits() / 2 ** 32
const signed = (bits, value) => (bits() & 1 ? -value : value)

/** A double next to `value`, or a few further on. */
function near(bits, value) {
  pairAsDouble[0] = value
  return doubleOf(pair[0] + (bits() % 7) - 3, pair[1])
}

/** Ways to make a double; each is used as often as the others. */
const doubles = [
  bits => doubleOf(bits(), bits()),
  bits => signed(bits, unit(bits) * 10 ** (bits() % 12)),
  bits => signed(bits, bits() / 10 ** (bits() % 10)),
  bits => signed(bits, Math.round(unit(bits) * 1e15) / 10 ** (bits() % 16)),
  bits => signed(bits, near(bits, Math.round(unit(bits) * 1e15) / 1e6)),
  bits => signed(bits, (bits() % 10_000) * 10 ** ((bits() % 60) - 30)),
  bits => near(bits, 10 ** ((bits() % 632) - 323)),
  bits => near(bits, 2 ** ((bits() % 2098) - 1074)),
  bits => signed(bits, Math.floor(unit(bits) * 2 ** (bits() % 80)))
]

/** Ways to make a time, in ms. */
const times = [
  bits => 1.7e12 + (bits() % 1e9),
  bits => signed(bits, Math.floor(unit(bits) * 8.64e15)),
  bits => signed(bits, unit(bits) * 8.64e15),
  bits => near(bits, signed(bits, 8.64e15)),
  bits => signed(bits, (bits() % 10_000) * 500 + (bits() % 3) - 1),
  bits => Date.UTC((bits() % 24_000) - 12_000, bits() % 12, bits() % 31) - (bits() % 2),
  bits => doubleOf(bits(), bits())
]

const isDate = time => Math.abs(time) <= 8.64e15
const isoText = time => (isDate(time) ? `,"time":"${new Date(time).toISOString()}"` : 'damaged')

/** What to compare: the program's word for it, how doubles are made, what Node prints. */
const subjects = [
  ['numbers', doubles, value => JSON.stringify(value)],
  ['ms', times, time => `,"time":${JSON.stringify(time)}`],
  ['seconds', times, time => `,"time":${JSON.stringify(Math.round(time / 1000))}`],
  ['dates', times, isoText]
]

/** The lines that the program prints for `input`. */
function linesOf(program, what, input) {
  const { status, stdout, stderr, error } = spawnSync(program, [what], { input, maxBuffer: MAX_OUTPUT })
  if (error) throw error
  if (status !== 0) throw new Error(`${program} ${what} ended with ${status}: ${stderr}`)
  return stdout.toString().split('\n').slice(0, -1)
}

function compareDoubles(program, [what, ways, expected], count, bits) {
  for (let done = 0; done < count; done += BATCH) {
    const values = Float64Array.from({ length: Math.min(BATCH, count - done) }, (_, i) => ways[i % ways.length](bits))
    const lines = linesOf(program, what, Buffer.from(values.buffer))
    if (lines.length !== values.length) throw new Error(`${what}: ${lines.length} lines for ${values.length} values`)
    values.forEach((value, i) => {
      if (lines[i] !== expected(value)) throw new Error(`${what}: ${lines[i]} instead of ${expected(value)}`)
    })
  }
  console.log(`${what}: ${count} as Node prints them`)
}

/** All characters of Unicode, each in front of, behind and between others. */
function allStrings() {
  const strings = []
  for (let code = 0; code <= 0x10ffff; code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue
    const character = String.fromCodePoint(code)
    strings.push(['', 'a', 'twelve bytes', 'sixteen bytes it'][code % 4] + character + ['', 'b\n', '"'][code % 3])
  }
  return strings
}

function packed(strings) {
  const parts = strings.flatMap(string => {
    const bytes = Buffer.from(string)
    const length = Buffer.alloc(4)
    length.writeUInt32LE(bytes.length)
    return [length, bytes]
  })
  return Buffer.concat(parts)
}

function compareStrings(program) {
  const strings = allStrings()
  const lines = linesOf(program, 'strings', packed(strings))
  if (lines.length !== strings.length) throw new Error(`${lines.length} lines for ${strings.length} strings`)
  strings.forEach((string, i) => {
    const expected = JSON.stringify(string)
    if (lines[i] !== expected) throw new Error(`strings: ${lines[i]} instead of ${expected}`)
  })
  console.log(`strings: ${strings.length} as Node prints them`)
}

function main() {
  const [program, count = '1000000', seed = String(randomInt(2 ** 32))] = process.argv.slice(2)
  if (!program || !(Number(count) > 0)) throw new Error('usage: compare-with-node.js PROGRAM [count] [seed]')
  console.log(`seed ${seed}`)
  const bits = randomBits(Number(seed))
  for (const subject of subjects) compareDoubles(program, subject, Number(count), bits)
  compareStrings(program)
}

runMain(main)
