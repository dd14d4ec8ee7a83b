import fs from 'node:fs'
import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, it, vi } from 'vitest'
import { small } from '../support/engines'
import { readTexts, readTrailers } from '../support/plain-reader'
import { Logger, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

// The built package calls this very object.
const realFs = createRequire(__filename)('node:fs') as typeof fs
const { writeSync } = realFs

/** What a write does instead of succeeding: write only a share of its bytes, and then perhaps fail. */
interface Fault {
  share: number
  errno: 'EIO' | 'ENOSPC' | 'EDQUOT' | 'EINTR' | null
}

const failure = (errno: string): Error =>
  Object.assign(new Error(`${errno}: injected, write`), { code: errno, syscall: 'write' })

/** Lets the next writes of blocks or lines meet `faults`, one each; `null` is a write that succeeds. */
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

  /** Logs `count` entries, flushing after `every` of them, while writes meet `plan`. Those accepted. */
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
})
