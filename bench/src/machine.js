'use strict'

const fs = require('node:fs')
const os = require('node:os')
const { source, step } = require('./clock')
const { format } = require('./numbers')

/**
 * File system type of the mount that holds `folder`: the longest mount point that is a prefix of
 * it.
 */
function fileSystem(folder) {
  const mounts = fs
    .readFileSync('/proc/self/mounts', 'utf8')
    .trim()
    .split('\n')
    .map(line => line.split(' '))
  const holding = mounts.filter(([, point]) => point === '/' || folder === point || folder.startsWith(`${point}/`))
  return holding.sort((a, b) => a[1].length - b[1].length).at(-1)?.[2] ?? 'unknown'
}

/** What a reader needs to judge the figures by. */
function describe(folder) {
  return {
    processor: `${os.cpus()[0].model.trim()}, ${os.cpus().length} cores seen`,
    memory: `${format(os.totalmem() / 2 ** 30)} GiB`,
    system: `${os.type()} ${os.release()} ${os.arch()}`,
    'file system': fileSystem(fs.realpathSync(folder)),
    node: `${process.version}, V8 ${process.versions.v8}`,
    clock: `${source}, in steps of ${format(step())} ns`,
    'load before': os
      .loadavg()
      .map(load => load.toFixed(2))
      .join(' ')
  }
}

module.exports = { describe }
