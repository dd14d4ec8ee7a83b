'use strict'

// Kills processes that log, at random moments, and recoveries half way; then checks that every
// entry accepted before a kill is in the log, once, whole and in its thread's order: entries of the
// raw logger by a reader that shares no code with the writer, records of the structured one by what
// pino makes of the same calls.
//
//   npm run crash-test -- [KILLS] [SEED] [KIND...]     300 kills of all kinds by default;
//                                                      crash-test/kinds.js has their names
//
// Needs the built package and python3; for records also the packages that the tests need; for
// volumes root and loop devices, without which they are left out by name.

const { crashTest, isBad, possibleKinds } = require('./rounds')
const { KINDS, leftOut } = require('./kinds')

function figures(sum) {
  const { kills, logs, entries, notes, acknowledged, lost, torn, twice, disordered } = sum
  const beside = notes > 0 ? ` and ${notes} lines of another program` : ''
  return `${kills} kills, ${logs} logs, ${entries} entries (${acknowledged} acknowledged)${beside}: ${lost} lost, ${torn} torn, ${twice} twice, ${disordered} out of order`
}

function kindsOf(names) {
  const unknown = names.find(name => !KINDS.has(name))
  if (unknown !== undefined) throw new Error(`a kind is one of ${[...KINDS.keys()].join(', ')}, got ${unknown}`)
  return names.length > 0 ? names : possibleKinds()
}

async function main() {
  const [kills, seed, ...kinds] = process.argv.slice(2)
  let shown = Date.now()
  const onLog = sum => {
    if (Date.now() - shown < 10_000) return
    shown = Date.now()
    console.log(figures(sum))
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1)) // Which cleans up.
  for (const [kind, why] of leftOut()) console.log(`left out: ${kind}: ${why}`)
  const given = seed === undefined ? Date.now() >>> 0 : Number(seed)
  console.log(`seed ${given}`)
  const sum = await crashTest({ kills: Number(kills) || 300, seed: given, kinds: kindsOf(kinds), onLog })
  for (const [kind, part] of Object.entries(sum.byKind)) console.log(`${kind}: ${figures(part)}`)
  console.log(`all: ${figures(sum)}`)
  for (const problem of sum.problems) console.error(problem)
  for (const directory of sum.kept) console.error(`kept: ${directory}`)
  if (isBad(sum)) process.exitCode = 1
}

main()
