'use strict'

// What has to be ended, unmounted or removed, also when the crash test itself ends early.

const closers = new Set()
let isArmed = false

function closeAll() {
  for (const close of [...closers].reverse()) close()
}

/** Has `close` called by the function that is returned, or at the end of the process, once. */
function atEnd(close) {
  if (!isArmed) process.on('exit', closeAll)
  isArmed = true
  const once = () => {
    if (closers.delete(once)) close()
  }
  closers.add(once)
  return once
}

module.exports = { atEnd }
