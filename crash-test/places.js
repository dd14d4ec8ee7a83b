'use strict'

// Where the log of a target lies, and how that place changes between a kill and the next start.

const { spawnSync } = require('node:child_process')
const fs = require('node:fs')
const os = require('node:os')
const path = require('node:path')
const { output, run } = require('../scripts/run')
const { atEnd } = require('./cleanup')

/** The volume's; of the image, only what is written takes room. */
const IMAGE_BYTES = 2 ** 30

/** A folder. `rotated`: names of what was rotated away, the oldest first. */
class Folder {
  rotated = []
  /** Holds all there is of this log, also what has to stay where it is. */
  base = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-kill-'))
  directory = path.join(this.base, 'logs')
  ackLogs = path.join(this.base, 'ackLogs')
  #moves = 0

  constructor() {
    fs.mkdirSync(this.ackLogs)
    fs.mkdirSync(this.directory)
  }

  get log() {
    return path.join(this.directory, 'target.log')
  }

  /** The log and what was rotated away, the oldest first. */
  get files() {
    return [...this.rotated.map(name => path.join(this.directory, name)), this.log]
  }

  elsewhere() {
    return path.join(this.base, `logs-${++this.#moves}`)
  }

  /** The folder gets another name. */
  move() {
    const moved = this.elsewhere()
    fs.renameSync(this.directory, moved)
    this.directory = moved
  }

  /** Log, arena and all are copied, and the copy is what is used from now on. */
  copy() {
    const copied = this.elsewhere()
    run('cp', ['-a', this.directory, copied])
    fs.rmSync(this.directory, { recursive: true })
    this.directory = copied
  }

  /** @param {boolean} keep whether somebody will want to look at it */
  close(keep) {
    if (!keep) fs.rmSync(this.base, { recursive: true })
  }
}

/** A folder on a file system of its own. */
class Volume extends Folder {
  #image = path.join(this.base, 'image')
  #mounted = path.join(this.base, 'disk')
  #device = ''
  #end

  constructor() {
    super()
    fs.mkdirSync(this.#mounted)
    fs.writeFileSync(this.#image, '')
    fs.truncateSync(this.#image, IMAGE_BYTES)
    this.#device = this.#attach()
    this.#end = atEnd(() => this.#detach())
    run('mkfs.ext4', ['-q', this.#device])
    run('mount', [this.#device, this.#mounted])
    this.directory = path.join(this.#mounted, 'logs')
    fs.mkdirSync(this.directory)
  }

  #attach() {
    return output('losetup', ['-f', '--show', this.#image]).trim()
  }

  #detach() {
    spawnSync('umount', [this.#mounted], { stdio: 'ignore' }) // It may not have come to the mount.
    run('losetup', ['-d', this.#device])
  }

  /** It is unmounted, and mounted again as another device. */
  comeBack() {
    run('umount', [this.#mounted])
    const before = this.#device
    const number = fs.statSync(before).rdev
    this.#device = this.#attach()
    if (fs.statSync(this.#device).rdev === number) throw new Error('the volume came back as the same device')
    run('losetup', ['-d', before])
    run('mount', [this.#device, this.#mounted])
  }

  close(keep) {
    if (keep) run('cp', ['-a', this.directory, path.join(this.base, 'kept')])
    this.#end()
    fs.rmSync(this.#image)
    super.close(keep)
  }
}

module.exports = { Folder, Volume }
