'use strict'

// Rounds of killing and recovering, and the check of what the log holds in the end. Used by
// crash-test/main.js and, in short, by test/crash.

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const path = require('node:path')
const { setTimeout: pause } = require('node:timers/promises')
const { atEnd } = require('./cleanup')
const { check, checkPiped, checkRecords } = require('./check')
const { random } = require('./entry')
const { KINDS, leftOut } = require('./kinds')
const { startNoter } = require('./notes')
const { Folder, Volume } = require('./places')
const { variants } = require('./records')
const { rotate, rotateByName, rotateUnder } = require('./rotation')
const { InodeReader, Tail } = require('./tailers')

const root = path.resolve(__dirname, '..')

/** Where a target finds its pipe. */
const PIPE_FD = 3

/** Longest life of a child that is not killed on purpose, in milliseconds. */
const STUCK_MS = 60_000

/**
 * Reads a pipe by fits and starts, or not at all as long as somebody writes. The returned function
 * tells all that has come through it.
 */
function reading(pipe, rand) {
  const parts = []
  const ended = once(pipe, 'end')
  const willing = rand() < 0.8
  pipe.on('data', part => {
    parts.push(part)
    if (rand() >= 0.3) return
    pipe.pause()
    setTimeout(() => pipe.resume(), rand() * 20)
  })
  if (!willing) pipe.pause()
  return async () => {
    pipe.removeAllListeners('data')
    pipe.on('data', part => parts.push(part)).resume()
    await ended
    return Buffer.concat(parts)
  }
}

/**
 * Starts a script, waits for its first line and `delayMs` more, and kills it. Returns false if it
 * had ended by itself.
 * @param {(pipe: import('node:stream').Readable) => () => Promise<void>} [read] begins to read the
 *   script's pipe; what it returns ends that
 * @param {(child: import('node:child_process').ChildProcess) => Promise<void>} [annoy] what else
 *   happens to it before the kill, after half the delay
 */
async function killAfter(script, args, delayMs, read, annoy) {
  const child = spawn(process.execPath, [path.join(__dirname, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit', ...(read ? ['pipe'] : [])]
  })
  const endReading = read?.(child.stdio[PIPE_FD])
  const exited = once(child, 'exit')
  const kill = atEnd(() => child.kill('SIGKILL'))
  const stuck = setTimeout(kill, STUCK_MS)
  const isOver = () => child.exitCode !== null || child.signalCode !== null
  await Promise.race([once(child.stdout, 'data'), exited])
  child.stdout.resume()
  if (annoy !== undefined) {
    await Promise.race([pause(delayMs / 2), exited])
    if (!isOver()) await annoy(child)
  }
  await Promise.race([pause(annoy === undefined ? delayMs : delayMs / 2), exited])
  kill()
  const [code, signal] = await exited
  clearTimeout(stuck)
  await endReading?.()
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`${script} ended by itself: code ${code}, signal ${signal}`)
  return signal === 'SIGKILL'
}

/** Recovers to the end. */
function recover(log) {
  const done = spawnSync(process.execPath, [path.join(__dirname, 'recoverer.js'), root, log], { timeout: STUCK_MS })
  if (done.status !== 0) throw new Error(`recovery failed: ${done.stderr}`)
}

/** A configuration in which swaps, flushes and recycles never stop. */
function randomConfig(rand, setting) {
  const comesAlong = setting === 'volume' || setting === 'copied'
  const numShards = 1 + Math.floor(rand() * 4)
  const shardBytes = rand() < 0.7 ? 65_536 : 1 << 20
  return {
    engine: 'native',
    numShards,
    bufferSize: 2 * numShards * shardBytes,
    flushInterval: rand() < 0.5 ? 5 + Math.floor(rand() * 40) : 0,
    // What lies in memory does not come along with the log.
    crashSafe: comesAlong || rand() < 0.75 ? 'file' : 'shm',
    directIO: rand() < 0.6 ? 'auto' : 'off',
    dsync: rand() < 0.3,
    onFull: rand() < 0.5 ? 'block' : 'drop',
    blockTimeout: 200,
    shardSelection: 'affinity'
  }
}

function entriesJob(job, config, log) {
  const largest = Math.min(config.bufferSize / 2 / config.numShards - 200, 60_000)
  return { ...job, largest, config: { ...config, logFilePath: log } }
}

