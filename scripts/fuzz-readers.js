'use strict'

// Mutates the golden files and lets readLog and verifyLog loose on them. Whatever the bytes, both
// have to end, neither may throw but to say that a file is no log, and a block with a trailer in
// which a bit was flipped has to be reported. Between sound blocks, whatever headers claim, each of
// them has to be delivered. A mutated arena beside a log must not keep the log from being read.
// Every sixth run is one of fuzz-text.js.
//
//   node scripts/fuzz-readers.js [SECONDS] [SEED]     30 s by default; needs the built package

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { readLog, verifyLog } = require('..')
const { arenaPaths } = require('../dist/arena/locate')
const { crc32c } = require('../dist/format/block')
const { fuzzText } = require('./fuzz-text')
const { random } = require('../crash-test/entry')

const golden = path.join(__dirname, '..', 'test', 'golden')
const LARGEST_SEED = 64 * 1024

function seeds() {
  const files = fs.readdirSync(golden).filter(name => name.endsWith('.log'))
  return files.map(name => fs.readFileSync(path.join(golden, name))).filter(bytes => bytes.length <= LARGEST_SEED)
}

const mutations = [
  (bytes, rand) => {
    bytes[Math.floor(rand() * bytes.length)] ^= 1 << Math.floor(rand() * 8)
    return bytes
  },
  (bytes, rand) => {
    bytes.writeUInt32LE(Math.floor(rand() * 2 ** 32), Math.floor(rand() * (bytes.length - 4)))
    return bytes
  },
  (bytes, rand) => {
    const sector = Math.floor((rand() * (bytes.length - 8)) / 512) * 512
    bytes.writeUInt32LE(rand() < 0.5 ? Math.floor(rand() * 2000) : 0xffffffff, sector + (rand() < 0.5 ? 0 : 4))
    return bytes
  },
  (bytes, rand) => bytes.subarray(0, Math.floor(rand() * bytes.length)),
  (bytes, rand) => {
    const cut = Math.floor(rand() * bytes.length)
    return Buffer.concat([bytes.subarray(0, cut), bytes.subarray(Math.floor(rand() * bytes.length))])
  }
]

function mutate(seed, rand) {
  let bytes = Buffer.from(seed)
  for (let times = 1 + Math.floor(rand() * 4); times > 0 && bytes.length > 512; times--) {
    bytes = mutations[Math.floor(rand() * mutations.length)](bytes, rand)
  }
  return bytes
}

/** Reads all of it; as which format depends on the bytes, or not. */
async function readAll(file, rand) {
  const format = rand() < 0.5 ? 'auto' : 'shard'
  try {
    await verifyLog(file, { format })
    let bytes = 0
    for await (const entry of readLog(file, { format })) bytes += entry.bytes.length
    if (bytes > fs.statSync(file).size) throw new Error('more bytes of entries than the file has')
  } catch (error) {
    if (format !== 'auto' || error.code !== 'ERR_SHARDLOG_FORMAT') throw error
  }
}

/**
 * Flips one bit of the entries of a sound block, or of its header or trailer: has to be noticed.
 */
async function flipIsReported(file, rand) {
  const bytes = fs.readFileSync(path.join(golden, 'three-blocks.log'))
  const used = 8 + bytes.readUInt32LE(4)
  const at = rand() < 0.5 ? Math.floor(rand() * used) : Math.ceil(used / 512) * 512 - 64 + Math.floor(rand() * 64)
  bytes[at] ^= 1 << Math.floor(rand() * 8)
  fs.writeFileSync(file, bytes)
  const report = await verifyLog(file)
  if (report.ok) throw new Error(`a bit flipped at ${at} was not reported`)
}

/**
 * Sound blocks with made-up headers between them: all have to come, from the file and by its tail.
 */
async function soundIsDelivered(file, rand) {
  const golden = fs.readFileSync(path.join(__dirname, '..', 'test', 'golden', 'one-block.log'))
  const parts = []
  let sound = 0
  for (let count = 1 + Math.floor(rand() * 12); count > 0; count--) {
    if (rand() < 0.5) {
      parts.push(golden)
      sound++
    } else parts.push(junk(rand))
  }
  const bytes = Buffer.concat(parts)
  fs.writeFileSync(file, bytes)
  // What only looks like a block may lie behind the end as well.
  if (rand() < 0.1) fs.truncateSync(file, bytes.length + 512 * Math.floor(rand() * 40_000))
  const { checkedBlocks } = await verifyLog(file, { format: 'shard' })
  if (checkedBlocks !== sound) throw new Error(`${checkedBlocks} of ${sound} sound blocks were found`)
}

