'use strict'

/** One process of the distributed simulation: records, and tells of its snapshot. */
const [, , root, directory, events] = process.argv
const { Recorder } = require(root)
const recorder = new Recorder({ directory, path: false, service: `node-${process.pid}`, onCrash: false })

async function main() {
  const start = process.hrtime.bigint()
  for (let n = 0; n < Number(events); n++)
    recorder.record('debug', 'node', 'step', { n, node: process.pid, ok: true, ms: 1.5 })
  const seconds = Number(process.hrtime.bigint() - start) / 1e9
  const file = await recorder.snapshot('simulation')
  process.send({ file, seconds, stats: recorder.stats }, () => process.disconnect())
}

main()
