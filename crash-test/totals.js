'use strict'

// What is lost, torn, twice or out of order, counted entry by entry.

const fs = require('node:fs')
const path = require('node:path')

class Totals {
  result = { entries: 0, notes: 0, acknowledged: 0, lost: 0, torn: 0, twice: 0, disordered: 0, problems: [] }
  #next = new Map()
  #nextAgain = new Map()

  /**
   * @param {{ key: string, number: number } | null} entry what comes next in the log; null: it is
   *   torn
   */
  count(entry) {
    const { result } = this
    result.entries++
    if (entry === null) {
      result.torn++
      return
    }
    const due = this.#next.get(entry.key) ?? 0
    if (entry.number < due) result.twice++
    if (entry.number > due) result.disordered++
    this.#next.set(entry.key, Math.max(due, entry.number + 1))
  }

  /** As `count`, in a second place, which may begin with entries that are in the first as well. */
  countAgain(entry) {
    if (entry === null) {
      this.count(null)
      return
    }
    const { key, number } = entry
    const goesOn = number === (this.#nextAgain.get(key) ?? number)
    this.#nextAgain.set(key, number + 1)
    if (!goesOn || number >= (this.#next.get(key) ?? 0)) this.count(entry)
  }

  /** What is wrong, for those who have to find out why; the first few are kept. */
  explain(problem) {
    if (this.result.problems.length < 5) this.result.problems.push(problem)
  }

  /** Compares with what the threads have acknowledged; to be called last. */
  finish(ackLogs) {
    const { result } = this
    for (const name of fs.readdirSync(ackLogs)) {
      const bytes = fs.readFileSync(path.join(ackLogs, name))
      const acknowledged = bytes.length === 8 ? Number(bytes.readBigUInt64LE()) : 0
      result.acknowledged += acknowledged
      result.lost += Math.max(0, acknowledged - (this.#next.get(name.replace('-', '/')) ?? 0))
    }
    return result
  }
}

module.exports = { Totals }
