'use strict'

// The figures of docs/reference/structured-features.md: loads of records against the sampler,
// second by second, under a clock of its own.
//
//   node scripts/simulate-sampling.js

const shardlog = require('../dist')

const SECONDS = 20

let now = 1_750_000_000_000
Date.now = () => now

/** Records per ms of each event, at a second. */
const loads = {
  'steady, 20 times the target': () => ({ flood: 20 }),
  'bursts of 300 ms, 60 times the target': (_second, ms) => ({ flood: ms < 300 ? 60 : 0 }),
  'one rare event a second in a flood': (_second, ms) => ({ flood: 20, rare: ms === 500 ? 1 : 0 }),
  'a rising flood': second => ({ flood: second + 1 }),
  'half of the target': () => ({ flood: 0.5 })
}

function run(options, load) {
  const kept = []
  let weights = 0
  let offered = 0
  let rare = 0
  const write = line => {
    const { msg, sampleRate } = JSON.parse(line)
    const second = Math.floor((now - 1_750_000_000_000) / 1_000) % SECONDS
    kept[second] = (kept[second] ?? 0) + 1
    weights += 1 / sampleRate
    if (msg === 'rare') rare++
  }
  now = 1_750_000_000_000
  const log = shardlog({ ...options, base: null, timestamp: false }, { write })
  for (let ms = 0; ms < SECONDS * 1_000; ms++) {
    const due = load(Math.floor(ms / 1_000), ms % 1_000)
    for (const [event, perMs] of Object.entries(due)) {
      const times = perMs < 1 ? Number(ms % Math.round(1 / perMs) === 0 && perMs > 0) : perMs
      for (let i = 0; i < times; i++) log.info(event)
      offered += times
    }
    now++
  }
  return { kept, weights: weights / offered, rare, offered }
}

const middle = list => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]

function main() {
  console.log(
    '| load | option | offered a second | target | kept: first second, median, most | sum of 1 / sampleRate, of the offered | rare kept |'
  )
  console.log('| --- | --- | --- | --- | --- | --- | --- |')
  for (const [name, load] of Object.entries(loads)) {
    for (const [option, options] of [
      ['`sampling.targetRate`', { sampling: { targetRate: 1_000 } }],
      ['`maxEventsPerSecond`', { maxEventsPerSecond: 1_000 }]
    ]) {
      const { kept, weights, rare, offered } = run(options, load)
      const all = Array.from({ length: SECONDS }, (_, i) => kept[i] ?? 0)
      const seconds = `${all[0]}, ${middle(all)}, ${Math.max(...all)}`
      const rares = name.includes('rare') ? `${rare} of ${SECONDS}` : ''
      console.log(
        `| ${name} | ${option} | ${Math.round(offered / SECONDS)} | 1,000 | ${seconds} | ${weights.toFixed(2)} | ${rares} |`
      )
    }
  }
}

main()
