import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runChild } from '../support/child'
import { readTexts } from '../support/plain-reader'
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

  it('leaves a few kilobytes of JavaScript heap at the most, but for a full collection', () => {
    const child = (cycle: string) =>
      runChild(
        `const used = () => (gc({ type: 'minor' }), gc({ type: 'minor' }), require('node:v8').getHeapStatistics().used_heap_size)
         const turn = () => new Promise(resolve => setImmediate(resolve))
         ;(async () => {
           const times = async (count, ended) => { for (let i = 0; i < count; i++) { ${cycle}; await ended() } }
           await times(150, turn)
           gc()
           const before = used()
           await times(80, turn)
           console.log((used() - before) / 80)
         })()`,
        {
          config: { logFilePath: tempLog(), engine: 'native', dsync: false },
          // A young generation that does not grow.
          nodeArgs: ['--expose-gc', '--max-semi-space-size=1']
        }
      )
    const raw = child("const logger = new Logger(config); logger.log('text'); logger.closeSync()")
    const lines = child(
      "const { logFilePath: dest, ...options } = config; const destination = shardlog.destination({ dest: dest + '.ndjson', format: 'ndjson', ...options }); shardlog({}, destination).info({ user: 1 }, 'text'); destination.closeSync()"
    )
    expect([raw.status, raw.stderr, lines.status, lines.stderr]).toEqual([0, '', 0, ''])
    expect(Number(raw.stdout)).toBeLessThan(4_000)
    expect(Number(lines.stdout)).toBeLessThan(4_000)
  })

  it('leaves nobody a way to the log that is opened next', () => {
    const first = tempLog()
    const second = tempLog()
    const closed = new Logger({ logFilePath: first, engine: 'native', bufferSize: MIB })
    expect(closed.logBytes(Buffer.from('mine'))).toBe(true)
    const { log, logBytes } = closed
    closed.closeSync()
    const open = new Logger({ logFilePath: second, engine: 'native', bufferSize: MIB })
    open.log('text')
    expect([log('late'), logBytes(Buffer.from('late')), logBytes(Buffer.from('late'), 1), log('')]).toEqual(
      Array.from({ length: 4 }, () => false)
    )
    expect(open.logBytes(Buffer.from('bytes'))).toBe(true)
    open.closeSync()
    expect(readTexts(first)).toEqual(['mine'])
    expect(readTexts(second)).toEqual(['text', 'bytes'])
    expect(closed.getStatsSnapshot()).toMatchObject({ totalLogs: 5, droppedLogs: 4, emptyLogs: 1, writtenLogs: 1 })
    expect(open.getStatsSnapshot()).toMatchObject({ totalLogs: 2, droppedLogs: 0, writtenLogs: 2 })
  })

  it('leaves loggers no way to the destination that is opened next', () => {
    const [first, second] = [tempLog(), tempLog()]
    const closed = shardlog.destination({ dest: first, format: 'ndjson', engine: 'native' })
    const late = shardlog({}, closed)
    late.info({ n: 1 }, 'mine')
    closed.closeSync()
    const open = shardlog.destination({ dest: second, format: 'ndjson', engine: 'native' })
    shardlog({}, open).info({ n: 2 }, 'line')
    late.info({ n: 3 }, 'late')
    late.child({ id: 1 }).info({ text: 'x'.repeat(100_000) }, 'late')
    expect(closed.write('late\n')).toBe(false)
    shardlog({}, open).info({ n: 4 }, 'line')
    open.closeSync()
    const numbers = (file: string) =>
      fs
        .readFileSync(file, 'utf8')
        .trim()
        .split('\n')
        .map(line => JSON.parse(line).n)
    expect([numbers(first), numbers(second)]).toEqual([[1], [2, 4]])
    expect(closed.getStatsSnapshot()).toMatchObject({ totalLogs: 4, droppedLogs: 3, writtenLogs: 1 })
    expect(open.getStatsSnapshot()).toMatchObject({ totalLogs: 2, droppedLogs: 0, writtenLogs: 2 })
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
