import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { prelude } from '../support/child'
import { engines, small } from '../support/engines'
import { readTexts } from '../support/plain-reader'
import { tempDir } from '../support/temp'

/** Runs a command in a mount namespace of its own, where an unprivileged user may mount too, on Linux that allows it. */
const inNamespace = (script: string, ...args: string[]): ReturnType<typeof spawnSync> =>
  spawnSync('unshare', ['-rm', 'sh', '-c', script, 'sh', ...args], {
    encoding: 'utf8',
    timeout: 30_000,
    killSignal: 'SIGKILL'
  })

const canMount = inNamespace('mount -t tmpfs -o size=64k tmpfs /mnt').status === 0

describe.runIf(canMount).each(engines)('%s engine on a file system of 1 MiB', engine => {
  /** Mounts the small file system on a directory and runs `body` there; files left in `keep` outlive it. */
  function onSmallDisk(body: string): { result: Record<string, unknown>; log: string } {
    const directory = tempDir()
    const disk = path.join(directory, 'disk')
    fs.mkdirSync(disk)
    const logFilePath = path.join(disk, 'app.log')
    const config = { ...small(logFilePath, engine), bufferSize: 1 << 20, crashSafe: false, directIO: 'off' }
    const log = path.join(directory, 'kept.log')
    const script = `${prelude(config)}const fs = require('node:fs')
      ;(async () => { ${body} })().then(result => {
        fs.copyFileSync(config.logFilePath, ${JSON.stringify(log)})
        console.log(JSON.stringify(result))
      })`
    const mount = 'mount -t tmpfs -o size=1m tmpfs "$1" && exec "$2" -e "$3"'
    const ended = inNamespace(mount, disk, process.execPath, script)
    expect(ended.stderr).toBe('')
    return { result: JSON.parse(String(ended.stdout)), log }
  }

  it('ENOSPC: the set is kept, onError is told, and logging resumes when there is room', () => {
    const { result, log } = onSmallDisk(`
      const told = []
      const logger = new Logger({ ...config, onError: error => told.push(error.code) })
      fs.writeFileSync(config.logFilePath + '.filler', Buffer.alloc(900 * 1024))
      for (let i = 0; i < 400; i++) logger.log('entry ' + i + ' ' + 'x'.repeat(800))
      const failed = await logger.flush().then(() => 'written', error => error.errno)
      const during = logger.getStatsSnapshot()
      fs.rmSync(config.logFilePath + '.filler')
      logger.log('after')
      await logger.flush()
      await logger.close()
      const { droppedLogs, writtenLogs } = logger.getStatsSnapshot()
      await new Promise(resolve => setTimeout(resolve, 20))
      return { failed, errors: during.flushErrors > 0, last: during.lastError.errno, droppedLogs, writtenLogs, told }`)
    expect(result).toEqual({
      failed: 'ENOSPC',
      errors: true,
      last: 'ENOSPC',
      droppedLogs: 0,
      writtenLogs: 401,
      told: ['ERR_SHARDLOG_WRITE', 'ERR_SHARDLOG_RESUMED']
    })
    const texts = readTexts(log)
    expect(texts.map(text => text.split(' ').slice(0, 2).join(' '))).toEqual([
      ...Array.from({ length: 400 }, (_, i) => `entry ${i}`),
      'after'
    ])
  })

  it('a log that outgrows the disk: what is written is whole, what is not is counted', () => {
    const { result, log } = onSmallDisk(`
      const logger = new Logger(config)
      let accepted = 0
      for (let i = 0; i < 4000; i++) { if (logger.log('entry ' + i + ' ' + 'x'.repeat(500))) accepted++; if (i % 200 === 0) await logger.flush().catch(() => {}) }
      await logger.close().catch(() => {})
      const { totalLogs, droppedLogs, writtenLogs } = logger.getStatsSnapshot()
      return { totalLogs, droppedLogs, writtenLogs, accepted }`)
    expect(result.totalLogs).toBe(4_000)
    expect(Number(result.droppedLogs) + Number(result.writtenLogs)).toBe(4_000)
    expect(Number(result.writtenLogs)).toBeGreaterThan(0)
    expect(readTexts(log)).toHaveLength(Number(result.writtenLogs))
  })

  // Only the native engine has one.
  if (engine === 'native')
    it('with an arena, what could not be written at close is in the log after the next opening', () => {
      const { result, log } = onSmallDisk(`
      const arena = { ...config, bufferSize: 1 << 18, crashSafe: 'file' }
      let logger = new Logger(arena)
      fs.writeFileSync(config.logFilePath + '.filler', Buffer.alloc(600 * 1024))
      const kept = []
      for (let i = 0; i < 400; i++) if (logger.log('entry ' + i + ' ' + 'x'.repeat(500))) kept.push(i)
      const accepted = kept.length
      const closed = await logger.close().then(() => 'written', error => error.errno)
      const { droppedLogs, writtenLogs } = logger.getStatsSnapshot()
      fs.rmSync(config.logFilePath + '.filler')
      logger = new Logger(arena)
      const { recoveredLogs } = logger.getStatsSnapshot()
      await logger.close()
      return { kept, closed, lost: accepted + droppedLogs - 400, all: writtenLogs + recoveredLogs === accepted }`)
      expect(result).toEqual({ kept: result.kept, closed: 'ENOSPC', lost: 0, all: true })
      // Not necessarily the first ones: a set that is freed late takes entries again after some were refused.
      expect(readTexts(log).map(text => Number(text.split(' ')[1]))).toEqual(result.kept)
    })
})
