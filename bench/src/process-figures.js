'use strict'

const fs = require('node:fs')

const statusKb = name =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(fs.readFileSync('/proc/self/status', 'utf8'))?.[1])

/** The most memory this process has had, in bytes. */
const peakResidentBytes = () => statusKb('VmHWM') * 1024

/**
 * Nanoseconds of CPU that threads of the given name have used in this process.
 * @throws if there is no such thread
 */
function threadCpuNs(name) {
  const tasks = fs.readdirSync('/proc/self/task').map(id => `/proc/self/task/${id}`)
  const mine = tasks.filter(task => fs.readFileSync(`${task}/comm`, 'utf8').trim() === name)
  if (mine.length === 0) throw new Error(`this process has no thread named ${name}`)
  return mine.reduce((sum, task) => sum + taskCpuNs(task), 0)
}

/**
 * From the scheduler's statistics, in ns; where the kernel keeps none, from stat's clock ticks, of
 * which a second has 100.
 */
function taskCpuNs(task) {
  if (fs.existsSync(`${task}/schedstat`)) return Number(fs.readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0])
  const afterName = fs
    .readFileSync(`${task}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ')
  return (Number(afterName[11]) + Number(afterName[12])) * 1e7
}

module.exports = { peakResidentBytes, threadCpuNs }
