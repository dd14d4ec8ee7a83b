import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { arenaOf } from '../support/arena-path'
import { prelude, runChild } from '../support/child'
import { engines, small } from '../support/engines'
import { readTexts } from '../support/plain-reader'
import { Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

const ENTRIES = Array.from({ length: 500 }, (_, i) => `entry ${i}`)
const LOG = `const logger = new Logger(config); for (let i = 0; i < ${ENTRIES.length}; i++) logger.log('entry ' + i);`

/**
 * What survives a death without an exit handler: everything with an arena, what was flushed with
 * the JavaScript engine.
 */
const survives = (engine: string): boolean => engine === 'native'

/**
 * Opens and closes the log, which recovers what a dead process left. Returns how many entries that
 * were.
 */
function recover(logFilePath: string, engine: (typeof engines)[number]): number {
  const logger = new Logger(small(logFilePath, engine))
  logger.closeSync()
  return logger.getStatsSnapshot().recoveredLogs
}

describe.each(engines)('%s engine: nothing accepted is lost by', engine => {
  const ways: [string, string, number][] = [
    ['the end of the event loop, never closed', '', 0],
    ['the end of the event loop after a timer', 'setTimeout(() => logger.log("late"), 20)', 0],
    ['process.exit()', 'process.exit(3)', 3],
    ['process.exit() in the middle of a flush', 'logger.flush(); setImmediate(() => process.exit(3))', 3],
    ['process.exit() right after a flush began', 'logger.flush(); process.exit(3)', 3],
    ['process.exit() in the middle of a close', 'logger.close(); process.exit(3)', 3],
    ['an uncaught exception', 'throw new Error("on purpose")', 1],
    ['an uncaught exception in a callback', 'setImmediate(() => { throw new Error("on purpose") })', 1],
    ['an unhandled rejection', 'Promise.reject(new Error("on purpose"))', 1],
    ['process.exitCode', 'process.exitCode = 9', 9]
  ]
  it.each(ways)('%s', (_, script, status) => {
    const logFilePath = tempLog()
    const result = runChild(`${LOG}${script}`, { config: small(logFilePath, engine) })
    expect(result.status).toBe(status)
    expect(readTexts(logFilePath)).toEqual([...ENTRIES, ...(script.includes('late') ? ['late'] : [])])
    expect(fs.existsSync(arenaOf(logFilePath))).toBe(false)
    expect(fs.existsSync(`${logFilePath}.lock`)).toBe(false)
  })

  it('logging in ‘exit’ handlers, installed before and after the logger', () => {
    const logFilePath = tempLog()
    const script = `
      process.on('exit', () => logger.log('exit handler 1'))
      ${LOG}
      process.on('exit', () => { logger.log('exit handler 2'); logger.logBytes(Buffer.from('exit bytes')) })
      process.on('beforeExit', () => logger.log('before exit'))`
    expect(runChild(script, { config: small(logFilePath, engine) }).status).toBe(0)
    expect(readTexts(logFilePath)).toEqual([
      ...ENTRIES,
      'before exit',
      'exit handler 1',
      'exit handler 2',
      'exit bytes'
    ])
  })

  it('a logger made in an ‘exit’ handler', () => {
    const logFilePath = tempLog()
    runChild(`process.on('exit', () => { ${LOG} })`, { config: small(logFilePath, engine) })
    recover(logFilePath, engine)
    expect(readTexts(logFilePath)).toEqual(ENTRIES)
  })

  it('close in an ‘exit’ handler', () => {
    const logFilePath = tempLog()
    const result = runChild(`${LOG} process.on('exit', () => logger.closeSync())`, {
      config: small(logFilePath, engine)
    })
    expect(result.status).toBe(0)
    expect(readTexts(logFilePath)).toEqual(ENTRIES)
  })

  it('several loggers at once', () => {
    const logFilePath = tempLog()
    const script = `const loggers = [0, 1, 2].map(n => new Logger({ ...config, logFilePath: config.logFilePath + n }))
      for (let i = 0; i < 30; i++) loggers[i % 3].log('entry ' + i)`
    runChild(script, { config: small(logFilePath, engine) })
    for (const n of [0, 1, 2]) {
      expect(readTexts(logFilePath + n)).toEqual(ENTRIES.slice(0, 30).filter((_, i) => i % 3 === n))
    }
  })
})

describe.each(engines)('%s engine: signals', engine => {
  it.each(['SIGTERM', 'SIGKILL', 'SIGINT', 'SIGABRT'] as const)(
    '%s, without a handler, ends the process as if there were no logger',
    signal => {
      const logFilePath = tempLog()
      const script = `${LOG} logger.flushSync(); logger.log('unflushed')
      process.kill(process.pid, '${signal}'); setInterval(() => {}, 1000)`
      const result = runChild(script, { config: small(logFilePath, engine) })
      expect(result.signal).toBe(signal)
      const recovered = recover(logFilePath, engine)
      expect(recovered).toBe(survives(engine) ? 1 : 0)
      expect(readTexts(logFilePath)).toEqual(survives(engine) ? [...ENTRIES, 'unflushed'] : ENTRIES)
    }
  )

  it('a handler of the application runs, and its process.exit loses nothing', () => {
    const logFilePath = tempLog()
    const script = `process.on('SIGTERM', () => { logger.log('in the handler'); process.exit(7) })
      ${LOG} process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)`
    expect(runChild(script, { config: small(logFilePath, engine) }).status).toBe(7)
    expect(readTexts(logFilePath)).toEqual([...ENTRIES, 'in the handler'])
  })

  it('no signal handlers are installed', () => {
    const script = `const signals = Object.keys(require('node:os').constants.signals)
      const count = () => signals.map(s => process.listenerCount(s)).concat(['uncaughtException', 'unhandledRejection', 'beforeExit']
        .map(e => process.listenerCount(e))).join()
      const before = count()
      ${LOG}
      console.log(before === count())`
    expect(runChild(script, { config: small(tempLog(), engine) }).stdout).toBe('true\n')
  })
})

describe.each(engines)('%s engine: the process', engine => {
  it('ends by itself, at once, whatever the flush interval, with loggers open', async () => {
    const script = `${prelude({ ...small(tempLog(), engine), flushInterval: 3_600_000 })}${LOG}`
    const child = spawn(process.execPath, ['-e', script], { stdio: 'ignore' })
    onTestFinished(() => {
      child.kill('SIGKILL')
    })
    expect(await once(child, 'exit')).toEqual([0, null])
  })

  it('stays alive for a flush or a close that is awaited', () => {
    const config = small(tempLog(), engine)
    const script = `${LOG} logger.flush().then(() => { console.log('flushed'); return logger.close() }).then(() => console.log('closed'))`
    expect(runChild(script, { config }).stdout).toBe('flushed\nclosed\n')
  })

  it('adds one ‘exit’ listener at the most, however many loggers, and none after their close', () => {
    const config = small(tempLog(), engine)
    const script = `
      const before = process.listenerCount('exit')
      const loggers = Array.from({ length: 20 }, (_, i) => new Logger({ ...config, logFilePath: config.logFilePath + i }))
      const during = process.listenerCount('exit') - before
      for (const logger of loggers) logger.closeSync()
      console.log(during <= 1, process.listenerCount('exit') - before)`
    const result = runChild(script, { config })
    expect(result.stdout).toBe('true 0\n')
    expect(result.stderr).toBe('')
  })

  it('a process that closed and reopened its log many times ends cleanly', () => {
    const logFilePath = tempLog()
    const script = `for (let i = 0; i < 30; i++) { const logger = new Logger(config); logger.log('entry ' + i); if (i % 2) logger.closeSync() }`
    const result = runChild(script, { config: small(logFilePath, engine) })
    expect(result.stderr).toBe('')
    expect(readTexts(logFilePath)).toEqual(ENTRIES.slice(0, 30))
  })
})
