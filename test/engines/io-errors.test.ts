import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { engines, enginesWithoutFileArena } from '../support/engines'
import { expectCounted, expectExactly, expectSame, numbersIn, RemoteLogger } from '../support/remote-logger'
import { run } from '../support/run'
import type { Config } from '../support/shardlog'
import { diskKind, mountExt4, type SmallDisk, smallDisk } from '../support/small-disk'
import { tempDir, tempLog } from '../support/temp'
import { canTrace, injectWrites } from '../support/write-faults'

const config = (logFilePath: string, engine: Config['engine'], crashSafe: Config['crashSafe']): Config => ({
  logFilePath,
  engine,
  ...(crashSafe === undefined ? {} : { crashSafe }),
  bufferSize: 1 << 20,
  numShards: 2,
  flushInterval: 0
})

const RESUMED = 'ERR_SHARDLOG_RESUMED'

/**
 * Attempts at one write before it counts as failed; EROFS is none of the errors that may pass by
 * themselves.
 */
const attempts = (engine: string, errno: string): number => (engine === 'js' ? 3 : errno === 'EROFS' ? 1 : 4)

describe.runIf(canTrace).each(engines)('%s engine, errors that strace injects into writes of the log', engine => {
  it.each(['EIO', 'EDQUOT', 'EROFS'] as const)(
    '%s: each failed flush made a bounded number of attempts, is told once, and costs nothing',
    async errno => {
      const log = tempLog()
      const failures = 3
      const first = 3
      const last = first + failures * attempts(engine, errno) - 1
      const faults = injectWrites({ log, errno, first, last })
      const logger = await RemoteLogger.open(config(log, engine, engine === 'native' ? 'file' : false), faults.wrapper)
      for (let i = 0; i < 2; i++) {
        await logger.log(20)
        expect(await logger.flush()).toBe('written')
      }
      await logger.log(20)
      // The logger's own retries may be among those that fail.
      await logger.flushUntilWritten()
      expect(await logger.log(20)).toBe(20)
      expect(await logger.close()).toBe('written')
      expect((await logger.stats()).flushErrors).toBe(failures)
      expect(await logger.told()).toEqual([`ERR_SHARDLOG_WRITE ${errno}`, RESUMED])
      expect(faults.answers().filter(answer => answer === `-1 ${errno}`)).toHaveLength(last - first + 1)
      await expectCounted(logger)
      await expectExactly(log, logger.accepted)
    }
  )

  it('EIO for good: killed, the log is complete after the next opening where there is an arena, and whole in any case', async () => {
    const log = tempLog()
    const faults = injectWrites({ log, errno: 'EIO', first: 3 })
    const logger = await RemoteLogger.open(config(log, engine, engine === 'native' ? 'file' : false), faults.wrapper)
    for (let i = 0; i < 2; i++) {
      await logger.log(20)
      expect(await logger.flush()).toBe('written')
    }
    await logger.logUntilRefused()
    expect(await logger.flush()).toBe('EIO')
    await logger.killTraced()
    const again = await RemoteLogger.open(config(log, engine, engine === 'native' ? 'file' : false), [], logger)
    await again.close()
    await expectExactly(log, engine === 'native' ? logger.accepted : logger.accepted.slice(0, 40))
  })
})

interface FailingDisk {
  disk: Pick<SmallDisk, 'directory' | 'view' | 'wrapper'>
  errno: string
  fail: (pid: number) => void
  heal: (pid: number) => void
}

const GOOD_BYTES = 4 << 20

/**
 * A disk all of whose sectors but the first 4 MiB fail from `fail` to `heal`; a disk that is full,
 * where that cannot be had.
 */
/** Of a disk of 32 MiB. */
const FILLER_BYTES = 24 * 1_024 * 1_024

