import fs from 'node:fs'
import { createRequire } from 'node:module'
import { describe, expect, it, vi } from 'vitest'
import { small } from '../support/engines'
import { readTexts, readTrailers } from '../support/plain-reader'
import fc from '../support/random'
import { Logger, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

// The built package calls this very object.
const realFs = createRequire(__filename)('node:fs') as typeof fs
const { writeSync } = realFs

/**
 * What a write does instead of succeeding: write only a share of its bytes, and then perhaps fail.
 */
interface Fault {
  share: number
  errno: 'EIO' | 'ENOSPC' | 'EDQUOT' | 'EINTR' | null
}

const failure = (errno: string): Error =>
  Object.assign(new Error(`${errno}: injected, write`), { code: errno, syscall: 'write' })

/**
 * Lets the next writes of blocks or lines meet `faults`, one each; `null` is a write that succeeds.
 */
function inject(faults: (Fault | null)[]): void {
  const pending = [...faults]
  let failing: string | null = null
  const faulty = (fd: number, bytes: Uint8Array, offset: number, length: number, position?: number): number => {
    if (length === undefined || position !== undefined) return writeSync(fd, bytes, offset, length, position)
    if (failing !== null) {
      const errno = failing
      failing = null
      throw failure(errno)
    }
    const fault = pending.shift() ?? null
    if (fault === null) return writeSync(fd, bytes, offset, length)
    const part = Math.floor(fault.share * length)
    if (part === 0 && fault.errno !== null) throw failure(fault.errno)
    // The kernel reports the bytes first, and the error at the next call.
    failing = fault.errno
    return writeSync(fd, bytes, offset, Math.max(1, part))
  }
  vi.spyOn(realFs, 'writeSync').mockImplementation(faulty as typeof fs.writeSync)
}

const always = (errno: Fault['errno']): (Fault | null)[] => new Array(1_000).fill({ share: 0, errno })

describe('the JavaScript engine, when writes fail', () => {
  it('short writes and EINTR are continued without being counted as errors', () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, 'js'))
    inject([{ share: 0.3, errno: null }, { share: 0.5, errno: null }, { share: 0, errno: 'EINTR' }, null])
    for (let i = 0; i < 100; i++) logger.log(`entry ${i}`)
    logger.closeSync()
    expect(readTexts(logFilePath)).toHaveLength(100)
    expect(logger.getStatsSnapshot()).toMatchObject({ flushErrors: 0, lastError: null, writtenLogs: 100 })
  })

  it('a write that fails on its way to the device, and is in the page cache all the same, is not in the log twice', () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, 'js'))
    vi.spyOn(realFs, 'writeSync').mockImplementationOnce(((fd: number, bytes: Uint8Array) => {
      writeSync(fd, bytes)
      throw failure('EIO')
    }) as unknown as typeof fs.writeSync)
    logger.log('once')
    logger.flushSync()
    logger.log('more')
    logger.closeSync()
    expect(readTexts(logFilePath)).toEqual(['once', 'more'])
  })

  it('an error that passes within a few attempts is not one', () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, 'js'))
    inject([{ share: 0.5, errno: 'EIO' }, { share: 0, errno: 'EIO' }, null])
    logger.log('x'.repeat(3_000))
    logger.flushSync()
    vi.restoreAllMocks()
    expect(readTexts(logFilePath)).toHaveLength(1)
    expect(logger.getStatsSnapshot().flushErrors).toBe(0)
    logger.closeSync()
  })

  it.each(['ENOSPC', 'EIO', 'EDQUOT'] as const)('%s: bounded attempts, the set is kept, logging resumes', errno => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, 'js'))
    logger.log('kept')
    inject(always(errno))
    expect(() => logger.flushSync()).toThrow(
      expect.objectContaining({ code: 'ERR_SHARDLOG_WRITE', errno, syscall: 'write' })
    )
    expect(logger.log('more')).toBe(true)
    expect(logger.getStatsSnapshot()).toMatchObject({ flushErrors: 1, writtenLogs: 0, droppedLogs: 0 })
    vi.restoreAllMocks()
    logger.flushSync()
    expect(readTexts(logFilePath)).toEqual(['kept', 'more'])
    expect(logger.getStatsSnapshot().lastError).toMatchObject({ errno })
    logger.closeSync()
  })

  it('entries given up at close are counted', () => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, 'js'))
    for (let i = 0; i < 7; i++) logger.log('lost')
    inject(always('ENOSPC'))
    expect(() => logger.closeSync()).toThrow(expect.objectContaining({ errno: 'ENOSPC' }))
    vi.restoreAllMocks()
    expect(logger.getStatsSnapshot()).toMatchObject({ totalLogs: 7, droppedLogs: 7, writtenLogs: 0 })
    expect(fs.statSync(logFilePath).size).toBe(0)
  })

  interface Written {
    log: (text: string) => boolean
    flushSync(): void
    closeSync(): void
    getStatsSnapshot: Logger['getStatsSnapshot']
  }

  /**
   * Logs `count` entries, flushing after `every` of them, while writes meet `plan`. Those accepted.
   */
  function logThrough(logger: Written, plan: (Fault | null)[], count: number, every: number): string[] {
    inject(plan)
    const accepted: string[] = []
    for (let i = 0; i < count; i++) {
      const text = `${i} ${'x'.repeat(i % 173)}\n`
      if (logger.log(text)) accepted.push(text)
      if (i % every === 0) {
        try {
          logger.flushSync()
        } catch {
          // One of the injected faults; what it left is what is tested.
        }
      }
    }
    vi.restoreAllMocks()
    logger.closeSync()
    const { totalLogs, droppedLogs, writtenLogs } = logger.getStatsSnapshot()
    expect(totalLogs - droppedLogs).toBe(writtenLogs)
    return accepted
  }

  const fault = fc.record({
    share: fc.double({ min: 0, max: 1, noNaN: true }),
    errno: fc.constantFrom('EIO' as const, 'ENOSPC' as const, 'EINTR' as const, null)
  })
  const faults = fc.array(fc.option(fault), { maxLength: 40 })
  const count = fc.integer({ min: 1, max: 3_000 })
  const every = fc.integer({ min: 1, max: 400 })
  const waiting = { onFull: 'block', blockTimeout: 5 } as const

  it('property: whatever writes do, each accepted entry is in the log once, in order, in whole blocks', () => {
    fc.assert(
      fc.property(faults, count, every, (...plan) => {
        const logFilePath = tempLog()
        const accepted = logThrough(new Logger({ ...small(logFilePath, 'js'), ...waiting }), ...plan)
        expect(readTexts(logFilePath)).toEqual(accepted)
        expect(readTrailers(logFilePath).every(({ sequence }, i) => Number(sequence) === i)).toBe(true)
      }),
      { numRuns: 100 }
    )
  })

  it('property: whatever writes do, each accepted line is in a text file once, in order', () => {
    fc.assert(
      fc.property(faults, count, every, (...plan) => {
        const { logFilePath: dest, ...options } = small(tempLog(), 'js')
        const destination = shardlog.destination({ dest, format: 'ndjson', ...options, ...waiting })
        const log = destination.write.bind(destination)
        const accepted = logThrough(Object.assign(destination, { log }), ...plan)
        expect(fs.readFileSync(dest, 'utf8')).toBe(accepted.join(''))
      }),
      { numRuns: 100 }
    )
  })

  it('property: whatever writes do, what is in the file stays in it', () => {
    fc.assert(
      fc.property(faults, count, every, fc.boolean(), (plan, ...rest) => {
        const [, , isText] = rest
        const { logFilePath: file, ...options } = small(tempLog(), 'js')
        let before = Buffer.alloc(0)
        const look = (): void => {
          const now = fs.existsSync(file) ? fs.readFileSync(file) : before
          expect(now.subarray(0, before.length).equals(before)).toBe(true)
          before = now
        }
        const logger = isText
          ? shardlog.destination({ dest: file, format: 'ndjson', ...options, ...waiting })
          : new Logger({ logFilePath: file, ...options, ...waiting })
        const log = isText ? (logger as never as { write: Written['log'] }).write.bind(logger) : (logger as Logger).log
        const looking = (text: string): boolean => {
          look()
          return log(text)
        }
        logThrough(
          Object.assign(Object.create(logger as object), {
            log: looking,
            flushSync: () => logger.flushSync(),
            closeSync: () => logger.closeSync(),
            getStatsSnapshot: () => logger.getStatsSnapshot()
          }) as Written,
          plan,
          Math.min(rest[0], 300),
          Math.min(rest[1], 20)
        )
        look()
      }),
      { numRuns: 60 }
    )
  })

  const changes = {
    renamed: (file: string, old: string) => fs.renameSync(file, old),
    'copied and truncated': (file: string, old: string) => {
      fs.copyFileSync(file, old)
      fs.truncateSync(file)
    }
  }
  const shares = fc.array(fc.double({ min: 0, max: 0.99, noNaN: true }), { minLength: 1, maxLength: 3 })

  it.each(Object.keys(changes) as (keyof typeof changes)[])(
    'property: a text file that is %s while a write is half done: each line is in one of the two, whole',
    change => {
      fc.assert(
        fc.property(shares, fc.integer({ min: 1, max: 400 }), (parts, lines) => {
          const { logFilePath: dest, ...options } = small(tempLog(), 'js')
          const destination = shardlog.destination({ dest, format: 'ndjson', ...options })
          const text = Array.from({ length: lines }, (_, i) => `${i} ${'x'.repeat(i % 97)}\n`)
          for (const line of text) destination.write(line)
          inject(parts.flatMap(share => [{ share, errno: 'ENOSPC' as const }, ...always('ENOSPC').slice(0, 5)]))
          expect(() => destination.flushSync()).toThrow()
          vi.restoreAllMocks()
          changes[change](dest, `${dest}.1`)
          destination.closeSync()
          const whole = (file: string): string[] => fs.readFileSync(file, 'utf8').match(/.*\n/g) ?? []
          expect([...whole(`${dest}.1`), ...whole(dest)]).toEqual(text)
        }),
        { numRuns: 60 }
      )
    }
  )

  it.each(Object.keys(changes) as (keyof typeof changes)[])(
    'property: a shard file that is %s while a write is half done: each entry is in one of the two',
    async change => {
      await fc.assert(
        fc.asyncProperty(shares, fc.integer({ min: 1, max: 400 }), async (parts, entries) => {
          const logFilePath = tempLog()
          const logger = new Logger(small(logFilePath, 'js'))
          const text = Array.from({ length: entries }, (_, i) => `${i} ${'x'.repeat(i % 97)}\n`)
          for (const entry of text) logger.log(entry)
          inject(parts.flatMap(share => [{ share, errno: 'ENOSPC' as const }, ...always('ENOSPC').slice(0, 5)]))
          expect(() => logger.flushSync()).toThrow()
          vi.restoreAllMocks()
          changes[change](logFilePath, `${logFilePath}.1`)
          logger.closeSync()
          const read: string[] = []
          for (const file of [`${logFilePath}.1`, logFilePath]) {
            if (fs.statSync(file).size === 0) continue
            for await (const entry of shardlog.readLog(file, { onDamage: () => undefined })) read.push(entry.text)
          }
          expect(read).toEqual(text)
        }),
        { numRuns: 60 }
      )
    }
  )

  it.each([
    ['text', 'a line of somebody else\n'],
    ['blocks', 'foreign bytes']
  ])(
    'property: others append to a file of %s while a write is half done: nothing of either is lost',
    async (form, foreign) => {
      await fc.assert(
        fc.asyncProperty(shares, fc.integer({ min: 1, max: 400 }), async (parts, entries) => {
          const { logFilePath: file, ...options } = small(tempLog(), 'js')
          const text = Array.from({ length: entries }, (_, i) => `${i} ${'x'.repeat(i % 97)}\n`)
          const logger =
            form === 'text'
              ? shardlog.destination({ dest: file, format: 'ndjson', ...options })
              : new Logger({ logFilePath: file, ...options })
          for (const entry of text) 'write' in logger ? logger.write(entry) : logger.log(entry)
          for (const share of parts) {
            inject([{ share, errno: 'ENOSPC' as const }, ...always('ENOSPC').slice(0, 5)])
            try {
              logger.flushSync()
            } catch {
              // The fault.
            }
            vi.restoreAllMocks()
            fs.appendFileSync(file, foreign)
          }
          logger.closeSync()
          const bytes = fs.readFileSync(file, 'utf8')
          expect(bytes.split(foreign)).toHaveLength(parts.length + 1)
          if (form === 'text') {
            const own = bytes.split('\n').filter(line => /^\d+ x*$/.test(line))
            // Of a line that was half out, the start may look like another.
            expect(text.every(line => own.includes(line.slice(0, -1)))).toBe(true)
          } else {
            const read: string[] = []
            for await (const entry of shardlog.readLog(file, { onDamage: () => undefined })) read.push(entry.text)
            expect(read).toEqual(text)
          }
        }),
        { numRuns: 60 }
      )
    }
  )

  it('what others append around a write that they move stays, whatever sectors of the moved blocks look like', async () => {
    const { logFilePath: file, ...options } = small(tempLog(), 'js')
    fs.writeFileSync(file, '')
    const logger = new Logger({ logFilePath: file, ...options })
    // Wherever a sector begins in it, a block of 1 MiB seems to, and an entry in that.
    const start = Buffer.alloc(16)
    start.writeUInt32LE(1 << 20, 0)
    start.writeUInt32LE((1 << 20) - 512, 4)
    start.writeUInt32LE(100_000, 8)
    const entry = Buffer.concat(Array.from({ length: 200 }, () => start))
    logger.logBytes(entry)
    vi.spyOn(realFs, 'writeSync').mockImplementationOnce(((
      fd: number,
      bytes: Uint8Array,
      ...rest: [number, number]
    ) => {
      // Behind a header and a length, so that the entry begins at a multiple of sixteen.
      fs.appendFileSync(file, 'abcd')
      const count = writeSync(fd, bytes, ...rest)
      fs.appendFileSync(file, 'a line of somebody else\n')
      return count
    }) as typeof fs.writeSync)
    logger.flushSync()
    vi.restoreAllMocks()
    logger.closeSync()
    const bytes = fs.readFileSync(file)
    expect(bytes.subarray(0, 4).toString()).toBe('abcd')
    expect(bytes.includes('a line of somebody else\n')).toBe(true)
    const read: Buffer[] = []
    for await (const { bytes: own } of shardlog.readLog(file, { onDamage: () => undefined }))
      read.push(Buffer.from(own))
    expect(read).toEqual([entry])
  })
})
