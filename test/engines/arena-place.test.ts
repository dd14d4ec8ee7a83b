import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { arenaOf, oldArenaOf } from '../support/arena-path'
import { runChild } from '../support/child'
import { killWithEntries } from '../support/killed'
import { readTexts } from '../support/plain-reader'
import { run } from '../support/run'
import { type Config, Logger, packageRoot, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

const { readLog, recoverLog, verifyLog } = shardlog
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

  it('may be a file: URL, as the other paths', async () => {
    const file = tempLog()
    const directory = directoryBeside(file, 'arenas')
    killWithEntries({ ...small, logFilePath: file, arenaDir: directory }, 3)
    const arenaDir = pathToFileURL(directory)
    const logFilePath = pathToFileURL(file)
    expect(await verifyLog(logFilePath, { arenaDir })).toMatchObject({ path: file })
    const waiting: { text: string }[] = []
    for await (const entry of readLog(logFilePath, { arenaDir })) waiting.push(entry)
    expect(waiting.map(({ text }) => text)).toEqual(texts(3))
    new Logger({ ...small, logFilePath, arenaDir }).closeSync()
    expect(readTexts(file)).toEqual(texts(3))
    const config = { ...small, logFilePath, arenaDir: new URL('http://localhost/arenas') }
    expect(() => new Logger(config)).toThrow(
      "option arenaDir must be a path or a file: URL, got 'http://localhost/arenas'"
    )
    const recoverTo = pathToFileURL(path.join(directory, 'left.log'))
    const destination = shardlog.destination({ dest: 1, format: 'ndjson', recoverTo, arenaDir })
    expect(destination.getStatsSnapshot().arenaPath).toContain(directory)
    destination.closeSync()
  })

  it('is what readers are told, to show what waits there', async () => {
    const log = tempLog()
    const arenaDir = directoryBeside(log, 'arenas')
    killWithEntries({ ...small, logFilePath: log, arenaDir }, 3)
    const inFolder = path.relative('', arenaDir)
    for (const [options, count] of [
      [{}, 0],
      [{ arenaDir: inFolder }, 3],
      [{ arenaDir: inFolder, order: 'time' }, 3]
    ] as const) {
      const shown: string[] = []
      for await (const { text } of readLog(log, options)) shown.push(text)
      expect(shown).toEqual(texts(count))
    }
    const ended = new AbortController()
    const followed: string[] = []
    for await (const { text } of readLog(log, { arenaDir, follow: true, signal: ended.signal })) {
      followed.push(text)
      if (followed.length === 3) ended.abort()
    }
    expect(followed).toEqual(texts(3))
    expect((await verifyLog(log, { arenaDir: inFolder })).arena).toMatchObject({ entries: 3, ownerAlive: false })
    expect((await verifyLog(log)).arena).toBe(null)
    for (const command of ['cat', 'tail']) {
      const told = run(process.execPath, [main, command, '--arena-dir', inFolder, log])
      expect(told.split('\n').slice(0, 3)).toEqual(texts(3))
    }
    for (const command of ['verify', 'stats']) {
      expect(run(process.execPath, [main, command, '--arena-dir', inFolder, log])).toContain('waiting: 3 entries')
    }
    // What is only in the arena is a log too.
    fs.rmSync(log)
    expect(run(process.execPath, [main, 'tail', '-n', '1', '--arena-dir', inFolder, log])).toBe('entry 2\n')
    expect(() => readLog(log, { arenaDir: '' })).toThrow('option arenaDir must be a non-empty string')
    await expect(verifyLog(log, { arenaDir: '' })).rejects.toThrow('option arenaDir must be a non-empty string')
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

describe("an arena in /dev/shm, when its log's file is rotated", () => {
  it.each(['shm', 'file'] as const)(
    "is not in the way of the file's new name, opened with crashSafe: '%s'",
    async crashSafe => {
      const log = tempLog()
      const first = new Logger({ ...small, logFilePath: log, crashSafe: 'shm' })
      first.log('entry 0')
      first.flushSync()
      fs.renameSync(log, `${log}.1`)
      const second = new Logger({ ...small, logFilePath: `${log}.1`, crashSafe })
      first.log('of the first')
      second.log('entry 1')
      const shown: string[] = []
      for await (const { text } of readLog(`${log}.1`)) shown.push(text)
      expect(shown).toEqual(texts(2))
      const arenas = [first, second].map(logger => logger.getStatsSnapshot().arenaPath!)
      second.closeSync()
      first.closeSync()
      expect(readTexts(log)).toEqual(['of the first'])
      expect(readTexts(`${log}.1`)).toEqual(texts(2))
      expect(arenas.filter(arena => fs.existsSync(arena))).toEqual([])
    }
  )
})

/** Makes a directory append-only, or no longer; false where that cannot be had. */
const chattr = (sign: '+' | '-', directory: string): boolean =>
  spawnSync('chattr', [`${sign}a`, directory], { stdio: 'ignore' }).status === 0

function canBeAppendOnly(): boolean {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-append-only-'))
  const can = chattr('+', directory)
  chattr('-', directory)
  fs.rmSync(directory, { recursive: true })
  return can
}

describe.skipIf(!canBeAppendOnly())('a directory that is append-only (needs root and chattr)', () => {
  /** An empty one with a log's name, and another for arenas. */
  function places(): { logFilePath: string; arenaDir: string; directory: string } {
    const logFilePath = tempLog()
    const directory = path.dirname(logFilePath)
    const arenaDir = path.dirname(tempLog())
    onTestFinished(() => void chattr('-', directory))
    return { logFilePath, arenaDir, directory }
  }

  function append(options: Config, text: string): void {
    const logger = new Logger({ ...small, ...options })
    logger.log(text)
    logger.closeSync()
  }

  it('is refused by the first opening, which says what to do, and works with the arena elsewhere', () => {
    const { logFilePath, arenaDir, directory } = places()
    chattr('+', directory)
    for (let i = 0; i < 2; i++) {
      expect(() => append({ logFilePath }, 'refused')).toThrow(
        expect.objectContaining({ code: 'ERR_SHARDLOG_IO', message: expect.stringContaining('option arenaDir') })
      )
    }
    append({ logFilePath, arenaDir }, 'a')
    append({ logFilePath, arenaDir }, 'b')
    append({ logFilePath, crashSafe: 'shm' }, 'c')
    append({ logFilePath, crashSafe: false }, 'd')
    expect(readTexts(logFilePath)).toEqual(['a', 'b', 'c', 'd'])
    expect(fs.readdirSync(directory)).toEqual([path.basename(logFilePath)])
  })

  it('that it has become while the log was open: what is in the log is not recovered again', async () => {
    const { logFilePath, arenaDir, directory } = places()
    const logger = new Logger({ ...small, logFilePath })
    logger.log('a')
    chattr('+', directory)
    logger.closeSync()
    fs.truncateSync(logFilePath)
    append({ logFilePath, arenaDir }, 'b')
    expect(readTexts(logFilePath)).toEqual(['b'])
    expect((await verifyLog(logFilePath)).ok).toBe(true)
    chattr('-', directory)
    append({ logFilePath }, 'c')
    expect(readTexts(logFilePath)).toEqual(['b', 'c'])
    expect(fs.readdirSync(directory)).toEqual([path.basename(logFilePath)])
  })

  it('that it has become since a kill: what was left is recovered once, with the next arena elsewhere', () => {
    const { logFilePath, arenaDir, directory } = places()
    killWithEntries({ ...small, logFilePath }, 3)
    chattr('+', directory)
    append({ logFilePath, arenaDir }, 'a')
    append({ logFilePath, arenaDir }, 'b')
    expect(readTexts(logFilePath)).toEqual([...texts(3), 'a', 'b'])
  })

  it('is refused by the JavaScript engine, too', () => {
    const { logFilePath, directory } = places()
    chattr('+', directory)
    for (let i = 0; i < 2; i++) {
      expect(() => append({ logFilePath, engine: 'js' }, 'refused')).toThrow(
        expect.objectContaining({ code: 'ERR_SHARDLOG_IO', message: expect.stringContaining('append-only') })
      )
    }
    chattr('-', directory)
    append({ logFilePath, engine: 'js' }, 'a')
    expect(readTexts(logFilePath)).toEqual(['a'])
  })
})
