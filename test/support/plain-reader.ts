import fs from 'node:fs'

/** A block as rules R1 to R6 of docs/reference/log-format.md describe it. */
export interface PlainBlock {
  offset: number
  capacity: number
  valid: number
  stride: number
  entries: Buffer[]
}

/** The trailer's fields the tests look at. */
export interface PlainTrailer {
  flags: number
  stream: bigint
  sequence: bigint
  firstTime: bigint
  lastTime: bigint
  entries: number
  producer: number
}

const alignUp = (value: number): number => Math.ceil(value / 512) * 512

function entriesOf(data: Buffer): Buffer[] {
  const entries: Buffer[] = []
  for (let at = 0; at < data.length; ) {
    const length = data.readUInt32LE(at)
    if (length === 0 || at + 4 + length > data.length) throw new Error(`entry of ${length} bytes at ${at} breaks R2`)
    entries.push(data.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return entries
}

/** Of a torn block, the entries that are whole. */
function wholeEntriesOf(data: Buffer): Buffer[] {
  const entries: Buffer[] = []
  for (let at = 0; at + 4 <= data.length; ) {
    const length = data.readUInt32LE(at)
    if (length === 0 || at + 4 + length > data.length) break
    entries.push(data.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  return entries
}

/**
 * Reads a log by the rules alone, with no code of the package. Throws on anything the rules do not
 * allow; carriers come out as blocks without entries. `mayBeTorn`: nobody was left to complete a
 * block, of which what is whole counts, and what is no header is passed over.
 */
export function readPlain(file: string, mayBeTorn = false): PlainBlock[] {
  const log = fs.readFileSync(file)
  if (log.length % 512 !== 0 && !mayBeTorn) throw new Error(`size ${log.length} is not a multiple of 512`)
  const blocks: PlainBlock[] = []
  for (let at = 0; at < log.length; ) {
    const capacity = log.readUInt32LE(at)
    const valid = log.readUInt32LE(at + 4)
    if (capacity === 0 && valid === 0) {
      at += 512
      continue
    }
    const isHeader = capacity % 512 === 0 && capacity <= 2 ** 30 && valid <= capacity - 8
    if (mayBeTorn && !isHeader) {
      at += 512
      continue
    }
    const stride = alignUp(8 + valid)
    if (mayBeTorn && at + stride > log.length) {
      blocks.push({ offset: at, capacity, valid, stride, entries: wholeEntriesOf(log.subarray(at + 8)) })
      break
    }
    if (valid > capacity - 8 || at + stride > log.length) throw new Error(`header ${capacity}/${valid} at ${at}`)
    blocks.push({ offset: at, capacity, valid, stride, entries: entriesOf(log.subarray(at + 8, at + 8 + valid)) })
    at += stride
  }
  return blocks
}

/** All entries of a log, in file order. */
export const readEntries = (file: string, mayBeTorn = false): Buffer[] =>
  readPlain(file, mayBeTorn).flatMap(block => block.entries)

/** All entries of a log as text, in file order. */
export const readTexts = (file: string, mayBeTorn = false): string[] =>
  readEntries(file, mayBeTorn).map(entry => entry.toString())

/** The trailer of each block with entries, its carrier's if it has one. */
export function readTrailers(file: string): PlainTrailer[] {
  const log = fs.readFileSync(file)
  return readPlain(file)
    .filter(block => block.valid > 0)
    .map(block => {
      const inside = block.stride - 8 - block.valid >= 64
      const at = block.offset + block.stride + (inside ? 0 : 512) - 64
      if (log.toString('latin1', at, at + 4) !== 'SHLT') throw new Error(`no trailer at ${at}`)
      return {
        flags: log.readUInt16LE(at + 6),
        stream: log.readBigUInt64LE(at + 8),
        sequence: log.readBigUInt64LE(at + 16),
        firstTime: log.readBigUInt64LE(at + 24),
        lastTime: log.readBigUInt64LE(at + 32),
        entries: log.readUInt32LE(at + 40),
        producer: log.readUInt32LE(at + 52)
      }
    })
}
