'use strict'

// Readers that follow a log as it grows.

const { spawn } = require('node:child_process')
const { once } = require('node:events')
const fs = require('node:fs')
const { setTimeout: pause } = require('node:timers/promises')
const { atEnd } = require('./cleanup')

const LOOK_MS = 3
const TAIL_WAIT_MS = 20_000

/** Reads files by inode and offset, as shippers of logs do; one that was renamed is read on. */
class InodeReader {
  /** How often a file was found shorter than what had been read of it. */
  cuts = 0
  #files = []
  #log
  #end

  constructor(log) {
    this.#log = log
    const timer = setInterval(() => this.#read(), LOOK_MS)
    this.#end = atEnd(() => {
      clearInterval(timer)
      for (const { fd } of this.#files) fs.closeSync(fd)
    })
  }

  #read() {
    const named = fs.statSync(this.#log, { throwIfNoEntry: false })
    if (named !== undefined && this.#files.every(({ inode }) => inode !== named.ino)) {
      this.#files.push({ fd: fs.openSync(this.#log, 'r'), inode: named.ino, parts: [], offset: 0 })
    }
    for (const file of this.#files) this.#drain(file)
  }

  #drain(file) {
    const { size } = fs.fstatSync(file.fd)
    if (size < file.offset) this.cuts++
    if (size <= file.offset) return
    const bytes = Buffer.alloc(size - file.offset)
    const count = fs.readSync(file.fd, bytes, 0, bytes.length, file.offset)
    file.parts.push(bytes.subarray(0, count))
    file.offset += count
  }

  /** All that was read, a text for each file in the order in which they had the log's name. */
  end() {
    this.#read()
    this.#end()
    return this.#files.map(({ parts }) => Buffer.concat(parts))
  }
}

/** `tail -F` into the file `copy`. */
class Tail {
  #child
  #exited
  #copy
  #end

  constructor(log, copy) {
    this.#copy = copy
    const out = fs.openSync(copy, 'w')
    this.#child = spawn('tail', ['-n', '+1', '-s', '0.05', '-F', log], { stdio: ['ignore', out, 'ignore'] })
    fs.closeSync(out)
    this.#exited = once(this.#child, 'exit')
    this.#end = atEnd(() => this.#child.kill('SIGKILL'))
  }

  /**
   * What it wrote by the time at which it had as much as the log, or stopped growing towards that.
   */
  async end(size) {
    const deadline = Date.now() + TAIL_WAIT_MS
    while (fs.statSync(this.#copy).size < size && Date.now() < deadline) {
      await pause(20)
    }
    this.#end()
    await this.#exited
    return fs.readFileSync(this.#copy)
  }
}

module.exports = { InodeReader, Tail }
