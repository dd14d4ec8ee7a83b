import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { runChild } from '../support/child'
import { linesOf, loggingToPipe, onEngine, wholeLines } from '../support/descriptors'
import { engines } from '../support/engines'
import { readTexts } from '../support/plain-reader'
import { type Config, shardlog } from '../support/shardlog'
import { tempDir, tempLog } from '../support/temp'

const KIB = 1024
const MIB = 1024 * KIB

/** Shards of 64 KiB. */
const smallest = { bufferSize: 128 * KIB, numShards: 1, flushInterval: 0, dsync: false }

type Format = 'ndjson' | 'shard'

interface Row {
  msg: string
  [key: string]: unknown
}

const rowsIn = (file: string, format: Format): Row[] =>
  format === 'shard'
    ? readTexts(file).map(line => JSON.parse(line) as Row)
    : (linesOf(fs.readFileSync(file, 'utf8')) as unknown as Row[])

const targets = engines.flatMap((engine): [Config['engine'], Format, Config['crashSafe']][] => [
  [engine, 'ndjson', engine === 'js' ? false : 'file'],
  [engine, 'shard', engine === 'js' ? false : 'file'],
  ...(engine === 'js'
    ? []
    : ([
        [engine, 'ndjson', 'shm'],
        [engine, 'shard', false]
      ] as [Config['engine'], Format, Config['crashSafe']][]))
])

describe.each(targets)('the %s engine, in a file of format %s, crashSafe %s, writes', (engine, format, crashSafe) => {
  function open(options: object = {}) {
    const file = tempLog()
    const destination = shardlog.destination({ dest: file, format, engine, crashSafe, ...smallest, ...options })
    const log = shardlog({ base: null }, destination)
    const rows = (): Row[] => {
      destination.closeSync()
      expect(fs.readdirSync(path.dirname(file))).toEqual([path.basename(file)])
      const { totalLogs, writtenLogs, droppedLogs } = destination.getStatsSnapshot()
      expect({ writtenLogs, droppedLogs }).toEqual({ writtenLogs: totalLogs, droppedLogs: 0 })
      return rowsIn(file, format)
    }
    return { log, destination, rows }
  }

  it('lines of any size whole, once and in their order', () => {
    const { log, rows } = open()
    const sizes = [1, 40 * KIB, 64 * KIB, 100 * KIB, 5 * MIB, 65_500, 65_520, 65_536, 3, 300 * KIB, 17 * MIB, 9]
    for (const size of sizes) log.error({ body: 'x'.repeat(size) }, `of ${size}`)
    const read = rows()
    expect(read.map(row => row.msg)).toEqual(sizes.map(size => `of ${size}`))
    expect(read.map(row => (row.body as string).length)).toEqual(sizes)
  })

  it('large bindings, many keys, long keys, long messages, and what they are made of', () => {
    const { log, destination, rows } = open()
    const wide = Object.fromEntries(Array.from({ length: 3_000 }, (_, i) => [`key${i}`, `value${i}`.repeat(20)]))
    log.child({ binding: 'b'.repeat(300 * KIB) }).info({ a: 1 }, 'bindings')
    log.info(wide, 'many keys')
    log.info({ ['k'.repeat(200 * KIB)]: 1 }, 'long key')
    log.info('m'.repeat(200 * KIB))
    log.info({ error: new Error('e'.repeat(200 * KIB)), list: Array.from({ length: 20_000 }, (_, i) => i) }, 'objects')
    log.info({ escaped: '\u0001"\\é'.repeat(50 * KIB) }, 'escapes')
    destination.write(`${JSON.stringify({ msg: 'a line', text: 't'.repeat(200 * KIB) })}\n`)
    log.info({ a: 1 }, 'small')
    const read = rows()
    expect(read.map(({ msg }) => msg.slice(0, 12))).toEqual([
      'bindings',
      'many keys',
      'long key',
      'm'.repeat(12),
      'objects',
      'escapes',
      'a line',
      'small'
    ])
    expect(read[0]).toMatchObject({ binding: 'b'.repeat(300 * KIB), a: 1 })
    expect(read[1]).toMatchObject(wide)
    expect(read[3]!.msg).toHaveLength(200 * KIB)
    expect((read[4]!.list as number[]).length).toBe(20_000)
    expect(read[5]!.escaped).toBe('\u0001"\\é'.repeat(50 * KIB))
  })

  it('a compiled event whose values are large', () => {
    const { log, rows } = open()
    const received = log.event('received', ['body', 'n'])
    received('x'.repeat(MIB), 1)
    received('y', 2)
    expect(rows()).toMatchObject([
      { body: 'x'.repeat(MIB), n: 1 },
      { body: 'y', n: 2 }
    ])
  })

  it('more of them than may wait, by waiting for the flusher', () => {
    const { log, rows } = open({ flushInterval: 1_000 })
    for (let i = 0; i < 100; i++) log.info({ i, body: 'x'.repeat(100 * KIB) })
    expect(rows().map(row => row.i)).toEqual(Array.from({ length: 100 }, (_, i) => i))
  })
})

