import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { prelude, runChild } from '../support/child'
import { killWithEntries } from '../support/killed'
import { readTexts } from '../support/plain-reader'
import { Logger, shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

const small = { engine: 'native', flushInterval: 0, bufferSize: 1 << 20 } as const
const list = (directory: string): string[] => fs.readdirSync(directory).sort()

/** The log whose arena it is. */
const logOf = (arena: string): string => path.join(path.dirname(arena), path.basename(arena).slice(1, -'.arena'.length))

describe('a start with %p in its path', () => {
  it('recovers what dead processes of the same path left, each into its own log', () => {
    const directory = tempDir()
    const logFilePath = path.join(directory, 'app.%p.log')
    const dead = [2, 3].map(count => logOf(killWithEntries({ ...small, logFilePath }, count)))
    // Of another pattern, and of this one but for the number.
    const others = ['apps.1.log', 'app.x.log', 'appx1.log'].map(name => path.join(directory, name))
    for (const other of others) killWithEntries({ ...small, logFilePath: other }, 1)
    const logger = new Logger({ ...small, logFilePath })
    // The second of the dead has recovered what the first one left.
    expect(logger.getStatsSnapshot().recoveredLogs).toBe(3)
    logger.closeSync()
    for (const [i, log] of dead.entries()) expect(readTexts(log)).toHaveLength(i + 2)
    const arenas = list(directory).filter(name => name.endsWith('.arena'))
    expect(arenas).toEqual(others.map(log => `.${path.basename(log)}.arena`).sort())
  })

  it('removes the log of a dead process in which nothing was, but no other', () => {
    const directory = tempDir()
    const logFilePath = path.join(directory, 'app.%p.log')
    const dead = logOf(killWithEntries({ ...small, logFilePath }, 0))
    fs.writeFileSync(path.join(directory, 'app.1.log'), '')
    new Logger({ ...small, logFilePath }).closeSync()
    expect(fs.existsSync(dead)).toBe(false)
    expect(list(directory)).toEqual([`app.${process.pid}.log`, 'app.1.log'].sort())
  })

  it('leaves those of living processes alone', async () => {
    const directory = tempDir()
    const config = { ...small, logFilePath: path.join(directory, 'app.%p.log') }
    const script = `const logger = new Logger(config); logger.log('alive'); console.log(logger.getStatsSnapshot().arenaPath)
      process.stdin.once('end', () => logger.closeSync()).resume()`
    const living = spawn(process.execPath, ['-e', prelude(config) + script], { stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void living.kill('SIGKILL'))
    const [arena] = (await once(living.stdout, 'data')) as [Buffer]
    const told: string[] = []
    new Logger({ ...config, onError: error => told.push(error.code) }).closeSync()
    expect(fs.existsSync(arena.toString().trim())).toBe(true)
    living.stdin.end()
    await once(living, 'exit')
    expect(readTexts(logOf(arena.toString().trim()))).toEqual(['alive'])
    expect(told).toEqual([])
  })

  it.each(['file', 'arenaDir', 'shm'] as const)('finds them wherever their arenas lie: %s', where => {
    const directory = tempDir()
    const arenaDir = path.join(directory, 'arenas')
    fs.mkdirSync(arenaDir)
    const options = { file: {}, arenaDir: { arenaDir }, shm: { crashSafe: 'shm' } }[where] as object
    const config = { ...small, ...options, logFilePath: path.join(directory, 'app-%p') }
    const arena = killWithEntries(config, 4)
    new Logger(config).closeSync()
    expect(fs.existsSync(arena)).toBe(false)
    const logs = list(directory).filter(name => /^app-\d+$/.test(name) && name !== `app-${process.pid}`)
    expect(logs.map(name => readTexts(path.join(directory, name)).length)).toEqual([4])
  })

  it('holds for recoverTo, too', () => {
    const directory = tempDir()
    const recoverTo = path.join(directory, 'lines-%p.ndjson')
    const killed = runChild(
      `const log = shardlog({ base: null }, shardlog.destination({ dest: 1, recoverTo: config.recoverTo, flushInterval: 60_000 }))
       for (let i = 0; i < 5; i++) log.info('line ' + i)
       process.kill(process.pid, 'SIGKILL')`,
      { config: { recoverTo } }
    )
    expect(killed.signal).toBe('SIGKILL')
    const ended = runChild('shardlog.destination({ dest: 1, recoverTo: config.recoverTo }).closeSync()', {
      config: { recoverTo }
    })
    expect(ended.stderr).toBe('')
    const [name, ...more] = list(directory)
    expect(more).toEqual([])
    const lines = fs.readFileSync(path.join(directory, name!), 'utf8').trim().split('\n')
    expect(lines.map(line => JSON.parse(line).msg)).toEqual(['line 0', 'line 1', 'line 2', 'line 3', 'line 4'])
  })
})

describe('two starts at once with the same recoverTo', () => {
  it('one is refused, and the other keeps its arena', async () => {
    const directory = tempDir()
    const recoverTo = path.join(directory, 'lines.ndjson')
    const script = `
      while (Date.now() < config.at) {}
      try {
        const log = shardlog({ base: null }, shardlog.destination({ dest: 1, recoverTo: config.recoverTo, flushInterval: 60_000 }))
        for (let i = 0; i < 100; i++) log.info('line')
        require('node:fs').writeSync(2, 'up')
        setInterval(() => {}, 1000)
      } catch (error) { require('node:fs').writeSync(2, error.code) }`
    const config = { recoverTo, at: Date.now() + 1_500 }
    const children = [0, 1, 2].map(() => spawn(process.execPath, ['-e', prelude(config) + script]))
    onTestFinished(() => children.forEach(child => void child.kill('SIGKILL')))
    const said = await Promise.all(children.map(async child => String((await once(child.stderr, 'data'))[0])))
    expect(said.sort()).toEqual(['ERR_SHARDLOG_LOCKED', 'ERR_SHARDLOG_LOCKED', 'up'])
    for (const child of children) {
      if (child.exitCode !== null) continue
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    expect(await shardlog.recoverLog(recoverTo)).toMatchObject({ entries: 100 })
  })
})
