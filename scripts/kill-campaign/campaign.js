'use strict'

// Rounds of killing and recovering, and the check of what the log holds in the end. Used by scripts/kill-campaign.js
// and, in short, by test/crash.

const { spawn, spawnSync } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { random, checkEntry } = require('./entry')

const root = path.resolve(__dirname, '..', '..')
const plainReader = path.join(root, 'test', 'support', 'plain_reader.py')

/** Longest life of a child that is not killed on purpose, in milliseconds. */
const STUCK_MS = 60_000

/** Starts a script, waits for its first line and `delayMs` more, and kills it. Returns false if it had ended by itself. */
async function killAfter(script, args, delayMs) {
  const child = spawn(process.execPath, [path.join(__dirname, script), ...args], {
    stdio: ['ignore', 'pipe', 'inherit']
  })
  const exited = once(child, 'exit')
  const stuck = setTimeout(() => child.kill('SIGKILL'), STUCK_MS)
  await Promise.race([once(child.stdout, 'data'), exited])
  child.stdout.resume()
  await Promise.race([new Promise(resolve => setTimeout(resolve, delayMs)), exited])
  child.kill('SIGKILL')
  const [code, signal] = await exited
  clearTimeout(stuck)
  if (signal !== 'SIGKILL' && code !== 0) throw new Error(`${script} ended by itself: code ${code}, signal ${signal}`)
  return signal === 'SIGKILL'
}

/** Recovers to the end. */
function recover(log) {
  const done = spawnSync(process.execPath, [path.join(__dirname, 'recoverer.js'), root, log], { timeout: STUCK_MS })
  if (done.status !== 0) throw new Error(`recovery failed: ${done.stderr}`)
}

/** A configuration in which swaps, flushes and recycles never stop. */
function randomConfig(rand, log) {
  const numShards = 1 + Math.floor(rand() * 4)
  const shardBytes = rand() < 0.7 ? 65_536 : 1 << 20
  return {
    logFilePath: log,
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

/** One victim, killed; then perhaps a recovery, killed some times. Returns the number of kills. */
async function round(number, rand, log, ledgers) {
  const config = randomConfig(rand, log)
  const job = {
    packageRoot: root,
    round: number,
    seed: Math.floor(rand() * 2 ** 31),
    workers: Math.floor(rand() * 4),
    batch: 1 + Math.floor(rand() ** 2 * 300),
    largest: Math.min(config.bufferSize / 2 / config.numShards - 200, 60_000),
    closeAfter: rand() < 0.15 ? Math.floor(rand() * 4_000) : Number.MAX_SAFE_INTEGER,
    ledgers,
    config
  }
  // Delays from 0: a victim may die while it opens the log, which is while it recovers what the one before it left.
  let kills = (await killAfter('victim.js', [JSON.stringify(job)], rand() ** 2 * 250)) ? 1 : 0
  for (let attempts = rand() < 0.5 ? Math.floor(rand() * 4) : 0; attempts > 0; attempts--) {
    if (await killAfter('recoverer.js', [root, log], rand() ** 3 * 12)) kills++
  }
  return kills
}

/** Reads the log and the ledgers: what is lost, torn, twice or out of order. */
function check(log, ledgers) {
  const result = { entries: 0, promised: 0, lost: 0, torn: 0, twice: 0, disordered: 0, problems: [] }
  const read = spawnSync('python3', [plainReader, '--summary', log], { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (read.status !== 0) result.problems.push(read.stderr.slice(0, 2_000))
  const raw = spawnSync('python3', [plainReader, '--raw', '--no-crc', log], { maxBuffer: 1 << 30 }).stdout
  const next = new Map()
  for (let at = 0; at < raw.length; ) {
    const end = raw.indexOf(0x0a, at)
    const entry = checkEntry(raw.subarray(at, end))
    at = end + 1
    result.entries++
    if (entry === null) {
      result.torn++
      continue
    }
    const due = next.get(entry.key) ?? 0
    if (entry.number < due) result.twice++
    if (entry.number > due) result.disordered++
    next.set(entry.key, Math.max(due, entry.number + 1))
  }
  for (const name of fs.readdirSync(ledgers)) {
    const bytes = fs.readFileSync(path.join(ledgers, name))
    const promised = bytes.length === 8 ? Number(bytes.readBigUInt64LE()) : 0
    result.promised += promised
    result.lost += Math.max(0, promised - (next.get(name.replace('-', '/')) ?? 0))
  }
  return result
}

/** Whether a check found fault. */
function isBad(result) {
  return result.lost + result.torn + result.twice + result.disordered + result.problems.length > 0
}

/**
 * `kills` kills at least, in logs of a few rounds each.
 *
 * @param {{ kills: number, seed?: number, onLog?: (sum: object) => void }} options
 * @returns the sum: kills, logs, entries, promised, lost, torn, twice, disordered, problems, and where bad logs were kept
 */
async function campaign({ kills, seed = Date.now() >>> 0, onLog }) {
  const rand = random(seed)
  const sum = {
    seed,
    kills: 0,
    logs: 0,
    entries: 0,
    promised: 0,
    lost: 0,
    torn: 0,
    twice: 0,
    disordered: 0,
    problems: [],
    kept: []
  }
  for (let number = 0; sum.kills < kills; ) {
    const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-kill-'))
    const log = path.join(directory, 'victim.log')
    const ledgers = path.join(directory, 'ledgers')
    fs.mkdirSync(ledgers)
    for (let rounds = 1 + Math.floor(rand() * 5); rounds > 0; rounds--)
      sum.kills += await round(number++, rand, log, ledgers)
    recover(log)
    recover(log)
    const result = check(log, ledgers)
    sum.logs++
    for (const name of ['entries', 'promised', 'lost', 'torn', 'twice', 'disordered']) sum[name] += result[name]
    if (isBad(result)) {
      sum.problems.push(...result.problems.map(problem => `${log}: ${problem}`))
      sum.kept.push(directory)
    } else {
      fs.rmSync(directory, { recursive: true })
    }
    onLog?.(sum)
  }
  return sum
}

module.exports = { campaign, check, isBad }
