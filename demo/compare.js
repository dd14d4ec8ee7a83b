'use strict'

const { readLog } = require('..')

/**
 * What the service says before it answers, by status of the answer; the line that follows the
 * answer is no witness of it.
 */
const BEFORE_ANSWER = { 200: ['incoming request'], 201: ['incoming request', 'order placed'] }
const WITNESSES = new Set(Object.values(BEFORE_ANSWER).flat())

/**
 * How often each line that a request leaves before its answer stands in the log, by message and
 * request.
 */
async function readWitnesses(log) {
  const witnesses = new Map()
  for await (const entry of readLog(log)) {
    const { msg, reqId } = JSON.parse(entry.text)
    if (!WITNESSES.has(msg)) continue
    const key = `${msg} ${reqId}`
    witnesses.set(key, (witnesses.get(key) ?? 0) + 1)
  }
  return witnesses
}

const linesOf = ([id, status]) => BEFORE_ANSWER[status].map(msg => `${msg} ${id}`)

/**
 * What the clients were served against what the log holds.
 * @param {Map<string, number>} witnesses
 * @param {Map<string, number>} served status by request
 */
function compare(witnesses, served) {
  const expected = new Set([...served].flatMap(linesOf))
  const missing = [...served].filter(answer => linesOf(answer).some(line => !witnesses.has(line))).length
  const repeated = [...witnesses.values()].filter(times => times > 1).length
  const unseen = [...witnesses.keys()].filter(line => !expected.has(line)).length
  return { missing, repeated, unseen }
}

module.exports = { readWitnesses, compare }