describe.each(engines)('with the %s engine, standard output', engine => {
  onEngine(engine)

  it('has lines of any size, also those of a process that ends at once', async () => {
    const { logging, reader } = loggingToPipe(`
      const log = shardlog({ base: null })
      log.info({ i: 0 })
      log.error({ i: 1, body: 'x'.repeat(5 << 20) }, 'm')
      log.error({ i: 2, body: 'x'.repeat(100_000) }, 'm')
      log.fatal(Object.assign(new Error('request failed'), { response: { data: 'd'.repeat(6 << 20) } }))
      process.exit(1)`)
    const lines = linesOf(await reader.rest()) as unknown as { i?: number; err?: { response: { data: string } } }[]
    expect((await logging.end()).code).toBe(1)
    expect(lines.map(line => line.i)).toEqual([0, 1, 2, undefined])
    expect(lines[3]!.err!.response.data).toHaveLength(6 << 20)
  })

  it('keeps a bounded amount of large lines for a reader that takes nothing, and counts the others', async () => {
    const { logging, reader } = loggingToPipe(`
      const destination = shardlog.destination({ dest: 1, format: 'ndjson', bufferSize: 1 << 20, numShards: 1 })
      const log = shardlog({ base: null }, destination)
      for (let i = 0; i < 50; i++) log.info({ i, body: 'x'.repeat(600_000) })
      say(stats(destination))
      told().then(() => process.stdin.destroy())`)
    await new Promise(resolve => logging.child.stderr!.once('data', resolve))
    logging.tell()
    // The last one may have been cut short when the end gave up.
    const indexes = linesOf(wholeLines(await reader.rest())).map(line => line.i)
    const [{ totalLogs, droppedLogs }] = (await logging.end()).said as [{ totalLogs: number; droppedLogs: number }]
    expect(totalLogs).toBe(50)
    expect(droppedLogs).toBeGreaterThan(40)
    expect(indexes).toHaveLength(50 - droppedLogs)
  })

  it('and a file have each large line through multistream', () => {
    const file = tempLog()
    const result = runChild(
      `const log = shardlog({ base: null }, shardlog.multistream([
         { stream: shardlog.destination(1) },
         { stream: shardlog.destination({ dest: config.file, format: 'ndjson' }) }]))
       log.info({ body: 'x'.repeat(500_000) }, 'large'); log.info('small')`,
      { config: { file } }
    )
    expect(result.status).toBe(0)
    for (const text of [result.stdout, fs.readFileSync(file, 'utf8')]) {
      expect(linesOf(text).map(line => line.msg)).toEqual(['large', 'small'])
    }
  })
})

describe.each(engines)('with the %s engine, an entry of a Logger that is larger than a shard', engine => {
  it('is dropped, counted and told once, with its size and the limit', async () => {
    const told: (Error & { code?: string })[] = []
    const onError = (error: Error): void => void told.push(error)
    const logger = new shardlog.Logger({ logFilePath: path.join(tempDir(), 'raw.log'), engine, ...smallest, onError })
    for (let i = 0; i < 3; i++) expect(logger.log('x'.repeat(70_000))).toBe(false)
    expect(logger.logBytes(Buffer.alloc(80_000))).toBe(false)
    expect(logger.log('y'.repeat(65_000))).toBe(true)
    await logger.close()
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(told.map(error => error.code)).toEqual(['ERR_SHARDLOG_OVERSIZED'])
    expect(told[0]!.message).toContain('70000 bytes')
    expect(told[0]!.message).toContain('at most 65524 are allowed')
    expect(logger.getStatsSnapshot()).toMatchObject({ oversizedLogs: 4, droppedLogs: 4, writtenLogs: 1 })
  })
})

describe.each(['drop', 'block'] as const)(
  'with the native engine and onFull %s, a line that cannot be put beside the arena',
  onFull => {
    it('is dropped and counted, and told; the others are written', () => {
      const file = tempLog()
      const result = runChild(
        `const codes = []
       const onError = error => codes.push([error.code, error.errno])
       const destination = shardlog.destination({ ...config.options, onError })
       const log = shardlog({ base: null }, destination)
       log.info({ i: 0 }); log.info({ i: 1, body: 'x'.repeat(2 << 20) }); log.info({ i: 2, body: 'x'.repeat(100_000) }); log.info({ i: 3 })
       destination.flush(() => setImmediate(() => {
         const { totalLogs, droppedLogs, writtenLogs } = destination.getStatsSnapshot()
         console.log(JSON.stringify({ codes: codes.slice(0, 1), totalLogs, droppedLogs, writtenLogs }))
       }))`,
        {
          config: { options: { dest: file, format: 'ndjson', ...smallest, onFull, blockTimeout: 30 } },
          fileSizeLimit: 1 << 20
        }
      )
      expect(result.status).toBe(0)
      const codes = [['ERR_SHARDLOG_WRITE', 'EFBIG']]
      expect(JSON.parse(result.stdout)).toEqual({ codes, totalLogs: 4, droppedLogs: 1, writtenLogs: 3 })
      expect(linesOf(fs.readFileSync(file, 'utf8')).map(line => line.i)).toEqual([0, 2, 3])
      expect(fs.readdirSync(path.dirname(file))).toEqual([path.basename(file)])
    })
  }
)
