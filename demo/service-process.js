'use strict'

const { fork } = require('node:child_process')
const path = require('node:path')

const START_LIMIT_MS = 15_000

/**
 * Starts the service in a process of its own.
 * @returns {Promise<{url: string, pid: number, lastReport: () => object, kill: (signal: string) =>
 *                    void, exited: Promise<{code: number | null, signal: string | null}>}>}
 */
function startService(log) {
  const child = fork(path.join(__dirname, 'service.js'), [log])
  const exited = new Promise(resolve => child.once('exit', (code, signal) => resolve({ code, signal })))
  let last
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), START_LIMIT_MS)
    exited.then(({ code, signal }) => reject(new Error(`the service ended at its start with ${code ?? signal}`)))
    child.once('error', reject)
    child.on('message', message => {
      if (message.stats) last = message
      if (!message.url) return
      clearTimeout(timer)
      resolve({ url: message.url, pid: child.pid, lastReport: () => last, kill: signal => child.kill(signal), exited })
    })
  })
}

module.exports = { startService }
