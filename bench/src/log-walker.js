'use strict'

const fs = require('node:fs')

const BLOCK_ALIGN = 512
const HEADER_BYTES = 8
const WINDOW_BYTES = 8 * 1024 * 1024

/**
 * Walks a log with nothing but the block rules R1, R2 and R6 of docs/reference/log-format.md;
 * shares no code with shardlog, so that it can bear witness. Calls
 * `onEntry(buffer, offset, length)` for each entry; returns the number of entries, blocks and
 * bytes. Throws on anything that is not a sound block.
 */
function walkLog(file, onEntry) {
  const fd = fs.openSync(file, 'r')
  try {
    return walkBlocks(fd, fs.fstatSync(fd).size, onEntry)
  } finally {
    fs.closeSync(fd)
  }
}

function walkBlocks(fd, size, onEntry) {
  const total = { entries: 0, blocks: 0, bytes: size }
  let window = Buffer.allocUnsafeSlow(WINDOW_BYTES)
  let start = 0
  let end = 0
  let position = 0
  /** Makes file bytes [position, position + bytes) available in the window. */
  const need = bytes => {
    if (position + bytes > size) throw new Error(`the block at ${position} reaches past the end of the file`)
    if (position >= start && position + bytes <= end) return
    if (bytes > window.length) window = Buffer.allocUnsafeSlow(bytes)
    start = position
    end = start + readFully(fd, window, Math.min(window.length, size - start), start)
  }
  while (position < size) {
    need(HEADER_BYTES)
    const capacity = window.readUInt32LE(position - start)
    const valid = window.readUInt32LE(position - start + 4)
    if (capacity === 0 && valid === 0) {
      position += BLOCK_ALIGN
      continue
    }
    if (valid > capacity - HEADER_BYTES)
      throw new Error(`the block at ${position} claims ${valid} of ${capacity} bytes`)
    need(HEADER_BYTES + valid)
    total.entries += walkEntries(window, position - start + HEADER_BYTES, valid, onEntry)
    total.blocks++
    position += Math.ceil((HEADER_BYTES + valid) / BLOCK_ALIGN) * BLOCK_ALIGN
  }
  return total
}

function walkEntries(window, from, valid, onEntry) {
  const to = from + valid
  let entries = 0
  for (let at = from; at < to; entries++) {
    const length = window.readUInt32LE(at)
    at += 4
    if (length === 0 || at + length > to) throw new Error(`an entry of ${length} bytes does not fit its block`)
    onEntry(window, at, length)
    at += length
  }
  return entries
}

function readFully(fd, buffer, bytes, position) {
  let done = 0
  while (done < bytes) {
    const read = fs.readSync(fd, buffer, done, bytes - done, position + done)
    if (read === 0) throw new Error('the file became shorter while it was read')
    done += read
  }
  return done
}

module.exports = { walkLog }
