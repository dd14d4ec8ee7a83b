import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runChild } from '../support/child'
import { Logger, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

const MIB = 1 << 20

/** Bytes of the arenas of this process that are mapped from files, named or not. */
const mappedArenas = (): string[] =>
  fs
    .readFileSync('/proc/self/maps', 'latin1')
    .split('\n')
    .filter(line => line.includes('.arena'))

describe('after closing, the native engine', () => {
  it.each(['file', 'shm'] as const)(
    "keeps nothing of an arena of crashSafe '%s', and its last statistics",
    async crashSafe => {
      const logFilePath = tempLog()
      for (const close of ['closeSync', 'close'] as const) {
        const logger = new Logger({ logFilePath, crashSafe, engine: 'native', bufferSize: MIB })
        const place = logger.getStatsSnapshot().arenaPath!
        // Two routes: one of them looks at the arena through ArrayBuffers, which are not collected
        // yet below.
        logger.log('text')
        logger.logBytes(Buffer.from('bytes'))
        await logger.flush()
        logger.log('text')
        expect(mappedArenas()).not.toEqual([])
        await logger[close]()
        expect(mappedArenas()).toEqual([])
        expect(fs.existsSync(place)).toBe(false)
        expect(logger.log('late')).toBe(false)
        expect(logger.logBytes(Buffer.from('late'))).toBe(false)
        const { totalLogs, droppedLogs, writtenLogs, setSwaps, arenaPath } = logger.getStatsSnapshot()
        expect({ totalLogs, droppedLogs, writtenLogs, setSwaps, arenaPath }).toEqual({
          totalLogs: 5,
          droppedLogs: 2,
          writtenLogs: 3,
          setSwaps: 1,
          arenaPath: place
        })
        expect(logger.getShardStats()[0]).toMatchObject({ shardId: 0, writeCount: 3 })
        await logger.flush()
        logger.flushSync()
      }
    }
  )

  it('takes no more memory for a thousand logs than for one', () => {
    const ended = runChild(
      `const rss = () => Number(/VmRSS:\\s+(\\d+)/.exec(require('node:fs').readFileSync('/proc/self/status', 'latin1'))[1])
       ;(async () => {
         let before
         for (let i = 0; i < 1050; i++) {
           if (i === 50) before = rss()
           const logger = new Logger(config)
           logger.log('text')
           logger.logBytes(Buffer.from('bytes'))
           await logger.close()
         }
         console.log(rss() - before)
       })()`,
      { config: { logFilePath: tempLog(), engine: 'native', dsync: false } }
    )
    expect(ended.stderr).toBe('')
    expect(Number(ended.stdout) / 1024).toBeLessThan(8)
  })

  it('keeps nothing of a logger that was opened and closed while another had its log open', () => {
    const logFilePath = tempLog()
    const keeps = new Logger({ logFilePath, engine: 'native', bufferSize: MIB })
    for (let i = 0; i < 2_000; i++) {
      const other = new Logger(logFilePath)
      other.log('text')
      other.closeSync()
      other.log('late')
    }
    // Of a closed logger there is one producer for all, which counts what they drop.
    const { totalLogs, droppedLogs, producers } = keeps.getStatsSnapshot()
    expect({ totalLogs, droppedLogs, producers }).toEqual({ totalLogs: 4_000, droppedLogs: 2_000, producers: 1 })
    keeps.closeSync()
    expect(mappedArenas()).toEqual([])
  })

  it('has written what other destinations of the process go on with', () => {
    const destination = shardlog.destination({ dest: tempLog(), format: 'ndjson', engine: 'native' })
    shardlog({}, destination).info('line')
    destination.closeSync()
    expect(mappedArenas()).toEqual([])
    expect(destination.getStatsSnapshot()).toMatchObject({ writtenLogs: 1, droppedLogs: 0 })
  })
})
