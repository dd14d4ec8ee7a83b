import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { engines, enginesWithoutFileArena } from '../support/engines'
import { expectCounted, expectExactly, expectSame, numbersIn, RemoteLogger } from '../support/remote-logger'
import { run, succeeds } from '../support/run'
import type { Config } from '../support/shardlog'
import { diskKind, mountExt4 } from '../support/small-disk'
import { tempDir } from '../support/temp'

const canMount = diskKind === 'ext4 on a loop device'

const configIn = (directory: string, engine: Config['engine'], crashSafe: Config['crashSafe'] = false): Config => ({
  logFilePath: path.join(directory, 'app.log'),
  engine,
  crashSafe,
  bufferSize: 1 << 20,
  numShards: 2,
  flushInterval: 0
})

interface Switch {
  directory: string
  errno: string
  readOnly: () => void
  writable: () => void
}

/** A directory below a mount that can be made read-only while files below it are open. */
function bindMount(): Switch {
  const directory = path.join(tempDir(), 'mount')
  fs.mkdirSync(directory)
  run('mount', ['--bind', directory, directory])
  onTestFinished(() => {
    while (succeeds('umount', [directory])) {
      // One on top of the other.
    }
  })
  return {
    directory,
    errno: 'EROFS',
    // One more mount on top: the kernel refuses to change one through which a file is open for
    // writing.
    readOnly: () => {
      run('mount', ['--bind', directory, directory])
      run('mount', ['-o', 'remount,bind,ro', directory])
    },
    writable: () => void run('mount', ['-o', 'remount,bind,rw', directory])
  }
}

/** A path whose directory is a file for a while, which not even root can create files in. */
function directoryReplaced(): Switch {
  const directory = path.join(tempDir(), 'directory')
  const aside = `${directory}.aside`
  fs.mkdirSync(directory)
  return {
    directory,
    errno: 'ENOTDIR',
    readOnly: () => {
      fs.renameSync(directory, aside)
      fs.writeFileSync(directory, '')
    },
    writable: () => {
      fs.rmSync(directory)
      fs.renameSync(aside, directory)
    }
  }
}

const mountName = canMount
  ? 'a mount that becomes read-only'
  : 'a directory replaced by a file (for want of the right to mount)'

describe.each(engines)(`%s engine, ${mountName}`, engine => {
  it('a log that is rotated there meanwhile goes on when the mount is writable again', async () => {
    const { directory, errno, readOnly, writable } = canMount ? bindMount() : directoryReplaced()
    const config = configIn(directory, engine)
    const logger = await RemoteLogger.open(config)
    await logger.log(100)
    expect(await logger.flush()).toBe('written')
    fs.renameSync(config.logFilePath, `${config.logFilePath}.1`)
    readOnly()
    expect(await logger.logUntilFlushFails(20)).toBe(errno)
    await logger.logUntilRefused()
    await logger.untilErrors((await logger.stats()).flushErrors + 2)
    writable()
    await logger.flushUntilWritten()
    expect(await logger.log(50)).toBe(50)
    expect(await logger.close()).toBe('written')
    expect(await logger.told()).toEqual([`ERR_SHARDLOG_WRITE ${errno}`, 'ERR_SHARDLOG_RESUMED'])
    await expectCounted(logger)
    await expectExactly(`${config.logFilePath}.1`, logger.accepted.slice(0, 100))
    await expectExactly(config.logFilePath, logger.accepted.slice(100))
  })

  // The kernel's promise, on which the others here build; there is nothing to stand in for it.
  it.runIf(canMount)('a file system cannot be remounted read-only under an open log', async () => {
    const ext4 = mountExt4(tempDir())
    onTestFinished(ext4.unmount)
    const config = configIn(ext4.directory, engine)
    const logger = await RemoteLogger.open(config)
    await logger.log(100)
    expect(succeeds('mount', ['-o', 'remount,ro', ext4.directory])).toBe(false)
    expect(await logger.close()).toBe('written')
    expect(succeeds('mount', ['-o', 'remount,ro', ext4.directory])).toBe(true)
    expect(await RemoteLogger.try(config)).toMatchObject({ code: 'ERR_SHARDLOG_PATH', errno: 'EROFS' })
    await expectExactly(config.logFilePath, logger.accepted)
  })
})

interface FragileDisk {
  directory: string
  errno: string
  breakIt: () => void
  /** Once nobody has files open there. */
  mend: () => void
}

/**
 * An ext4 that makes itself read-only at its first error, and how to make that happen and mend it.
 */
function fragileExt4(): FragileDisk {
  const ext4 = mountExt4(tempDir())
  onTestFinished(ext4.unmount)
  const remount = (): void => {
    run('umount', [ext4.directory])
    ext4.mount('errors=remount-ro')
  }
  remount()
  return {
    directory: ext4.directory,
    errno: 'EROFS',
    breakIt: () => fs.writeFileSync(`/sys/fs/ext4/${path.basename(ext4.device)}/trigger_fs_error`, '1'),
    mend: remount
  }
}

const canBreak = canMount && fs.existsSync('/sys/fs/ext4')

function fragileDisk(): FragileDisk {
  if (canBreak) return fragileExt4()
  const { directory, errno, readOnly, writable } = directoryReplaced()
  return { directory, errno, breakIt: readOnly, mend: writable }
}

const fragile = canBreak
  ? 'an ext4 that an error makes read-only'
  : 'a directory replaced by a file (for want of an ext4 to break)'

describe.each(enginesWithoutFileArena)(`%s engine, crashSafe %s, ${fragile}`, (engine, at) => {
  it('calls go on, the failure is told once, and what was accepted is in the log after mending, if there is an arena', async () => {
    const { directory, errno, breakIt, mend } = fragileDisk()
    const config = configIn(directory, engine, at)
    const logger = await RemoteLogger.open(config)
    await logger.log(100)
    expect(await logger.flush()).toBe('written')
    run('sync', ['-f', directory])
    breakIt()
    expect(await logger.logUntilFlushFails(50)).toBe(errno)
    await logger.logUntilRefused()
    await logger.untilErrors((await logger.stats()).flushErrors + 2)
    expect(await logger.told()).toEqual([`ERR_SHARDLOG_WRITE ${errno}`])
    expect(await logger.close()).toBe(errno)
    expect(await logger.end()).toBe(0)
    mend()
    const again = await RemoteLogger.open(config, [], logger)
    await again.log(20)
    expect(await again.close()).toBe('written')
    const expected = at === 'shm' ? again.accepted : [...again.accepted.slice(0, 100), ...again.accepted.slice(-20)]
    await expectExactly(config.logFilePath, expected)
  })
})

// The arena is a file of that file system, and the kernel answers stores into it by SIGBUS.
describe.runIf(engines.includes('native'))(`native engine, its arena on ${fragile}`, () => {
  it('whatever becomes of the process, entries whose flush had resolved are in the log, once and whole', async () => {
    const { directory, breakIt, mend } = fragileDisk()
    const config = configIn(directory, 'native', 'file')
    const logger = await RemoteLogger.open(config)
    await logger.log(100)
    expect(await logger.flush()).toBe('written')
    run('sync', ['-f', directory])
    breakIt()
    await logger.log(50).catch(() => 0) // The process may be dead.
    await logger.kill()
    mend()
    const again = await RemoteLogger.open(config, [], logger)
    await again.log(20)
    expect(await again.close()).toBe('written')
    const found = numbersIn(config.logFilePath)
    expectSame(found.slice(0, 100), again.accepted.slice(0, 100))
    expectSame(found.slice(-20), again.accepted.slice(-20))
    expect(new Set(found).size).toBe(found.length)
  })
})
