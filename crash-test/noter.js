'use strict'

// A program that appends to a log of somebody else, whole lines by one call each, until it is told
// to end: by the end of its standard input, since a kill could end a call half way. Run as
// `node noter.js LOG`; prints how many it appended.

const fs = require('node:fs')
const { noteOf } = require('./notes')

const log = process.argv[2]
let isOver = false
let number = 0

process.stdin.resume().on('end', () => (isOver = true))

function appendSome() {
  // As `>>` does, it opens the log each time: that may be another one by now.
  const fd = fs.openSync(log, 'a')
  for (let left = (number % 7) + 1; left > 0; left--) {
    const note = Buffer.from(noteOf(number++))
    if (fs.writeSync(fd, note) !== note.length) throw new Error('an append did half')
  }
  fs.closeSync(fd)
  if (!isOver) setTimeout(appendSome, number % 5)
  else fs.writeSync(1, `${number}\n`)
}

appendSome()
