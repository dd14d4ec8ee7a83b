'use strict'

const { fork } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { generate } = require('./generator')
const { loadMethod } = require('./grpc-service')
const { writeReport } = require('./report')
const { walkLog } = require('../src/log-walker')
const subject = require('../src/subject')

const RESULTS = path.join(__dirname, '..', 'results')
const ENTRIES_PER_CALL = 2

/** Runs the load test and writes its report; the log itself is checked and removed. */
async function run(options) {
  const without = subject.missing()
  if (without) throw new Error(without)
  const { method } = loadMethod(options)
  const startedAt = new Date().toISOString()
  const folder = path.join(RESULTS, `loadtest-${startedAt.replace(/[:.]/g, '-')}`)
  fs.mkdirSync(folder, { recursive: true })
  const file = path.join(folder, 'service.log')
  const server = startServer(options, file)
  try {
    const port = await server.port
    console.log(
      `${method.path} on 127.0.0.1:${port}: ${options.rps} calls/s for ${options.seconds} s, at most ${options.threads} in flight`
    )
    const calls = await generate(`127.0.0.1:${port}`, method, options)
    const samples = await server.stop()
    const { entries } = walkLog(file, () => {})
    await writeReport(folder, {
      startedAt,
      options,
      path: method.path,
      calls,
      samples,
      log: check(entries, calls, samples.at(-1))
    })
  } finally {
    server.kill()
    fs.rmSync(file, { force: true })
  }
}

/**
 * What the log must hold: two entries for every call that the service answered, unless they are
 * counted as dropped.
 */
function check(entries, calls, { served, stats }) {
  const expected = served * ENTRIES_PER_CALL
  const missing = expected - entries - stats.droppedLogs
  if (calls.answered > served) throw new Error(`${calls.answered} answers from ${served} calls served`)
  return { entries, expected, dropped: stats.droppedLogs, missing }
}

/**
 * The service in its process: its port, and `stop`, which resolves to the samples it sent, the last
 * one after its close.
 */
function startServer(options, file) {
  const child = fork(path.join(__dirname, 'server.js'))
  const ended = new Promise((_, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => reject(new Error(`the service ended early, with ${code ?? signal}`)))
  })
  // Whoever waits below hears of it; while nobody waits it is no unhandled rejection.
  ended.catch(() => {})
  const samples = []
  const told = name => new Promise(resolve => child.on('message', message => name in message && resolve(message[name])))
  child.on('message', ({ sample }) => sample && samples.push(sample))
  const port = Promise.race([told('port'), ended])
  const last = told('last')
  child.send({ options, file })
  return {
    port,
    stop: async () => {
      child.send('stop')
      await Promise.race([last, ended])
      return samples
    },
    kill: () => child.kill('SIGKILL')
  }
}

module.exports = { run }
