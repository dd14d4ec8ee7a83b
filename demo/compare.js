'use strict'

const { readLog } = require('..')

const ID = / id=(\S+)$/

/** How often each request's access line stands in the log. */
async function readWitnesses(log) {
  const witnesses = new Map()
  for await (const entry of readLog(log)) {
    const id = ID.exec(entry.toString())?.[1]
    if (id) witnesses.set(id, (witnesses.get(id) ?? 0) + 1)
  }
  return witnesses
}

/** What the clients were served against what the log holds. */
function compare(witnesses, served) {
  const missing = [...served].filter(id => !witnesses.has(id))
  const repeated = [...witnesses.values()].filter(times => times > 1).length
  const unseen = [...witnesses.keys()].filter(id => !served.has(id)).length
  return { missing, repeated, unseen }
}

module.exports = { readWitnesses, compare }
