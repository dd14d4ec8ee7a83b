'use strict'

// Rounds of killing and recovering, and the check of what the log holds in the end. Used by scripts/kill-campaign.js
// and, in short, by test/crash.

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { check, checkPiped, checkRecords } = require('./check')
const { random } = require('./entry')
const { variants } = require('./records')

const root = path.resolve(__dirname, '..', '..')

/**
 * What is logged: entries of `Logger`, or records of a structured logger to a file of one of the formats, also such whose lines are much longer
 * than they, or to a pipe, with `recoverTo`.
 */
const KINDS = ['entries', 'ndjson', 'shard', 'pipe', 'long-ndjson', 'long-shard']

const formatOf = kind => kind.replace('long-', '')

/** Where a victim finds its pipe. */
const PIPE_FD = 3

/** Longest life of a child that is not killed on purpose, in milliseconds. */
const STUCK_MS = 60_000

/** Reads a pipe by fits and starts, or not at all as long as somebody writes. The returned function tells all that has come through it. */
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
 * Starts a script, waits for its first line and `delayMs` more, and kills it. Returns false if it had ended by itself.
 * @param {(pipe: import('node:stream').Readable) => () => Promise<void>} [read] begins to read the script's pipe; what it returns ends that
 */
async function killAfter(script, args, delayMs, read) {
  const child = spawn(process.execPath, [path.join(__dirname, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit', ...(read ? ['pipe'] : [])]
  })
  const endReading = read?.(child.stdio[PIPE_FD])
  const exited = once(child, 'exit')
  const stuck = setTimeout(() => child.kill('SIGKILL'), STUCK_MS)
  await Promise.race([once(child.stdout, 'data'), exited])
  child.stdout.resume()
  await Promise.race([new Promise(resolve => setTimeout(resolve, delayMs)), exited])
  child.kill('SIGKILL')
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
function randomConfig(rand) {
  const numShards = 1 + Math.floor(rand() * 4)
  const shardBytes = rand() < 0.7 ? 65_536 : 1 << 20
  return {
    engine: 'native',
    numShards,
    bufferSize: 2 * numShards * shardBytes,
    flushInterval: rand() < 0.5 ? 5 + Math.floor(rand() * 40) : 0,
    crashSafe: rand() < 0.75 ? 'file' : 'shm',
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
function recordsJob(job, config, log, kind, rand) {
  const format = formatOf(kind)
  const waits = job.workers > 0 ? { onFull: 'block', blockTimeout: STUCK_MS } : {}
  return {
    ...job,
    variant: Math.floor(rand() * variants.length),
    context: kind === format ? 0 : 4_000 + Math.floor(rand() * 16_000),
    // A record of many long values, escaped, still fits into a shard.
    largest: Math.floor(rand() * 5_000),
    dieAfter: rand() < 0.2 ? Math.floor(rand() * 2_000) : Number.MAX_SAFE_INTEGER,
    config: { ...(format === 'pipe' ? pipeConfig(config, log) : { ...config, dest: log, format }), ...waits }
  }
}

function pipeConfig({ engine, numShards, bufferSize, flushInterval, onFull, blockTimeout }, log) {
  return { engine, numShards, bufferSize, flushInterval, onFull, blockTimeout, dest: PIPE_FD, recoverTo: log }
}

/** Keeps what comes through a victim's pipe in a file. */
function keepPiped(file, rand) {
  return pipe => {
    const rest = reading(pipe, rand)
    return async () => fs.writeFileSync(file, await rest())
  }
}

const pipedFile = (log, round) => `${log}.piped-${round}`

/** One victim, killed; then perhaps a recovery, killed some times. Returns the number of kills. */
async function round(number, rand, kind, log, ledgers, jobs) {
  const config = randomConfig(rand)
  const common = {
    packageRoot: root,
    round: number,
    seed: Math.floor(rand() * 2 ** 31),
    workers: Math.floor(rand() * 4),
    batch: 1 + Math.floor(rand() ** 2 * 300),
    closeAfter: rand() < 0.15 ? Math.floor(rand() * 4_000) : Number.MAX_SAFE_INTEGER,
    ledgers
  }
  const raw = kind === 'entries'
  const job = raw ? entriesJob(common, config, log) : recordsJob(common, config, log, kind, rand)
  jobs.set(number, job)
  // Delays from 0: a victim may die while it opens the log, which is while it recovers what the one before it left.
  const victim = raw ? 'victim.js' : 'record-victim.js'
  const read = kind === 'pipe' ? keepPiped(pipedFile(log, number), rand) : undefined
  let kills = (await killAfter(victim, [JSON.stringify(job)], rand() ** 2 * (raw ? 250 : 500), read)) ? 1 : 0
  for (let attempts = rand() < 0.5 ? Math.floor(rand() * 4) : 0; attempts > 0; attempts--) {
    if (await killAfter('recoverer.js', [root, log], rand() ** 3 * 12)) kills++
  }
  return kills
}

/** Whether a check found fault. */
function isBad(result) {
  return result.lost + result.torn + result.twice + result.disordered + result.problems.length > 0
}

/** @param {string[]} files what was rotated away, and the log */
function checkOf(kind, files, ledgers, jobs) {
  if (kind === 'entries') return check(files, ledgers)
  if (kind !== 'pipe') return checkRecords(files, ledgers, formatOf(kind), jobs)
  const log = files.at(-1)
  const piped = [...jobs.keys()].map(round => pipedFile(log, round))
  return checkPiped(piped, log, ledgers, jobs)
}

/** What rotations do with a log, by turns: each takes its path and returns that of what it has put aside. */
const rotations = [
  (log, rotated) => fs.renameSync(log, rotated),
  (log, rotated) => {
    fs.renameSync(log, rotated)
    fs.writeFileSync(log, '')
  },
  (log, rotated) => {
    fs.copyFileSync(log, rotated)
    fs.truncateSync(log, 0)
  }
]

/**
 * What may happen to a log between a kill and the next start: it is rotated, or its folder is renamed. What a killed recovery has written to a
 * log that is then rotated again is not looked for, so a second rotation waits for the end of a recovery.
 *
 * @param {{ directory: string, rotated: string[] }} place what is changed
 */
function disturb(place, rand) {
  const log = logIn(place)
  const kind = rand()
  if (kind < 0.4 && fs.existsSync(log)) {
    if (place.rotated.length > 0) recover(log)
    const name = `victim.log.${place.rotated.length + 1}`
    rotations[Math.floor(rand() * rotations.length)](log, path.join(place.directory, name))
    place.rotated.push(name)
  } else if (kind < 0.6) {
    const moved = `${place.directory}-moved`
    fs.renameSync(place.directory, moved)
    place.directory = moved
  }
}

const logIn = place => path.join(place.directory, 'victim.log')

/** A log of a few rounds. Returns what its check found, its `kills`, and the `directory` that was kept if it found fault. */
async function oneLog(firstRound, rand, kind) {
  const place = { directory: fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-kill-')), rotated: [] }
  const ledgersOf = () => path.join(place.directory, 'ledgers')
  const jobs = new Map()
  let kills = 0
  fs.mkdirSync(ledgersOf())
  for (let left = 1 + Math.floor(rand() * 5); left > 0; left--) {
    kills += await round(firstRound + left, rand, kind, logIn(place), ledgersOf(), jobs)
    if (kind !== 'pipe' && rand() < 0.5) disturb(place, rand)
  }
  const { directory } = place
  const log = logIn(place)
  // A rotation may have taken it, and a clean end its arena.
  fs.appendFileSync(log, '')
  recover(log)
  recover(log)
  const files = [...place.rotated.map(name => path.join(directory, name)), log]
  const result = checkOf(kind, files, ledgersOf(), jobs)
  if (!isBad(result)) fs.rmSync(directory, { recursive: true })
  return { ...result, kills, directory: isBad(result) ? directory : null }
}

const COUNTS = ['kills', 'entries', 'promised', 'lost', 'torn', 'twice', 'disordered']
const nothing = () => ({ logs: 0, ...Object.fromEntries(COUNTS.map(name => [name, 0])) })

function add(sum, result) {
  sum.logs++
  for (const name of COUNTS) sum[name] += result[name]
}

/**
 * `kills` kills at least, in logs of a few rounds each.
 *
 * @param {{ kills: number, seed?: number, kinds?: string[], onLog?: (sum: object) => void }} options
 * @returns the sum: kills, logs, entries, promised, lost, torn, twice, disordered, the same `byKind`, problems, and where bad logs were kept
 */
async function campaign({ kills, seed = Date.now() >>> 0, kinds = KINDS, onLog }) {
  const rand = random(seed)
  const byKind = Object.fromEntries(kinds.map(kind => [kind, nothing()]))
  const sum = { seed, ...nothing(), byKind, problems: [], kept: [] }
  for (let number = 0; sum.kills < kills; number++) {
    const kind = kinds[number % kinds.length]
    const result = await oneLog(number * 10, rand, kind)
    add(sum, result)
    add(byKind[kind], result)
    sum.problems.push(...result.problems.map(problem => `${kind}, ${result.directory}: ${problem}`))
    if (result.directory !== null) sum.kept.push(result.directory)
    onLog?.(sum)
  }
  return sum
}

module.exports = { campaign, check, checkPiped, checkRecords, isBad, KINDS }
