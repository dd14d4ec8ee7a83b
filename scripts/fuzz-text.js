'use strict'

// The text side of fuzz-readers.js: made-up lines, mutated, against a reading of the same bytes in
// a few lines of JavaScript.

const fs = require('node:fs')
const { Readable } = require('node:stream')
const { isUtf8 } = require('node:buffer')
const { readLog, verifyLog } = require('..')
const { collectEntries } = require('../dist/reader/items')
const { LineScanner } = require('../dist/reader/lines')
const { FileSource, StreamSource } = require('../dist/reader/source')
const { tailStart } = require('../dist/reader/follow')

const PARTS = [
  '{"level":30,"time":1700000000000,"msg":"m"}',
  '{}',
  '[1]',
  '"s"',
  '{',
  '\\',
  ' ',
  '\r',
  '\0',
  'é',
  'text'
]
const NEWLINE = 0x0a

const below = (rand, limit) => Math.floor(rand() * limit)

/** Lines, most of them JSON, with whatever in between. */
function makeText(rand) {
  const parts = []
  for (let count = below(rand, 40); count > 0; count--) {
    const long = rand() < 0.02 ? 'x'.repeat(below(rand, 600_000)) : ''
    parts.push(Buffer.from(PARTS[rand() < 0.6 ? 0 : below(rand, PARTS.length)] + long))
    if (rand() < 0.9) parts.push(Buffer.from(rand() < 0.1 ? '\r\n' : '\n'))
    if (rand() < 0.03) parts.push(Buffer.from([below(rand, 256), below(rand, 256)]))
  }
  return Buffer.concat(parts)
}

/** The lines of `bytes`, each with its newline. */
function linesOf(bytes) {
  const lines = []
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(NEWLINE, at)
    const end = newline < 0 ? bytes.length : newline + 1
    lines.push(bytes.subarray(at, end))
    at = end
  }
  return lines
}

function isJson(line) {
  try {
    JSON.parse(line.toString())
    return isUtf8(line)
  } catch {
    return false // That is the answer.
  }
}

function same(lines, found, what) {
  const different = found.findIndex((line, i) => !lines[i]?.equals(line))
  if (different >= 0 || lines.length !== found.length) {
    throw new Error(`${what}: ${found.length} lines for ${lines.length}, different from line ${different}`)
  }
}

async function checkFile(file, lines) {
  const found = []
  for await (const entry of readLog(file, { format: 'ndjson', salvage: true })) found.push(Buffer.from(entry.bytes))
  same(lines, found, 'readLog')
  const report = await verifyLog(file, { format: 'ndjson' })
  const bad = lines.filter(line => !isJson(line)).length
  if (report.damageCount !== bad) throw new Error(`verifyLog: ${report.damageCount} findings for ${bad} lines`)
}

async function checkPipe(bytes, lines, rand) {
  const chunks = []
  for (let at = 0; at < bytes.length; at += chunks.at(-1).length) {
    chunks.push(bytes.subarray(at, at + 1 + below(rand, rand() < 0.5 ? 20 : 100_000)))
  }
  const scanner = new LineScanner(new StreamSource('-', Readable.from(chunks)), { salvage: true })
  same(lines, await drain(scanner), 'a pipe')
}

async function drain(scanner) {
  const found = []
  for (let items = await scanner.next(); items; items = await scanner.next()) {
    const entries = []
    for (const item of items) if (item.kind === 'lines') collectEntries(item, entries)
    found.push(...entries.map(entry => Buffer.from(entry.bytes)))
  }
  return found
}

/** A file that grows, read with limits and with steps that are taken back. */
async function checkGrowing(file, bytes, lines, rand) {
  fs.writeFileSync(file, '')
  const source = await FileSource.open({ path: file })
  const scanner = new LineScanner(source, { live: true })
  const found = []
  for (let at = 0; at < bytes.length; ) {
    const next = Math.min(bytes.length, at + 1 + below(rand, rand() < 0.5 ? 50 : 300_000))
    fs.appendFileSync(file, bytes.subarray(at, next))
    at = next
    scanner.limit = rand() < 0.3 ? scanner.position + below(rand, 100) : Number.POSITIVE_INFINITY
    const start = scanner.position
    const some = await drain(scanner)
    if (some.length > 0 && rand() < 0.2) scanner.rewind(start, [])
    else found.push(...some)
  }
  scanner.limit = Number.POSITIVE_INFINITY
  found.push(...(await drain(scanner)))
  await source.close()
  same(lines.at(-1)?.at(-1) === NEWLINE ? lines : lines.slice(0, -1), found, 'a growing file')
}

async function checkTail(file, bytes, lines, rand) {
  const source = await FileSource.open({ path: file })
  const wanted = below(rand, lines.length + 2)
  const start = await tailStart(source, wanted, 'ndjson')
  await source.close()
  const begins = start === 0 || bytes[start - 1] === NEWLINE
  const rest = linesOf(bytes.subarray(start)).filter(line => line.at(-1) === NEWLINE).length
  const all = lines.filter(line => line.at(-1) === NEWLINE).length
  if (!begins || rest !== Math.min(wanted, all)) throw new Error(`tailStart: ${rest} lines for ${wanted} of ${all}`)
}

/** One made-up text, read in every way. */
exports.fuzzText = async (file, rand) => {
  const bytes = makeText(rand)
  const lines = linesOf(bytes)
  await checkPipe(bytes, lines, rand)
  await checkGrowing(file, bytes, lines, rand)
  await checkFile(file, lines)
  await checkTail(file, bytes, lines, rand)
}