/** Threads beside each other do not know whose record was dropped: none is. */
function recordsJob(job, config, log, { format, setting }, rand) {
  const isLong = setting === 'long' || (['tailed', 'rotated'].includes(setting) && rand() < 0.3)
  const waits = job.workers > 0 ? { onFull: 'block', blockTimeout: STUCK_MS } : {}
  return {
    ...job,
    variant: Math.floor(rand() * variants.length),
    context: isLong ? 4_000 + Math.floor(rand() * 16_000) : 0,
    // Otherwise a record of many long values, escaped, still fits into a shard.
    largest: Math.floor(rand() * (setting === 'spills' ? 400_000 : 5_000)),
    dieAfter: rand() < 0.2 ? Math.floor(rand() * 2_000) : Number.MAX_SAFE_INTEGER,
    config: { ...(format === 'pipe' ? pipeConfig(config, log) : { ...config, dest: log, format }), ...waits }
  }
}

function pipeConfig({ engine, numShards, bufferSize, flushInterval, onFull, blockTimeout }, log) {
  return { engine, numShards, bufferSize, flushInterval, onFull, blockTimeout, dest: PIPE_FD, recoverTo: log }
}

/** Keeps what comes through a target's pipe in a file. */
function keepPiped(file, rand) {
  return pipe => {
    const rest = reading(pipe, rand)
    return async () => fs.writeFileSync(file, await rest())
  }
}

const pipedFile = (log, round) => `${log}.piped-${round}`

/** How many recoveries are started to be killed. */
function recoveriesToKill(rand, setting) {
  if (setting === 'spills') return 1 + Math.floor(rand() * 4)
  return rand() < 0.5 ? Math.floor(rand() * 4) : 0
}

/** One target, killed; then perhaps a recovery, killed some times. Returns the number of kills. */
async function round(number, rand, kind, place, jobs) {
  const { format, setting } = kind
  const { log, ackLogs } = place
  const config = randomConfig(rand, setting)
  const common = {
    packageRoot: root,
    round: number,
    seed: Math.floor(rand() * 2 ** 31),
    workers: Math.floor(rand() * 4),
    batch: 1 + Math.floor(rand() ** 2 * 300),
    closeAfter: rand() < 0.15 ? Math.floor(rand() * 4_000) : Number.MAX_SAFE_INTEGER,
    ackLogs
  }
  const raw = format === 'entries'
  const job = raw ? entriesJob(common, config, log) : recordsJob(common, config, log, kind, rand)
  jobs.set(number, job)
  // Delays from 0: a target may die while it opens the log, which is while it recovers what the one
  // before it left.
  const target = raw ? 'entry-target.js' : 'record-target.js'
  const read = format === 'pipe' ? keepPiped(pipedFile(log, number), rand) : undefined
  const annoy = setting === 'rotated' ? child => rotateUnder(place, rand, child) : undefined
  const delay = rand() ** 2 * (raw ? 250 : 500)
  let kills = (await killAfter(target, [JSON.stringify(job)], delay, read, annoy)) ? 1 : 0
  for (let attempts = recoveriesToKill(rand, setting); attempts > 0; attempts--) {
    if (await killAfter('recoverer.js', [root, log], rand() ** 3 * 12)) kills++
  }
  return kills
}

/** Whether a check found fault. */
function isBad(result) {
  return result.lost + result.torn + result.twice + result.disordered + result.problems.length > 0
}

/**
 * What may happen to a log between a kill and the next start. What a killed recovery has written to
 * a log that is then rotated again is not looked for, so a second rotation waits for the end of a
 * recovery.
 */
function disturb(place, rand, setting) {
  if (setting === 'volume') place.comeBack()
  if (setting === 'copied') place.copy()
  if (!['', 'long', 'spills', 'tailed'].includes(setting) || rand() < 0.5) return
  const chance = rand()
  if (chance < 0.4 && fs.existsSync(place.log)) {
    if (place.rotated.length > 0) recover(place.log)
    if (setting === 'tailed') rotateByName(place, rand)
    else rotate(place, rand)
  } else if (chance < 0.6 && setting !== 'tailed') place.move()
}

/** Readers of a log and what they have read in the end, or nothing if nobody reads it. */
function startTailing(place, rand) {
  const reader = new InodeReader(place.log)
  const copy = path.join(place.base, 'tailed')
  // What comes to a renamed log after the new one is there, `tail -F` does not read: of some logs
  // it is the only one, which are not rotated.
  const tail = rand() < 0.5 ? new Tail(place.log, copy) : null
  const end = async () => {
    const texts = reader.end()
    const problems = reader.cuts > 0 ? [`a file got shorter ${reader.cuts} times`] : []
    const files = texts.map((text, i) => {
      fs.writeFileSync(`${copy}-${i}`, text)
      return `${copy}-${i}`
    })
    const whole = fs.readFileSync(place.log)
    if (tail !== null && !(await tail.end(whole.length)).equals(whole)) problems.push('tail -F has read something else')
    return { files, problems }
  }
  return { end, isRotated: tail === null }
}

