import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { HEADER } from '../../lib/arena/arena-file'
import { arenaPaths, openArenaOf } from '../../lib/arena/locate'
import { verifyLog } from '../../lib/reader'
import { arenaOfLog } from '../../lib/reader/log-place'
import { arenaOf, oldArenaOf } from '../support/arena-path'
import { Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

const native = { engine: 'native', flushInterval: 0, bufferSize: 1 << 20, numShards: 2 } as const

describe('where an arena lies', () => {
  it('beside the log', () => {
    const logFilePath = tempLog()
    const logger = new Logger({ ...native, logFilePath })
    expect(openArenaOf({ path: logFilePath })?.path).toBe(arenaOf(logFilePath))
    logger.closeSync()
    expect(openArenaOf({ path: logFilePath })).toBeNull()
  })

  it('in /dev/shm, found by path once the log has been replaced', () => {
    const logFilePath = tempLog()
    const logger = new Logger({ ...native, logFilePath, crashSafe: 'shm' })
    const { arenaPath } = logger.getStatsSnapshot()
    expect(arenaPath?.startsWith('/dev/shm/')).toBe(true)
    expect(openArenaOf({ path: logFilePath })?.path).toBe(arenaPath)
    fs.renameSync(logFilePath, `${logFilePath}.1`)
    fs.writeFileSync(logFilePath, '')
    expect(openArenaOf({ path: logFilePath })?.path).toBe(arenaPath)
    logger.closeSync()
  })

  it("in /dev/shm only if it is our user's or that of the log's owner", () => {
    const logFilePath = tempLog()
    const logger = new Logger({ ...native, logFilePath, crashSafe: 'shm' })
    onTestFinished(() => logger.closeSync())
    const { arenaPath } = logger.getStatsSnapshot()
    const uid = fs.statSync(logFilePath).uid
    const user = vi.spyOn(process as Required<NodeJS.Process>, 'geteuid')
    user.mockReturnValue(uid + 1)
    expect(openArenaOf({ path: logFilePath })?.path).toBe(arenaPath)
    const { fstatSync } = fs
    const given = vi.spyOn(fs, 'fstatSync').mockImplementation((fd: number) => {
      return Object.assign(fstatSync(fd), { uid: uid + 2 }) as never
    })
    expect(openArenaOf({ path: logFilePath })).toBeNull()
    user.mockReturnValue(uid + 2)
    expect(arenaPaths(logFilePath)).toContain(arenaPath)
    given.mockRestore()
  })

  it('in /dev/shm, but not if it is that of a log which has gone, and whose inode the log has now', async () => {
    const [older, other, younger] = [tempLog(), tempLog(), tempLog()]
    fs.writeFileSync(older, '')
    const logger = new Logger({ ...native, logFilePath: other, crashSafe: 'shm' })
    // The clock of file systems goes in ticks.
    await new Promise(resolve => setTimeout(resolve, 50))
    fs.writeFileSync(younger, '')
    const copies = [older, younger].map(log => {
      const { dev, ino } = fs.statSync(log)
      const copy = `/dev/shm/shardlog-${dev}-${ino}.arena`
      const arena = fs.readFileSync(logger.getStatsSnapshot().arenaPath as string)
      arena.writeBigUInt64LE(BigInt(ino), HEADER.logInode)
      fs.writeFileSync(copy, arena, { mode: 0o600 })
      onTestFinished(() => fs.rmSync(copy))
      return copy
    })
    logger.closeSync()
    // A log that was moved is older than its arena.
    expect(arenaPaths(older)).toContain(copies[0])
    expect(arenaPaths(younger)).not.toContain(copies[1])
  })

  it('no log: beside it only', () => {
    const missing = path.join(path.dirname(tempLog()), 'missing.log')
    expect(arenaPaths(missing)).toEqual([arenaOf(missing), oldArenaOf(missing)])
  })

  it("beside the log, in a folder where everybody can make files only if it is ours, the log's owner's or the folder's", async () => {
    const logFilePath = tempLog()
    const logger = new Logger({ ...native, logFilePath })
    onTestFinished(() => logger.closeSync())
    logger.log('a')
    const { uid } = fs.statSync(logFilePath)
    const user = vi.spyOn(process as Required<NodeJS.Process>, 'geteuid')
    const { statSync } = fs
    vi.spyOn(fs, 'statSync').mockImplementation((...args: Parameters<typeof fs.statSync>) => {
      return Object.assign(statSync(...args) as fs.Stats, { uid: uid + 1 })
    })
    user.mockReturnValue(uid + 2)
    expect(arenaOfLog({ path: logFilePath })).not.toBeNull()
    fs.chmodSync(path.dirname(logFilePath), 0o1777)
    expect(() => arenaOfLog({ path: logFilePath })).toThrow(
      expect.objectContaining({ code: 'ERR_SHARDLOG_ARENA_OWNER' })
    )
    expect(await verifyLog(logFilePath)).toMatchObject({ ok: false, arena: null, damage: [{ kind: 'bad-arena' }] })
    user.mockReturnValue(uid)
    expect(await verifyLog(logFilePath)).toMatchObject({ ok: true, arena: { entries: 1 } })
  })
})
