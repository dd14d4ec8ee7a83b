'use strict'

const fs = require('node:fs')

const NEWLINE = 10
const ZERO = 48
const NINE = 57
const WINDOW_BYTES = 8 * 1024 * 1024

/**
 * Walks a file of lines and calls `onLine(buffer, start, end)` for each, newline excluded. Shares
 * no code with shardlog, so that it can bear witness. Throws if the last line has no end, or one is
 * longer than 8 MiB. Returns the number of lines.
 */
function walkLines(file, onLine) {
  const fd = fs.openSync(file, 'r')
  const window = Buffer.allocUnsafeSlow(WINDOW_BYTES)
  let lines = 0
  let kept = 0
  try {
    for (;;) {
      const read = fs.readSync(fd, window, kept, window.length - kept, null)
      if (read === 0) break
      const filled = kept + read
      let at = 0
      for (let end = nextNewline(window, at, filled); end >= 0; end = nextNewline(window, at, filled)) {
        onLine(window, at, end)
        lines++
        at = end + 1
      }
      window.copyWithin(0, at, filled)
      kept = filled - at
    }
  } finally {
    fs.closeSync(fd)
  }
  if (kept > 0) throw new Error(`${file} does not end with a whole line: ${kept} bytes behind line ${lines}`)
  return lines
}

function nextNewline(window, from, to) {
  const at = window.indexOf(NEWLINE, from)
  return at < to ? at : -1
}

/**
 * Reads files back in which each line carries its number behind `marker`: they must be 0, 1, 2 and
 * so on, in this order over all files, and each line must end with `ending`. Every thousandth is
 * parsed and handed to `check(record, number)`, the last one too. Numbers begin anew after `wraps`
 * of them.
 * @param {string | string[]} files in their order
 * @returns {number} how many of `count` are not there
 */
function verifyLines(files, { count, marker, ending, check, wraps = count }) {
  const [mark, tail] = [Buffer.from(marker), Buffer.from(ending)]
  let next = 0
  const onLine = (window, start, end) => {
    const at = window.indexOf(mark, start)
    const number = at < 0 || at >= end ? -1 : decimal(window, at + mark.length)
    if (next === count) throw new Error(`there are more than ${count} lines`)
    if (number !== next % wraps) throw new Error(`line ${next} says it is ${number}`)
    if (window.compare(tail, 0, tail.length, end - tail.length, end) !== 0)
      throw new Error(`line ${next} does not end with ${ending}`)
    if (next % 1000 === 0 || next === count - 1) check(JSON.parse(window.toString('utf8', start, end)), next)
    next++
  }
  return [files].flat().reduce((missing, file) => missing - walkLines(file, onLine), count)
}

function decimal(window, from) {
  let value = 0
  for (let at = from; window[at] >= ZERO && window[at] <= NINE; at++) value = 10 * value + window[at] - ZERO
  return value
}

module.exports = { verifyLines, walkLines }
