import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { arenaOf, oldArenaOf } from '../support/arena-path'
import { runChild } from '../support/child'
import { killWithEntries } from '../support/killed'
import { readTexts } from '../support/plain-reader'
import { run } from '../support/run'
import { Logger, packageRoot, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

const { recoverLog } = shardlog
const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
const small = { engine: 'native', flushInterval: 0, bufferSize: 1 << 20, numShards: 2 } as const

/** A directory beside the log. */
function directoryBeside(log: string, name: string): string {
  const directory = path.join(path.dirname(log), name)
  fs.mkdirSync(directory)
  return directory
}

const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `entry ${i}`)

describe("the arena's name", () => {
  it('begins with a dot, so that cleaners of `dir/*` pass it by', () => {
    const log = tempLog()
    const logger = new Logger({ ...small, logFilePath: log })
    const { arenaPath } = logger.getStatsSnapshot()
    expect(arenaPath).toBe(path.join(path.dirname(log), `.${path.basename(log)}.arena`))
    logger.closeSync()
    expect(fs.readdirSync(path.dirname(log))).toEqual([path.basename(log)])
  })

  it.each([249, 255])('has room for a log whose name is %i bytes long', length => {
    const log = path.join(path.dirname(tempLog()), 'n'.repeat(length))
    killWithEntries({ ...small, logFilePath: log }, 3)
    expect(fs.existsSync(arenaOf(log))).toBe(true)
    new Logger({ ...small, logFilePath: log }).closeSync()
    expect(readTexts(log)).toEqual(texts(3))
  })
})

describe('an arena under the name that it had before', () => {
  it.each(['the next opening', 'shardlog recover'])('is recovered by %s', async how => {
    const log = tempLog()
    killWithEntries({ ...small, logFilePath: log }, 3)
    fs.renameSync(arenaOf(log), oldArenaOf(log))
    if (how === 'shardlog recover') expect(await recoverLog(log)).toMatchObject({ entries: 3 })
    else new Logger({ ...small, logFilePath: log }).closeSync()
    expect(readTexts(log)).toEqual(texts(3))
    expect(fs.existsSync(oldArenaOf(log))).toBe(false)
  })

  it('is in the way of the JavaScript engine', () => {
    const log = tempLog()
    killWithEntries({ ...small, logFilePath: log }, 3)
    fs.renameSync(arenaOf(log), oldArenaOf(log))
    expect(() => new Logger({ logFilePath: log, engine: 'js' })).toThrow('entries of a dead process wait in')
  })

  it('is not taken for that of a hidden log whose old name is its new one', () => {
    const log = tempLog()
    const hidden = path.join(path.dirname(log), `.${path.basename(log)}`)
    const running = new Logger({ ...small, logFilePath: log })
    new Logger({ ...small, logFilePath: hidden }).closeSync()
    running.log('text')
    running.closeSync()
    killWithEntries({ ...small, logFilePath: log }, 2)
    const second = new Logger({ ...small, logFilePath: hidden })
    expect(second.getStatsSnapshot().recoveredLogs).toBe(0)
    second.closeSync()
    killWithEntries({ ...small, logFilePath: hidden }, 4)
    fs.rmSync(arenaOf(log))
    fs.renameSync(arenaOf(hidden), oldArenaOf(hidden))
    new Logger({ ...small, logFilePath: hidden }).closeSync()
    expect(readTexts(hidden)).toEqual(texts(4))
  })
})

describe('option arenaDir', () => {
  it('puts the arena there, where logs of one name in two directories do not meet', async () => {
    const base = tempLog()
    const arenaDir = directoryBeside(base, 'arenas')
    const logs = ['a', 'b', 'a%2Fx'].map(name => path.join(directoryBeside(base, name), 'app.log'))
    const places = logs.map(logFilePath => killWithEntries({ ...small, logFilePath, arenaDir }, 3))
    expect(new Set(places).size).toBe(3)
    expect(fs.readdirSync(arenaDir)).toHaveLength(3)
    for (const logFilePath of logs) {
      expect(fs.readdirSync(path.dirname(logFilePath))).toEqual(['app.log'])
      new Logger({ ...small, logFilePath, arenaDir: path.relative('', arenaDir) }).closeSync()
      expect(readTexts(logFilePath)).toEqual(texts(3))
    }
    expect(fs.readdirSync(arenaDir)).toEqual([])
  })

  it('is what recovery has to be told', async () => {
    const log = tempLog()
    const arenaDir = directoryBeside(log, 'arenas')
    killWithEntries({ ...small, logFilePath: log, arenaDir }, 3)
    expect(await recoverLog(log)).toMatchObject({ entries: 0 })
    expect(() => new Logger({ logFilePath: log, arenaDir, engine: 'js' })).toThrow('cannot recover them')
    expect(run(process.execPath, [main, 'recover', '--arena-dir', arenaDir, log])).toContain('recovered 3 entries')
    expect(readTexts(log)).toEqual(texts(3))
    await expect(recoverLog(log, { arenaDir: '' })).rejects.toThrow('option arenaDir must be a non-empty string')
  })

  it('finds what was left beside the log before it was given', () => {
    const log = tempLog()
    killWithEntries({ ...small, logFilePath: log }, 3)
    new Logger({ ...small, logFilePath: log, arenaDir: directoryBeside(log, 'arenas') }).closeSync()
    expect(readTexts(log)).toEqual(texts(3))
  })

  it('has to be a directory, and is for files only', () => {
    const log = tempLog()
    const open = (options: object) => () => new Logger({ ...small, logFilePath: log, ...options })
    expect(open({ arenaDir: `${log}.none` })).toThrow(`option arenaDir: directory ${log}.none does not exist`)
    expect(open({ arenaDir: '' })).toThrow('option arenaDir must be a non-empty string')
    expect(open({ arenaDir: '.', crashSafe: 'shm' })).toThrow("is for crashSafe 'file'")
    fs.writeFileSync(log, '')
    expect(open({ arenaDir: log })).toThrow('is not a directory')
    expect(fs.readFileSync(log, 'utf8')).toBe('')
  })

  it.runIf(process.geteuid?.() === 0)(
    'lets a user log to its own file in a directory that is not its (as root)',
    () => {
      const log = tempLog()
      const arenaDir = directoryBeside(log, 'arenas')
      for (const directory of [path.dirname(log), '/tmp']) fs.chmodSync(directory, fs.statSync(directory).mode | 0o005)
      fs.writeFileSync(log, '')
      fs.chownSync(log, 65534, 65534)
      fs.chownSync(arenaDir, 65534, 65534)
      const asNobody = (options: object): string =>
        runChild(
          `process.setgid(65534); process.setuid(65534)
         try { const logger = new Logger(config)
           logger.log('entry 0'); logger.closeSync(); console.log('written') } catch (error) { console.log(error.code, error.errno, error.message) }`,
          { config: { ...small, logFilePath: log, ...options } }
        ).stdout
      expect(asNobody({})).toMatch(/^ERR_SHARDLOG_PATH EACCES .*arenaDir puts it elsewhere/)
      expect(asNobody({ arenaDir })).toBe('written\n')
      expect(readTexts(log)).toEqual(texts(1))
    }
  )
})