/**
 * @param {string[]} files what was rotated away, and the log; or what a reader has seen of them
 * @param {{notes: number, kills: number}} disturbances of others, if they wrote to the log
 */
function checkOf({ format, setting }, files, place, jobs, { notes, kills }) {
  const beside = setting === 'beside' ? { notes, halves: kills } : undefined
  if (format === 'entries') return check(files, place.ackLogs, beside)
  if (format !== 'pipe') return checkRecords(files, place.ackLogs, format, jobs, beside)
  const piped = [...jobs.keys()].map(number => pipedFile(place.log, number))
  return checkPiped(piped, place.log, place.ackLogs, jobs)
}

/** The rounds of a log, its last recovery, and the check. */
async function livesOf(firstRound, rand, kind, place) {
  const { format, setting } = kind
  const jobs = new Map()
  const tailing = setting === 'tailed' ? startTailing(place, rand) : null
  const endNotes = setting === 'beside' ? startNoter(place.log) : null
  let kills = 0
  for (let left = 1 + Math.floor(rand() * 5); left > 0; left--) {
    kills += await round(firstRound + left, rand, kind, place, jobs)
    if (format !== 'pipe' && (tailing?.isRotated ?? true)) disturb(place, rand, setting)
  }
  const notes = (await endNotes?.()) ?? 0
  // A rotation may have taken it, and a clean end its arena.
  fs.appendFileSync(place.log, '')
  recover(place.log)
  recover(place.log)
  const seen = await tailing?.end()
  const result = checkOf(kind, seen?.files ?? place.files, place, jobs, { notes, kills })
  result.problems.push(...(seen?.problems ?? []))
  return { ...result, kills }
}

/**
 * A log of a few rounds. Returns what its check found, its `kills`, and the `directory` that was
 * kept if it found fault.
 */
async function oneLog(firstRound, rand, kind) {
  const place = kind.setting === 'volume' ? new Volume() : new Folder()
  let keep = true
  try {
    const result = await livesOf(firstRound, rand, kind, place)
    keep = isBad(result)
    return { ...result, directory: keep ? place.base : null }
  } finally {
    place.close(keep)
  }
}

const COUNTS = ['kills', 'entries', 'notes', 'acknowledged', 'lost', 'torn', 'twice', 'disordered']
const nothing = () => ({ logs: 0, ...Object.fromEntries(COUNTS.map(name => [name, 0])) })

function add(sum, result) {
  sum.logs++
  for (const name of COUNTS) sum[name] += result[name]
}

/** All kinds that can be had on this machine. */
const possibleKinds = () => [...KINDS.keys()].filter(name => !leftOut().has(name))

/**
 * `kills` kills at least, in logs of a few rounds each.
 *
 * @param {{ kills: number, seed?: number, kinds?: string[], onLog?: (sum: object) => void }}
 *   options `kinds` are names of `KINDS`
 * @returns the sum: kills, logs, entries, notes (lines of another program), acknowledged, lost,
 *   torn, twice, disordered, the same `byKind`, problems, and where bad logs were kept
 */
async function crashTest({ kills, seed = Date.now() >>> 0, kinds = possibleKinds(), onLog }) {
  const rand = random(seed)
  const byKind = Object.fromEntries(kinds.map(kind => [kind, nothing()]))
  const sum = { seed, ...nothing(), byKind, problems: [], kept: [] }
  // The kind that has had the fewest is next, so that those whose logs see many kills do not take
  // them from the others.
  const next = () => kinds.reduce((least, kind) => (byKind[kind].kills < byKind[least].kills ? kind : least))
  for (let number = 0; sum.kills < kills; number++) {
    const kind = next()
    const result = await oneLog(number * 10, rand, KINDS.get(kind))
    add(sum, result)
    add(byKind[kind], result)
    sum.problems.push(...result.problems.map(problem => `${kind}, ${result.directory}: ${problem}`))
    if (result.directory !== null) sum.kept.push(result.directory)
    onLog?.(sum)
  }
  return sum
}

module.exports = { crashTest, check, checkPiped, checkRecords, isBad, possibleKinds }
