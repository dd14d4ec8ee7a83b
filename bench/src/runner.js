'use strict'

const { fork } = require('node:child_process')
const fs = require('node:fs')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')

const CHILD = path.join(__dirname, 'child.js')
const CASE_TIMEOUT_MS = 120_000

/** A case that came to no end within its time. Trying it again costs that time again. */
class NoResult extends Error {}

/** Between two cases: time for the disk and for what the last process left to do. */
const PAUSE_MS = 200

/**
 * Runs every case of a scenario `rounds` times, interleaved: A B C A B C …, so that a slow minute
 * of the machine meets all of them. A case that fails is told to `onFailure` and lacks that round;
 * one that gives no result within its time, which a scenario may state as `timeoutMs`, is left out
 * of the rounds that follow. The others go on.
 * @returns {Promise<Record<string, object[]>>} results by case id, one per round, without the cases
 *   that have none
 */
async function runScenario(scenario, cases, { rounds, quick, scratch, onCase, onFailure }) {
  const results = Object.fromEntries(cases.map(({ id }) => [id, []]))
  const silent = new Set()
  for (let round = 0; round < rounds; round++) {
    for (const entry of cases.filter(({ id }) => !silent.has(id))) {
      onCase(entry.id, round)
      try {
        results[entry.id].push(await runCase(scenario, entry, { quick, scratch }))
      } catch (error) {
        if (error.cause instanceof NoResult) silent.add(entry.id)
        onFailure(error)
      }
      await sleep(quick ? 0 : PAUSE_MS)
    }
  }
  return Object.fromEntries(Object.entries(results).filter(([, list]) => list.length > 0))
}

/** One case in a fresh process with a folder of its own, which is removed afterwards. */
async function runCase(scenario, { id, params, execArgv = [] }, { quick, scratch }) {
  const folder = fs.mkdtempSync(path.join(scratch, 'case-'))
  try {
    const message = { scenario: scenario.name, params, context: { folder, quick } }
    return await converse(message, execArgv, scenario.timeoutMs ?? CASE_TIMEOUT_MS)
  } catch (error) {
    throw new Error(`${scenario.name}, ${id}: ${error.message}`, { cause: error })
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}

function converse(message, execArgv, timeoutMs) {
  return new Promise((resolve, reject) => {
    const child = fork(CHILD, [], { execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    let answer
    let silence
    const timer = setTimeout(() => {
      if (!answer) silence = new NoResult(`no result within ${timeoutMs / 1000} s`)
      child.kill('SIGKILL')
    }, timeoutMs)
    child.on('message', received => {
      answer ??= received
    })
    child.once('error', reject)
    child.once('exit', (code, signal) => {
      clearTimeout(timer)
      if (silence) reject(silence)
      else if (!answer) reject(new Error(`the process ended with ${code ?? signal} and no result`))
      else if (answer.error) reject(new Error(answer.error))
      else resolve(answer.result)
    })
    child.send(message)
  })
}

module.exports = { runScenario, runCase }
