import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { engines } from '../support/engines'
import { expectCounted, expectExactly, expectSame, numbersIn, RemoteLogger } from '../support/remote-logger'
import type { Config } from '../support/shardlog'
import { diskName, type SmallDisk, smallDisk } from '../support/small-disk'

type Place = NonNullable<Config['crashSafe']>

/** Where the buffers live, for each engine that is tested. */
const variants = engines.flatMap((engine): [Config['engine'], Place][] =>
  engine === 'native'
    ? [
        [engine, 'file'],
        [engine, 'shm'],
        [engine, false]
      ]
    : [[engine, false]]
)

const configOn = (disk: SmallDisk, engine: Config['engine'], crashSafe: Place): Config => ({
  logFilePath: path.join(disk.directory, 'app.log'),
  engine,
  crashSafe,
  bufferSize: 1 << 20,
  numShards: 2,
  flushInterval: 0
})

describe.each(variants)(`%s engine, crashSafe %s, on ${diskName}`, (engine, crashSafe) => {
  const keeps = engine === 'native' && crashSafe !== false

  async function setUp(): Promise<{ disk: SmallDisk; config: Config; log: string; logger: RemoteLogger }> {
    const disk = await smallDisk()
    const config = configOn(disk, engine, crashSafe)
    const logger = await RemoteLogger.open(config, disk.wrapper())
    await logger.log(100)
    expect(await logger.flush()).toBe('written')
    return { disk, config, log: path.join(disk.view, 'app.log'), logger }
  }

  it('a disk that fills up is told once, costs no accepted entry, and logging resumes when there is room', async () => {
    const { disk, log, logger } = await setUp()
    disk.fill(logger.pid)
    expect(await logger.logUntilFlushFails()).toBe(disk.errno)
    await logger.logUntilRefused()
    const failing = await logger.stats()
    await logger.untilErrors(failing.flushErrors + 3)
    expect(await logger.told()).toEqual([`ERR_SHARDLOG_WRITE ${disk.errno}`])
    expect((await logger.stats()).lastError).toMatchObject({ code: 'ERR_SHARDLOG_WRITE', errno: disk.errno })
    disk.free(logger.pid)
    await logger.flushUntilWritten()
    expect(await logger.log(50)).toBe(50)
    expect(await logger.close()).toBe('written')
    expect(await logger.told()).toEqual([`ERR_SHARDLOG_WRITE ${disk.errno}`, 'ERR_SHARDLOG_RESUMED'])
    await expectCounted(logger)
    await expectExactly(log, logger.accepted)
  })

  it('a disk that fills up twice is told twice', async () => {
    const { disk, log, logger } = await setUp()
    for (let i = 0; i < 2; i++) {
      disk.fill(logger.pid)
      await logger.logUntilFlushFails()
      disk.free(logger.pid)
      await logger.flushUntilWritten()
    }
    expect(await logger.close()).toBe('written')
    expect((await logger.told()).map(message => message.split(' ')[0])).toEqual([
      'ERR_SHARDLOG_WRITE',
      'ERR_SHARDLOG_RESUMED',
      'ERR_SHARDLOG_WRITE',
      'ERR_SHARDLOG_RESUMED'
    ])
    await expectExactly(log, logger.accepted)
  })

  it('a log closed while the disk is full: what did not fit waits in the arena, or is counted where there is none', async () => {
    const { disk, config, log, logger } = await setUp()
    disk.fill(logger.pid)
    await logger.logUntilFlushFails()
    expect(await logger.close()).toBe(disk.errno)
    const { totalLogs, droppedLogs, writtenLogs } = await logger.stats()
    expect(totalLogs).toBe(logger.calls)
    expect(await logger.end()).toBe(0)
    disk.free(logger.pid)
    const again = await RemoteLogger.open(config, disk.wrapper(), logger)
    const { recoveredLogs } = await again.stats()
    expect(await again.close()).toBe('written')
    expect(totalLogs - droppedLogs).toBe(writtenLogs + recoveredLogs)
    if (keeps) await expectExactly(log, logger.accepted)
    else expectSame(numbersIn(log, true), logger.accepted.filter(isIn(log)))
    expect(numbersIn(log, !keeps)).toHaveLength(writtenLogs + recoveredLogs)
  })

  it('a process that ends by itself while the disk is full ends as usual', async () => {
    const { disk, log, logger } = await setUp()
    disk.fill(logger.pid)
    await logger.logUntilFlushFails()
    expect(await logger.end()).toBe(0)
    disk.free(logger.pid)
    const numbers = new Set(numbersIn(log, true))
    expectSame(
      numbersIn(log, true),
      logger.accepted.filter(number => numbers.has(number))
    )
  })

  it('a process killed while the disk is full: recovery says so, and is complete once there is room', async () => {
    const { disk, config, log, logger } = await setUp()
    disk.fill(logger.pid)
    await logger.logUntilFlushFails()
    await logger.logUntilRefused()
    await logger.kill()
    const onFullDisk = await RemoteLogger.try(config, disk.wrapper(), logger)
    if (keeps) expect(onFullDisk).toMatchObject({ code: 'ERR_SHARDLOG_RECOVERY', errno: disk.errno })
    else if (onFullDisk instanceof RemoteLogger) await onFullDisk.kill()
    else expect(onFullDisk).toMatchObject({ code: 'ERR_SHARDLOG_IO', errno: disk.errno })
    disk.free(logger.pid)
    const again = await RemoteLogger.open(config, disk.wrapper(), logger)
    expect(await again.log(50)).toBe(50)
    expect(await again.close()).toBe('written')
    if (keeps) await expectExactly(log, again.accepted)
    else expectSame(numbersIn(log, true), again.accepted.filter(isIn(log)))
    expect(numbersIn(log, !keeps).slice(-50)).toEqual(again.accepted.slice(-50))
  })

  it('a log that cannot be opened for want of room says so and leaves no file that is in the way', async () => {
    const disk = await smallDisk()
    const config = configOn(disk, engine, crashSafe)
    disk.fill(process.pid)
    const before = fs.readdirSync(disk.view)
    const opened = await RemoteLogger.try(config, disk.wrapper())
    const needsRoom = crashSafe === 'file' || opened instanceof RemoteLogger === false
    if (!needsRoom) return expect(await (opened as RemoteLogger).close()).toBe('written')
    expect(opened).toMatchObject({ code: 'ERR_SHARDLOG_IO', errno: disk.errno })
    // The log itself is made before its buffers; it holds nothing.
    expect(fs.readdirSync(disk.view).filter(name => name !== 'app.log')).toEqual(before)
    if (fs.existsSync(path.join(disk.view, 'app.log'))) expect(numbersIn(path.join(disk.view, 'app.log'))).toEqual([])
    disk.free(process.pid)
    const logger = await RemoteLogger.open(config, disk.wrapper())
    expect(await logger.log(10)).toBe(10)
    expect(await logger.close()).toBe('written')
  })
})

/** Whether an entry is in the log. */
function isIn(log: string): (number: number) => boolean {
  const there = new Set(numbersIn(log, true))
  return number => there.has(number)
}
