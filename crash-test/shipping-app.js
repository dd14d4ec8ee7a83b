'use strict'

// An application that logs numbered records through a configuration until it is killed:
//
//   node crash-test/shipping-app.js CONFIG NOTES RUN MS|drain
//
// Between two bursts of records it pauses for up to MS. NOTES gets the number of each record behind
// its call, by one write each: what a kill leaves there was accepted. With `drain` nothing is
// logged: what is there is delivered, and the process ends.

const fs = require('node:fs')
const { configure } = require('..')

const BURST = 40
const [config, notes, run, pace] = process.argv.slice(2)
const logging = configure(config, { onError: () => undefined })

async function end() {
  await logging.flush()
  await logging.close()
}

function go() {
  const log = logging.getLogger('app')
  const fd = fs.openSync(notes, 'a')
  let n = 0
  const burst = () => {
    const count = 1 + Math.floor(Math.random() * BURST)
    for (let i = 0; i < count; i++, n++) {
      log.info({ run: Number(run), n }, 'a record')
      fs.writeSync(fd, `${run} ${n}\n`)
    }
    setTimeout(burst, Math.random() * Number(pace))
  }
  burst()
}

if (pace === 'drain') end()
else go()
