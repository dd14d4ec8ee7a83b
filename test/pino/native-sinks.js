'use strict'

// A package like ours whose loggers take a detour: what they log to a JavaScript stream goes
// through a destination with a format into a file first, and its lines from there to the stream. So
// pino's tests see lines that the flusher has made.

const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { Stream } = require('node:stream')

const encoderSym = Symbol.for('shardlog.recordEncoder')
const metadataSym = Symbol.for('pino.metadata')

const directories = []
process.on('exit', () => {
  for (const directory of directories) fs.rmSync(directory, { recursive: true, force: true })
})

function logFile() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-sink-'))
  directories.push(directory)
  return path.join(directory, 'sink.log')
}

/**
 * Streams made of JavaScript alone. What wants to know of each record as it is logged stays as it
 * is.
 */
function isSink(stream) {
  if (typeof stream !== 'object' || stream === null || stream[metadataSym]) return false
  if (stream === process.stdout || stream === process.stderr || typeof stream.write !== 'function') return false
  return stream instanceof Stream || Object.getPrototypeOf(stream) === Object.prototype
}

/** Passes on the lines that have come into `file` since the last call. */
function passer(file, sink) {
  let offset = 0
  return () => {
    const bytes = fs.readFileSync(file).subarray(offset)
    offset += bytes.length
    for (const line of bytes.toString().split(/(?<=\n)/)) if (line !== '') sink.write(line)
  }
}

/** Calls `pass` when what was logged is in the file: in the log call, or soon after it. */
function scheduler(destination, pass, mode) {
  if (mode === 'sync') {
    return () => {
      destination.flushSync()
      pass()
    }
  }
  let isDue = false
  return () => {
    if (isDue) return
    isDue = true
    setImmediate(() => {
      isDue = false
      destination.flush(pass)
    })
  }
}

/** A destination whose lines go on to `sink`. */
function detour(shardlog, sink, mode, engine) {
  const file = logFile()
  const options = {
    crashSafe: false,
    directIO: 'off',
    dsync: false,
    bufferSize: 2 ** 20,
    numShards: 1,
    engine
  }
  const destination = shardlog.destination({ dest: file, format: 'ndjson', ...options })
  const encoder = destination[encoderSym]
  const schedule = scheduler(
    { flush: destination.flush.bind(destination), flushSync: destination.flushSync.bind(destination) },
    passer(file, sink),
    mode
  )
  const write = destination.write.bind(destination)
  return Object.assign(destination, {
    [encoderSym]: encoder && {
      ...encoder,
      write(...record) {
        encoder.write(...record)
        schedule()
      }
    },
    write(line) {
      write(line)
      schedule()
    },
    emit: (...args) => sink.emit?.(...args),
    flushSync: () => sink.flushSync?.()
  })
}

/**
 * @param mode 'sync' or 'async': when lines reach the streams
 * @param engine that of the destinations
 */
module.exports = (shardlog, mode, engine) => {
  function pino(first, second) {
    if (isSink(first)) return shardlog(detour(shardlog, first, mode, engine))
    return isSink(second) ? shardlog(first, detour(shardlog, second, mode, engine)) : shardlog(first, second)
  }
  return Object.assign(pino, shardlog, { default: pino, pino })
}
