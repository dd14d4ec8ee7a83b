import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { arenaOf } from '../support/arena-path'
import { runChild } from '../support/child'
import { readTexts } from '../support/plain-reader'
import { BUSY, OPEN, RECORDS_ON_THEIR_WAY } from '../support/records-on-their-way'
import { Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

/** What may happen to the file, given as `arena`, while its log is open. */
const LOSSES = {
  deleted: 'fs.unlinkSync(arena)',
  renamed: "fs.renameSync(arena, arena + '.1')",
  'renamed into another directory': "fs.mkdirSync('other'); fs.renameSync(arena, 'other/arena')",
  'replaced by a copy of itself': "fs.copyFileSync(arena, arena + '.copy'); fs.renameSync(arena + '.copy', arena)",
  'replaced by something else': "fs.writeFileSync('else', 'else', { mode: 0o600 }); fs.renameSync('else', arena)",
  'deleted again and again': 'fs.unlinkSync(arena); setTimeout(() => fs.unlinkSync(arena), 100)'
}

/** Logs before and after the loss, lets the flusher notice it, logs on, and dies of SIGKILL. */
const script = (loss: string): string => `
  const fs = require('node:fs')
  process.chdir(require('node:path').dirname(config.logFilePath))
  const told = []
  const logger = new Logger({ ...config, onError: error => told.push(error.code) })
  const { arenaPath: arena } = logger.getStatsSnapshot()
  let next = 0
  const log = count => { for (let i = 0; i < count; i++) if (!logger.log('entry ' + next++)) throw new Error('dropped') }
  log(100)
  logger.flushSync()
  log(50)
  ${loss}
  setTimeout(() => {
    log(500)
    const { arenaPath, lastError } = logger.getStatsSnapshot()
    fs.writeSync(1, JSON.stringify({ next, told, arenaPath, lastError: lastError.message }))
    process.kill(process.pid, 'SIGKILL')
  }, 400)
  const busy = setInterval(() => log(20), 5)`

describe('an arena whose file is lost while its log is open', () => {
  it.each(Object.entries(LOSSES))('%s: it is told, and a kill afterwards loses nothing', (_, loss) => {
    const logFilePath = tempLog()
    const config = { logFilePath, engine: 'native', flushInterval: 50, bufferSize: 1 << 21, numShards: 2 }
    const killed = runChild(script(loss), { config })
    expect(killed.stderr).toBe('')
    const { next, told, arenaPath, lastError } = JSON.parse(killed.stdout)
    expect(new Set(told)).toEqual(new Set(['ERR_SHARDLOG_ARENA_LOST']))
    expect(arenaPath).toBe(arenaOf(logFilePath))
    expect(lastError).toContain('nothing is lost')
    const logger = new Logger(config as never)
    logger.closeSync()
    expect(readTexts(logFilePath)).toEqual(Array.from({ length: next }, (_, i) => `entry ${i}`))
    const rest = fs.readdirSync(path.dirname(logFilePath)).filter(name => name.endsWith('.arena'))
    expect(rest).toEqual([])
  })

  it('is told, and shows in the statistics, where nothing can be made in its place', () => {
    const logFilePath = tempLog()
    const config = { logFilePath, engine: 'native', flushInterval: 20, bufferSize: 1 << 20 }
    const ended = runChild(
      `const fs = require('node:fs')
       const told = []
       const logger = new Logger({ ...config, onError: error => told.push(error.code) })
       const { arenaPath: arena } = logger.getStatsSnapshot()
       fs.unlinkSync(arena)
       fs.symlinkSync('/etc/passwd', arena)
       const busy = setInterval(() => logger.log('text'), 5)
       setTimeout(() => {
         clearInterval(busy)
         const { arenaPath, lastError, droppedLogs } = logger.getStatsSnapshot()
         logger.closeSync()
         console.log(JSON.stringify({ told, arenaPath, droppedLogs, message: lastError.message, link: fs.readlinkSync(arena) }))
       }, 300)`,
      { config }
    )
    expect(ended.stderr).toBe('')
    expect(JSON.parse(ended.stdout)).toEqual({
      told: ['ERR_SHARDLOG_ARENA_LOST'],
      arenaPath: null,
      droppedLogs: 0,
      message: expect.stringContaining('is not a regular file'),
      link: '/etc/passwd'
    })
    expect(readTexts(logFilePath).length).toBeGreaterThan(5)
  })

  it.each(RECORDS_ON_THEIR_WAY)(
    'records that are on their way while it moves are whole: $format, $options',
    ({ format, options }) => {
      const dest = tempLog()
      const config = { dest, format, ...BUSY, options }
      const ended = runChild(
        `${OPEN}
       let lost = 0
       const step = () => {
         say()
         if (told.length === 60) return end()
         if (told.length === lost) {
           fs.unlinkSync(arenaPath)
           lost++
         }
         setImmediate(step)
       }
       const end = () => {
         destination.flushSync()
         const { droppedLogs } = destination.getStatsSnapshot()
         const recorder = shardlog.getLoggerStats(log).recorder
         destination.closeSync()
         console.log(JSON.stringify({ n, told: [...new Set(told)], droppedLogs, recorded: recorder?.recorded ?? n }))
       }
       step()`,
        { config }
      )
      expect(ended.stderr).toBe('')
      const { n, told, droppedLogs, recorded } = JSON.parse(ended.stdout)
      expect({ told, droppedLogs, recorded }).toEqual({
        told: ['ERR_SHARDLOG_ARENA_LOST'],
        droppedLogs: 0,
        recorded: n
      })
      const lines = format === 'shard' ? readTexts(dest).join('') : fs.readFileSync(dest, 'utf8')
      const numbers = lines
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line) as { n: number; within: { n: number } })
      expect(numbers.every((line, i) => line.n === i && line.within.n === i + 1)).toBe(true)
      expect(numbers).toHaveLength(n)
    }
  )
})
