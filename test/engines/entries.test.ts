import { describe, expect, it } from 'vitest'
import { engines, small } from '../support/engines'
import { readEntries, readTexts } from '../support/plain-reader'
import fc from '../support/random'
import { type Config, Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

const SHARD_BYTES = 65_536
/** docs/decisions/largest-entry.md: capacity less the block's header and the entry's length. */
const LARGEST = SHARD_BYTES - 12

/** What UTF-8 makes of any JavaScript string: lone surrogates become U+FFFD. */
const asUtf8 = (text: string): string =>
  new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text))

const utf8 = (buffer: Buffer): string => new TextDecoder('utf-8', { ignoreBOM: true }).decode(buffer)

describe.each(engines)('%s engine', engine => {
  /** Logs with `log`, closes, and returns what is in the file. */
  function roundTrip(log: (logger: Logger) => unknown, more: Partial<Config> = {}): Buffer[] {
    const logFilePath = tempLog()
    const logger = new Logger({ ...small(logFilePath, engine), onFull: 'block', ...more })
    log(logger)
    logger.closeSync()
    return readEntries(logFilePath)
  }

  it('odd UTF-16: NUL, 2-, 3- and 4-byte characters, lone surrogates, a byte order mark', () => {
    const texts = [
      '\0',
      'a\0b',
      'é',
      '中文',
      '😀',
      `${'a'.repeat(99)}😀`,
      '\ud83d',
      '\ude00',
      '\ud83d\ud83d',
      'x\ud83d',
      '\ude00x',
      '\ude00\ud83d',
      '\ufeffx',
      '\uffff',
      '\u{10ffff}',
      'ÿþ latin1',
      `mixed ${'é'.repeat(50)}${'中'.repeat(50)}${'😀'.repeat(50)}\ud800`
    ]
    const entries = roundTrip(logger => {
      for (const text of texts) expect(logger.log(text)).toBe(true)
    })
    expect(entries.map(utf8)).toEqual(texts.map(asUtf8))
  })

  it('strings however they are represented: ropes, slices, external, two-byte', () => {
    const base = 'The quick brown fox jumps over the lazy dog. '.repeat(10)
    const texts = [
      base + base,
      base.slice(7, 200),
      `${base}中`.slice(0, 100),
      JSON.stringify({ base }),
      String(new Date(0))
    ]
    expect(roundTrip(logger => texts.every(text => logger.log(text))).map(String)).toEqual(texts)
  })

  it('entries of every length around the edges of sectors, trailers and segments', () => {
    const edges = [512, 1024, 4096, 8192, 65_536].flatMap(edge => [
      edge - 76,
      edge - 64,
      edge - 12,
      edge - 8,
      edge - 4,
      edge
    ])
    const lengths = new Set(edges.flatMap(edge => [-3, -2, -1, 0, 1, 2, 3].map(delta => edge + delta)))
    for (const length of [...lengths].filter(length => length <= LARGEST)) {
      const bytes = Buffer.alloc(length, length % 251)
      // Alone in its block, and behind others.
      const alone = roundTrip(logger => expect(logger.logBytes(bytes)).toBe(true))
      expect(alone).toHaveLength(1)
      expect(alone[0]!.equals(bytes)).toBe(true)
    }
    const all = [...lengths].filter(length => length <= LARGEST)
    const together = roundTrip(logger => {
      for (const length of all) {
        logger.log('between')
        expect(logger.log('x'.repeat(length))).toBe(true)
      }
    })
    expect(together.map(entry => entry.length)).toEqual(all.flatMap(length => [7, length]))
  })

  it('every length from 1 to 1,100 in a row', () => {
    const entries = roundTrip(logger => {
      for (let length = 1; length <= 1_100; length++) logger.logBytes(Buffer.alloc(length, length & 255))
    })
    expect(entries.map(entry => entry.length)).toEqual(Array.from({ length: 1_100 }, (_, i) => i + 1))
    expect(entries.every((entry, i) => entry.every(byte => byte === ((i + 1) & 255)))).toBe(true)
  })

  it('the largest entry fills a shard; one byte more is dropped, counted, and disturbs nothing', () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    expect(logger.log('before')).toBe(true)
    expect(logger.logBytes(Buffer.alloc(LARGEST + 1))).toBe(false)
    expect(logger.log('x'.repeat(LARGEST + 1))).toBe(false)
    expect(logger.log('é'.repeat(LARGEST / 2 + 1))).toBe(false)
    expect(logger.getStatsSnapshot()).toMatchObject({ oversizedLogs: 3, droppedLogs: 3, totalLogs: 4, setSwaps: 0 })
    expect(logger.logBytes(Buffer.alloc(LARGEST, 1))).toBe(true)
    expect(logger.log('after')).toBe(true)
    logger.closeSync()
    expect(readEntries(logFilePath).map(entry => entry.length)).toEqual([6, LARGEST, 5])
  })

  it('an empty entry is dropped and counted', () => {
    const logger = new Logger(small(tempLog(), engine))
    expect(logger.log('')).toBe(false)
    expect(logger.logBytes(new Uint8Array(0))).toBe(false)
    expect(logger.getStatsSnapshot()).toMatchObject({ totalLogs: 2, droppedLogs: 2, emptyLogs: 2 })
    logger.closeSync()
  })

  it('a log call never throws: what is not text is converted, what cannot be is dropped and counted', () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    const log = logger.log as (value: unknown) => boolean
    const logBytes = logger.logBytes as (...values: unknown[]) => boolean
    const thrower = {
      toString(): string {
        throw new Error('no')
      }
    }
    expect([7, null, undefined, true, ['a', 'b'], { toString: () => 'object' }].map(value => log(value))).not.toContain(
      false
    )
    expect([Symbol('s'), thrower, Object.create(null)].map(value => log(value))).not.toContain(true)
    const fake = Object.create(Uint8Array.prototype)
    expect(['text', 7, null, undefined, {}, [1, 2], fake].map(value => logBytes(value))).not.toContain(true)
    expect(logBytes(Buffer.from('abc'), '1', {})).toBe(false)
    expect(logBytes(Buffer.from('abc'), Number.NaN, Number.POSITIVE_INFINITY)).toBe(true)
    const { totalLogs, droppedLogs } = logger.getStatsSnapshot()
    expect([totalLogs, droppedLogs]).toEqual([18, 11])
    logger.closeSync()
    expect(readTexts(logFilePath)).toEqual(['7', 'null', 'undefined', 'true', 'a,b', 'object', 'abc'])
  })

  it('logBytes takes indexes as subarray does, of whatever kind', () => {
    const bytes = Buffer.from('0123456789')
    const indexes = [
      [1.7, '4'],
      [1, null],
      ['2'],
      [-3],
      [-3, -1],
      [1n, 3n],
      ['a'],
      [5, 2],
      [undefined, 3],
      [true, '0x5'],
      [2, 1e99],
      [Number.NEGATIVE_INFINITY, 2.9]
    ]
    const expected = indexes.map(range =>
      String(
        (bytes.subarray as (...range: unknown[]) => Buffer)(
          ...range.map(value => (typeof value === 'bigint' ? Number(value) : value))
        )
      )
    )
    const texts = roundTrip(logger => {
      for (const range of indexes) (logger.logBytes as (...values: unknown[]) => boolean)(bytes, ...range)
    })
    expect(texts.map(String)).toEqual(expected.filter(text => text !== ''))
  })

  it('a detached array is empty; one with a length of its own is taken by its bytes', () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    const detached = new Uint8Array(8)
    structuredClone(detached, { transfer: [detached.buffer] })
    expect(logger.logBytes(detached)).toBe(false)
    class Odd extends Uint8Array {
      override get length(): 3 {
        return 3
      }
    }
    const odd = new Odd(Buffer.from('odd array'))
    logger.log('prime the lease')
    expect(logger.logBytes(odd)).toBe(true)
    logger.log('next')
    logger.closeSync()
    expect(readTexts(logFilePath)).toEqual(['prime the lease', 'odd array', 'next'])
  })

  it('bytes over shared, resizable and offset memory', () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, engine))
    const shared = new Uint8Array(new SharedArrayBuffer(6))
    shared.set(Buffer.from('shared'))
    expect(logger.logBytes(shared)).toBe(true)
    expect(logger.logBytes(shared, 1, 4)).toBe(true)
    const memory = Buffer.from('0123456789')
    expect(logger.logBytes(memory.subarray(4, 7))).toBe(true)
    expect(logger.logBytes(memory.subarray(4, 7), 1)).toBe(true)
    logger.closeSync()
    expect(readTexts(logFilePath)).toEqual(['shared', 'har', '456', '56'])
  })

  it('property: whatever was accepted is read back, in order', () => {
    const entry = fc.oneof(
      { weight: 4, arbitrary: fc.string({ unit: 'binary', maxLength: 300 }) },
      { weight: 4, arbitrary: fc.uint8Array({ maxLength: 300 }) },
      {
        weight: 1,
        arbitrary: fc.integer({ min: 1, max: LARGEST + 2 }).map(length => new Uint8Array(length).fill(length))
      },
      { weight: 1, arbitrary: fc.integer({ min: 1, max: 22_000 }).map(length => '中'.repeat(length)) },
      { weight: 1, arbitrary: fc.constant('flush' as const) }
    )
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 60 }), fc.constantFrom('drop', 'block'), (entries, onFull) => {
        const expected: Buffer[] = []
        const read = roundTrip(
          logger => {
            for (const value of entries) {
              if (value === 'flush') logger.flushSync()
              const accepted = typeof value === 'string' ? logger.log(value) : logger.logBytes(value)
              if (accepted) expected.push(Buffer.from(value as string))
            }
          },
          { onFull }
        )
        expect(read.length).toBe(expected.length)
        expect(read.every((bytes, i) => bytes.equals(expected[i]!))).toBe(true)
      }),
      { numRuns: 60 }
    )
  })
})