/** Sectors that begin as a block might. */
function junk(rand) {
  const limits = [16, 1024, 1 << 20, 2 ** 30 + 1, 2 ** 32]
  const word = () => Math.floor(rand() * limits[Math.floor(rand() * limits.length)])
  const bytes = Buffer.alloc(512 * (1 + Math.floor(rand() * 3)), rand() < 0.5 ? 0 : 0x61)
  const valid = word()
  const words = [
    rand() < 0.5 ? word() : Math.min(2 ** 32 - 1, valid + 8),
    valid,
    rand() < 0.5 ? word() : Math.max(0, valid - 4)
  ]
  for (const [i, value] of words.entries()) bytes.writeUInt32LE(value, 4 * i)
  if (rand() < 0.3) bytes.write('SHLT\x01\0', bytes.length - 64, 'latin1')
  if (rand() < 0.3) bytes.writeUInt32LE(bytes.length, bytes.length - 8)
  return bytes
}

/**
 * The arenas of two logs, one of entries and one of records, as a process that is killed leaves
 * them.
 */
function makeArenas(directory) {
  const logs = ['entries.log', 'records.log'].map(name => path.join(directory, name))
  const script = `
    const shardlog = require(${JSON.stringify(path.join(__dirname, '..'))})
    const logger = new shardlog.Logger({ logFilePath: ${JSON.stringify(logs[0])}, bufferSize: 1 << 20, numShards: 2 })
    const log = shardlog(shardlog.destination({ dest: ${JSON.stringify(logs[1])}, format: 'ndjson', bufferSize: 1 << 20, numShards: 2 }))
    for (let i = 0; i < 50; i++) logger.log('entry ' + i)
    for (let i = 0; i < 50; i++) log.info({ i, text: 'some', nested: { i } }, 'a record')
    process.kill(process.pid, 'SIGKILL')`
  spawnSync(process.execPath, ['-e', script])
  return logs.map(log => {
    const place = arenaPaths(log).find(file => fs.existsSync(file))
    return { log, place, bytes: fs.readFileSync(place) }
  })
}

/** A mutated arena beside an empty log, given by its log and by its name. */
async function readArena({ log, place, bytes }, rand) {
  const changed = Buffer.from(bytes)
  for (let times = 1 + Math.floor(rand() * 6); times > 0; times--) {
    // Most of an arena is empty: what is read is its beginning, and that of each segment.
    const at =
      rand() < 0.5
        ? Math.floor(rand() * 8192)
        : Math.floor((rand() * changed.length) / 8192) * 8192 + Math.floor(rand() * 900)
    changed.writeUInt32LE(
      rand() < 0.5 ? Math.floor(rand() * 64) : Math.floor(rand() * 2 ** 32),
      Math.min(at, changed.length - 4)
    )
  }
  if (rand() < 0.3) {
    changed.writeUInt32LE(Math.floor(rand() * 300), 12 + 4 * Math.floor(rand() * 6))
    changed.writeUInt32LE(crc32c(changed, 0, 0, 56), 104)
  }
  fs.writeFileSync(place, rand() < 0.1 ? changed.subarray(0, Math.floor(rand() * changed.length)) : changed)
  await verifyLog(log)
  for await (const entry of readLog([log, log], { order: rand() < 0.5 ? 'time' : 'file' }))
    if (entry.length === 0) throw new Error('empty')
  try {
    await verifyLog(place)
    for await (const entry of readLog(place)) if (entry.length === 0) throw new Error('empty')
  } catch (error) {
    if (!/^ERR_SHARDLOG_(ARENA_CORRUPT|ARENA_VERSION|FORMAT)$/.test(error.code)) throw error
  }
}

async function main() {
  const [seconds = 30, seed = Date.now() >>> 0] = process.argv.slice(2).map(Number)
  const rand = random(seed)
  const corpus = seeds()
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-fuzz-'))
  const file = path.join(directory, 'log')
  const arenas = makeArenas(directory)
  const kinds = [
    () => flipIsReported(file, rand),
    () => fuzzText(file, rand),
    () => soundIsDelivered(file, rand),
    () => readArena(arenas[Math.floor(rand() * arenas.length)], rand)
  ]
  const golden = () => {
    fs.writeFileSync(file, mutate(corpus[Math.floor(rand() * corpus.length)], rand))
    return readAll(file, rand)
  }
  const until = Date.now() + seconds * 1000
  let runs = 0
  try {
    for (; Date.now() < until; runs++) await (kinds[runs % 6] ?? golden)()
    fs.rmSync(directory, { recursive: true })
    console.log(`readers: ${runs} runs, seed ${seed}`)
  } catch (error) {
    console.error(`after ${runs} runs, seed ${seed}, kept ${directory}`)
    throw error
  }
}

main()
