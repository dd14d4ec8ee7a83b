'use strict'

// Kills processes that log, at random moments, and recoveries half way; then checks with a reader that shares no code with
// the writer that every entry accepted before a kill is in the log, once, whole and in its thread's order.
//
//   node scripts/kill-campaign.js [KILLS] [SEED]     300 kills by default; needs the built package and python3

const { campaign, isBad } = require('./kill-campaign/campaign')

function figures(sum) {
  const { kills, logs, entries, promised, lost, torn, twice, disordered } = sum
  return `${kills} kills, ${logs} logs, ${entries} entries (${promised} promised): ${lost} lost, ${torn} torn, ${twice} twice, ${disordered} out of order`
}

async function main() {
  const [kills, seed] = process.argv.slice(2).map(Number)
  let shown = Date.now()
  const onLog = sum => {
    if (Date.now() - shown < 10_000) return
    shown = Date.now()
    console.log(figures(sum))
  }
  const sum = await campaign({ kills: kills || 300, seed, onLog })
  console.log(`seed ${sum.seed}: ${figures(sum)}`)
  for (const problem of sum.problems) console.error(problem)
  for (const directory of sum.kept) console.error(`kept: ${directory}`)
  if (isBad(sum)) process.exitCode = 1
}

main()
