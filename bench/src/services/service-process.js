'use strict'

const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { walkLines } = require('../line-walker')
const { frameworks } = require('./frameworks')
const { Load } = require('./load')

const SERVICE = path.join(__dirname, 'service.js')
const CONNECTIONS = 32

/**
 * Starts a service of a framework that logs in the given way, and opens connections to it. Its
 * files go to `folder`.
 */
async function startService(framework, name, folder) {
  const file = path.join(folder, `${name.replace(/\W+/g, '-')}.ndjson`)
  // Standard output is the same file: each way of logging uses one of the two.
  const stdout = fs.openSync(file, 'a')
  const child = fork(SERVICE, [framework, name, file], { stdio: ['ignore', stdout, 'inherit', 'ipc'] })
  fs.closeSync(stdout)
  const ended = once(child, 'exit')
  const next = async send => {
    const answer = Promise.race([
      once(child, 'message'),
      ended.then(([code, signal]) => {
        throw new Error(`the service '${name}' ended with ${code ?? signal}`)
      })
    ])
    if (send) child.send('figures')
    return (await answer)[0]
  }
  const { port } = await next(false)
  const load = await Load.open(port, '/items/42', CONNECTIONS)
  return {
    name,
    load,
    figures: () => next(true),
    async stop() {
      load.close()
      child.disconnect()
      const [code, signal] = await ended
      if (code !== 0) throw new Error(`the service '${name}' ended with ${code ?? signal}`)
      return linesOf(file, frameworks[framework].messages)
    }
  }
}

/** How many lines of the log have one of the messages. */
function linesOf(file, messages) {
  const wanted = messages.map(message => Buffer.from(`"msg":"${message}"`))
  let count = 0
  walkLines(file, (window, start, end) => {
    const line = window.subarray(start, end)
    if (wanted.some(text => line.includes(text))) count++
  })
  return count
}

module.exports = { startService }
