'use strict'

// What is logged, and what happens to the log meanwhile.

const { spawnSync } = require('node:child_process')

/**
 * `format`: entries of `Logger`, or records of a structured logger to a file of one of the formats,
 * or to a pipe, with `recoverTo`. `setting`: what is special about it.
 *
 * - none: between kills, the log may be rotated or its folder renamed
 * - long: lines are much longer than their records
 * - spills: some lines are larger than a shard, and recoveries are killed more often
 * - volume: the log's volume comes back as another device between kills
 * - copied: log and arena are copied to another folder between kills, and used there
 * - tailed: readers follow the log over kills, restarts and rotations, and must have each line once
 * - beside: another program appends to the log all the time, also while it is recovered
 * - rotated: the log is rotated while the process that is killed later writes to it
 */
const FORMATS_OF_SETTINGS = {
  '': ['entries', 'ndjson', 'shard', 'pipe'],
  long: ['ndjson', 'shard'],
  spills: ['ndjson', 'shard', 'pipe'],
  volume: ['entries', 'ndjson', 'shard'],
  copied: ['entries', 'ndjson', 'shard'],
  tailed: ['ndjson'],
  beside: ['entries', 'ndjson', 'shard'],
  rotated: ['entries', 'ndjson', 'shard']
}

const nameOf = (setting, format) => (setting === '' ? format : `${setting}-${format}`)

/** By their names. */
const KINDS = new Map(
  Object.entries(FORMATS_OF_SETTINGS).flatMap(([setting, formats]) =>
    formats.map(format => [nameOf(setting, format), { name: nameOf(setting, format), setting, format }])
  )
)

const succeeds = (command, args) => spawnSync(command, args, { stdio: 'ignore' }).status === 0

/** Whether volumes can be attached and mounted here. */
const canMount = () =>
  process.getuid() === 0 && succeeds('losetup', ['-f']) && succeeds('sh', ['-c', 'command -v mkfs.ext4'])

/** Kinds that cannot be had on this machine, with what they need. */
function leftOut() {
  if (canMount()) return new Map()
  const names = [...KINDS.values()].filter(({ setting }) => setting === 'volume').map(({ name }) => name)
  return new Map(names.map(name => [name, 'needs root, loop devices and mkfs.ext4; copied logs stand for it']))
}

module.exports = { KINDS, leftOut }
