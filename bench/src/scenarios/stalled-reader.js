'use strict'

const { fork } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const net = require('node:net')
const path = require('node:path')
const { setTimeout: sleep } = require('node:timers/promises')
const { MB } = require('../account')
const { medianOf, format } = require('../numbers')
const { loggings } = require('../stalled/loggings')
const { openPipe } = require('../stalled/pipe')

const WRITER = path.join(__dirname, '..', 'stalled', 'writer.js')
const LINES = 1_000_000
const MIB = 2 ** 20
/** That of shardlog by itself. */
const BUFFER_SIZE = 64 * MIB
const MOST_MEMORY = BUFFER_SIZE + 32 * MIB
const MOST_DELAY_MS = 10
/** A writer that has not logged anything for so long is taken to be blocked for good. */
const BLOCKED_MS = 10_000
/** How long the pipe is read once the writer is done, and before it is told to end. */
const READ_LIMIT_MS = 20_000
const POLL_MS = 100
const NUMBER = /"number":(\d+),.*"user login"}$/

const cases = ({ peers: wanted }) =>
  Object.keys(loggings)
    .filter(name => name === 'shardlog' || wanted.some(peer => peer.package === 'pino'))
    .map(name => ({ id: name, params: { name } }))

/** From outside: a writer that is blocked tells nothing. */
function memoryOf(pid, figure) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${figure}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024
}

async function run({ name }, { folder, quick }) {
  const count = quick ? LINES / 10 : LINES
  const pipe = openPipe(path.join(folder, 'stdout'))
  const child = fork(WRITER, [name, String(count)], { stdio: ['ignore', pipe.writer, 'inherit', 'ipc'] })
  fs.closeSync(pipe.writer)
  const exited = once(child, 'exit')
  try {
    await Promise.race([once(child, 'message'), failure(exited)])
    const before = memoryOf(child.pid, 'VmRSS')
    const figures = await watch(child, failure(exited))
    const memory = { peakMb: (memoryOf(child.pid, 'VmHWM') - before) / MB }
    if (figures.delayMs === null) return { ...figures, ...memory }
    return { ...figures, ...memory, ...(await readAll(child, pipe.reader, count)) }
  } finally {
    child.kill('SIGKILL')
    await exited
  }
}

/** Rejects when the writer has ended. */
const failure = async exited => {
  const [code, signal] = await exited
  throw new Error(`the writer ended with ${code ?? signal}`)
}

/** Lets the writer log while nobody reads. `delayMs` is null if it is blocked. */
async function watch(child, gone) {
  let logged = 0
  let delayMs
  let heard = performance.now()
  child.on('message', message => {
    heard = performance.now()
    if (message.logged) logged = message.logged
    if (message.delayMs !== undefined) delayMs = message.delayMs
  })
  child.send('go')
  while (delayMs === undefined && performance.now() - heard < BLOCKED_MS) await Promise.race([sleep(POLL_MS), gone])
  return { logged, delayMs: delayMs ?? null }
}

/**
 * Reads what is in the pipe and what follows, ends the writer, and counts the lines: all are whole,
 * in order, or counted as dropped.
 */
async function readAll(child, reader, count) {
  const socket = new net.Socket({ fd: reader, readable: true, writable: false })
  const lines = lineCounter()
  socket.on('data', chunk => lines.add(chunk))
  const ended = once(socket, 'end')
  child.send('end')
  const [{ dropped }] = await once(child, 'message')
  if (!(await Promise.race([ended.then(() => true), sleep(READ_LIMIT_MS, false)])))
    throw new Error('the pipe has no end')
  return { dropped, lost: count - lines.end() - dropped }
}

function lineCounter() {
  let [count, last, rest] = [0, -1, '']
  return {
    add(chunk) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        const number = Number(NUMBER.exec(line)?.[1] ?? Number.NaN)
        if (!(number > last)) throw new Error(`a line that is not whole or not in order: ${line.slice(0, 200)}`)
        last = number
        count++
      }
    },
    end() {
      if (rest !== '') throw new Error(`the last line is not whole: ${rest.slice(0, 200)}`)
      return count
    }
  }
}

function comparisons(results) {
  const rounds = results.shardlog
  if (!rounds) return []
  const memory = medianOf(rounds, 'peakMb')
  const blocked = rounds.some(({ delayMs }) => delayMs === null)
  const delay = medianOf(rounds, 'delayMs')
  const lost = Math.max(...rounds.map(round => Math.abs(round.lost)))
  return [
    {
      measure: '1,000,000 lines to a pipe nobody reads, memory',
      bound: `≤ bufferSize + 32 MiB (${format(MOST_MEMORY / MB)} MB)`,
      figure: `${format(memory)} MB`,
      ok: memory * MB <= MOST_MEMORY
    },
    {
      measure: 'the same, longest delay of the event loop, median of the rounds',
      bound: `≤ ${MOST_DELAY_MS} ms`,
      figure: blocked ? 'blocked for good' : `${format(delay, 1)} ms`,
      ok: !blocked && delay <= MOST_DELAY_MS
    },
    {
      measure: 'the same, lines neither written nor counted as dropped',
      bound: '0',
      figure: format(lost),
      ok: lost === 0
    }
  ]
}

function report(results) {
  const rows = Object.entries(results).map(([name, rounds]) => {
    const blocked = rounds.some(({ delayMs }) => delayMs === null)
    return [
      name,
      format(medianOf(rounds, 'peakMb')),
      blocked ? 'blocked for good' : format(medianOf(rounds, 'delayMs'), 1),
      format(medianOf(rounds, 'logged')),
      format(medianOf(rounds, 'dropped')),
      format(medianOf(rounds, 'lost'))
    ]
  })
  return {
    comparisons: comparisons(results),
    tables:
      rows.length === 0
        ? []
        : [
            {
              title: '1,000,000 lines to a pipe that nobody reads, 100 in each turn of the event loop',
              head: [
                '',
                'peak memory over the start, MB',
                'longest delay of the event loop, ms',
                'lines logged',
                'dropped and counted',
                'lost'
              ],
              rows
            }
          ],
    charts: [],
    notes: [
      ...Object.keys(results).map(name => `${name}: ${loggings[name].note}`),
      `blocked for good: nothing more was logged within ${format(BLOCKED_MS / 1000)} s; the others are read when they have logged everything, and every line must be whole`
    ]
  }
}

module.exports = { name: 'stalled-reader', title: 'A reader that stalls', timeoutMs: 90_000, cases, run, report }
