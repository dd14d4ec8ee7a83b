'use strict'

// Mutates the golden files and lets readLog and verifyLog loose on them. Whatever the bytes, both have to end, neither may throw but
// to say that a file is no log, and a block with a trailer in which a bit was flipped has to be reported. Every fifth run is one of
// fuzz-text.js.
//
//   node scripts/fuzz-readers.js [SECONDS] [SEED]     30 s by default; needs the built package

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { readLog, verifyLog } = require('..')
const { fuzzText } = require('./fuzz-text')
const { random } = require('./kill-campaign/entry')

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

/** Flips one bit of the entries of a sound block, or of its header or trailer: has to be noticed. */
async function flipIsReported(file, rand) {
  const bytes = fs.readFileSync(path.join(golden, 'three-blocks.log'))
  const used = 8 + bytes.readUInt32LE(4)
  const at = rand() < 0.5 ? Math.floor(rand() * used) : Math.ceil(used / 512) * 512 - 64 + Math.floor(rand() * 64)
  bytes[at] ^= 1 << Math.floor(rand() * 8)
  fs.writeFileSync(file, bytes)
  const report = await verifyLog(file)
  if (report.ok) throw new Error(`a bit flipped at ${at} was not reported`)
}

async function main() {
  const [seconds = 30, seed = Date.now() >>> 0] = process.argv.slice(2).map(Number)
  const rand = random(seed)
  const corpus = seeds()
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-fuzz-'))
  const file = path.join(directory, 'log')
  const until = Date.now() + seconds * 1000
  let runs = 0
  try {
    for (; Date.now() < until; runs++) {
      if (runs % 5 === 4) await flipIsReported(file, rand)
      else if (runs % 5 === 3) await fuzzText(file, rand)
      else {
        fs.writeFileSync(file, mutate(corpus[Math.floor(rand() * corpus.length)], rand))
        await readAll(file, rand)
      }
    }
    fs.rmSync(directory, { recursive: true })
    console.log(`readers: ${runs} runs, seed ${seed}`)
  } catch (error) {
    console.error(`after ${runs} runs, seed ${seed}, kept ${file}`)
    throw error
  }
}

main()
