'use strict'

/**
 * Reads snapshots: what `shardlog view` shows, for programs of one's own.
 *
 *   node read-snapshot.js FILE...
 */
const { readSnapshot } = require('shardlog')

const when = time => new Date(Number(time / 1_000_000n)).toISOString()

for (const file of process.argv.slice(2)) {
  const { service, hostname, pid, reason, created_at, counters, events } = readSnapshot(file)
  console.log(`${service} on ${hostname}, process ${pid}: ${reason}, ${created_at}`)
  console.log(`${events.length} events; ${counters.recorded} recorded, ${counters.overwritten} overwritten`)
  for (const { time, level, target, message, fields } of events.slice(-10)) {
    console.log(`${when(time)} ${level.padEnd(5)} ${target}: ${message} ${JSON.stringify(fields)}`)
  }
}