async function failingDisk(): Promise<FailingDisk> {
  if (diskKind !== 'ext4 on a loop device') {
    const disk = await smallDisk()
    return { disk, errno: disk.errno, fail: disk.fill, heal: disk.free }
  }
  // Without a journal, which would end the file system at its first error.
  const ext4 = mountExt4(tempDir(), undefined, ['-O', '^has_journal'])
  onTestFinished(ext4.unmount)
  const { directory } = ext4
  // The file system has read which blocks are free before the device fails: what it cannot read
  // then, it takes for damaged until it is mounted again.
  fs.writeFileSync(path.join(directory, 'filler'), Buffer.alloc(FILLER_BYTES))
  fs.rmSync(path.join(directory, 'filler'))
  run('sync', ['-f', directory])
  const limit = (bytes: number): void =>
    void run('python3', [path.join(__dirname, '..', 'support', 'loop_device_limit.py'), ext4.device, String(bytes)])
  return {
    disk: { directory, view: directory, wrapper: () => [] },
    errno: 'EIO',
    fail: () => limit(GOOD_BYTES),
    heal: () => limit(0)
  }
}

const failing =
  diskKind === 'ext4 on a loop device'
    ? 'a device whose sectors fail'
    : `a full disk (${diskKind}), for want of a device whose sectors can fail`

describe.each(enginesWithoutFileArena)(`%s engine, crashSafe %s, on ${failing}`, (engine, crashSafe) => {
  it('the failure is told once, no accepted entry is lost, and logging resumes when the device works again', async () => {
    const { disk, errno, fail, heal } = await failingDisk()
    const log = path.join(disk.view, 'app.log')
    const logger = await RemoteLogger.open(
      config(path.join(disk.directory, 'app.log'), engine, crashSafe),
      disk.wrapper()
    )
    await logger.log(100)
    expect(await logger.flush()).toBe('written')
    fail(logger.pid)
    const failure = await logger.logUntilFlushFails()
    // An ext4 that cannot read which of its blocks are free says that none is.
    expect([errno, 'ENOSPC']).toContain(failure)
    await logger.logUntilRefused()
    await logger.untilErrors((await logger.stats()).flushErrors + 2)
    expect(await logger.told()).toEqual([`ERR_SHARDLOG_WRITE ${failure}`])
    heal(logger.pid)
    await logger.flushUntilWritten()
    expect(await logger.log(50)).toBe(50)
    expect(await logger.close()).toBe('written')
    expect(await logger.told()).toEqual([`ERR_SHARDLOG_WRITE ${failure}`, RESUMED])
    await expectCounted(logger)
    await expectExactly(log, logger.accepted)
  })

  it('killed on the failing device, what was accepted is in the log after the next opening, if the arena is elsewhere', async () => {
    const { disk, errno, fail, heal } = await failingDisk()
    const log = path.join(disk.view, 'app.log')
    const settings = config(path.join(disk.directory, 'app.log'), engine, crashSafe)
    const logger = await RemoteLogger.open(settings, disk.wrapper())
    await logger.log(100)
    expect(await logger.flush()).toBe('written')
    fail(logger.pid)
    const failure = await logger.logUntilFlushFails()
    // An ext4 that cannot read which of its blocks are free says that none is.
    expect([errno, 'ENOSPC']).toContain(failure)
    await logger.kill()
    heal(logger.pid)
    const again = await RemoteLogger.open(settings, disk.wrapper(), logger)
    expect(await again.log(50)).toBe(50)
    expect(await again.close()).toBe('written')
    if (crashSafe === 'shm') await expectExactly(log, again.accepted)
    else await expectSubset(log, again.accepted)
  })
})

/** Plain memory: what had been flushed and what came after the kill, whole and once. */
async function expectSubset(log: string, accepted: number[]): Promise<void> {
  const found = numbersIn(log)
  const there = new Set(found)
  expectSame(
    found,
    accepted.filter(number => there.has(number))
  )
  expectSame(found.slice(0, 100), accepted.slice(0, 100))
  expectSame(found.slice(-50), accepted.slice(-50))
}
