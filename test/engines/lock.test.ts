import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { prelude, runChild } from '../support/child'
import { engines, small } from '../support/engines'
import { readTexts } from '../support/plain-reader'
import { Logger, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

/** A child that has opened the log and waits. */
async function holder(config: object): Promise<{ pid: number; kill: () => Promise<void> }> {
  const script = `${prelude(config)}const logger = new Logger(config); logger.log('theirs'); logger.flushSync()
    console.log('open'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const ended = once(child, 'exit')
  await once(child.stdout, 'data')
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return { pid: child.pid!, kill }
}

const refusal = (config: ConstructorParameters<typeof Logger>[0]): unknown => {
  try {
    new Logger(config).closeSync()
  } catch (error) {
    return error
  }
  throw new Error('the log was opened')
}

describe.each(engines)('a log held by a process with the %s engine', held => {
  it.each(engines)('is refused to another with the %s engine, with the owner’s pid', async engine => {
    const logFilePath = tempLog()
    const { pid, kill } = await holder(small(logFilePath, held))
    const error = refusal(small(logFilePath, engine)) as { code: string; message: string }
    expect(error.code).toBe('ERR_SHARDLOG_LOCKED')
    expect(error.message).toContain(`locked by pid ${pid}`)
    expect(error.message).toContain('%p')
    await kill()
  })

  it('is free again when that process was killed', async () => {
    const logFilePath = tempLog()
    const { kill } = await holder(small(logFilePath, held))
    await kill()
    const logger = new Logger(small(logFilePath, held))
    logger.log('ours')
    logger.closeSync()
    expect(readTexts(logFilePath)).toEqual(['theirs', 'ours'])
    expect(fs.existsSync(`${logFilePath}.lock`)).toBe(false)
  })
})

it.runIf(engines.includes('native'))(
  'a log that a living process holds is not recovered, and who asks is not told how to write elsewhere',
  async () => {
    const logFilePath = tempLog()
    const { pid, kill } = await holder(small(logFilePath, 'native'))
    const refused = shardlog.recoverLog(logFilePath)
    await expect(refused).rejects.toMatchObject({ code: 'ERR_SHARDLOG_LOCKED' })
    await expect(refused).rejects.toThrow(`locked by pid ${pid}; it writes what it has accepted itself`)
    await expect(refused).rejects.not.toThrow('%p')
    await kill()
  }
)

describe.runIf(engines.length > 1)('both engines on one log in one process', () => {
  it.each([
    ['native', 'js'],
    ['js', 'native']
  ] as const)('%s first: the other is refused', (first, second) => {
    const logFilePath = tempLog()
    const logger = new Logger(small(logFilePath, first))
    expect(refusal(small(logFilePath, second))).toMatchObject({ code: 'ERR_SHARDLOG_LOCKED' })
    expect(logger.log('still works')).toBe(true)
    logger.closeSync()
    new Logger(small(logFilePath, second)).closeSync()
    expect(readTexts(logFilePath)).toEqual(['still works'])
  })
})

describe.each(engines)('%s engine and other processes', engine => {
  it('%p gives each process a file of its own', () => {
    const logFilePath = tempLog()
    const config = small(`${logFilePath}.%p`, engine)
    const ours = new Logger(config)
    ours.log('ours')
    const result = runChild(`const l = new Logger(config); l.log('theirs'); l.closeSync(); console.log(process.pid)`, {
      config
    })
    ours.closeSync()
    expect(readTexts(`${logFilePath}.${process.pid}`)).toEqual(['ours'])
    expect(readTexts(`${logFilePath}.${result.stdout.trim()}`)).toEqual(['theirs'])
  })

  it('child_process.fork, spawn and exec of a process that logs disturb nothing', () => {
    const logFilePath = tempLog()
    const script = `
      const { fork, execFileSync } = require('node:child_process')
      const logger = new Logger(config)
      logger.log('before')
      execFileSync(process.execPath, ['-e', '0'])
      const child = fork('-e', ['process.send("hi"); process.exit()'], { execArgv: [] , stdio: 'ignore' })
      child.on('error', () => {})
      child.on('exit', () => { logger.log('after'); logger.closeSync() })`
    const result = runChild(script, { config: small(logFilePath, engine) })
    expect(result.stderr).toBe('')
    expect(result.status).toBe(0)
    expect(readTexts(logFilePath)).toEqual(['before', 'after'])
  })

  it('cluster: a worker on the primary’s log is refused, with %p each has its own', () => {
    const logFilePath = tempLog()
    const script = `
      const cluster = require('node:cluster')
      if (cluster.isPrimary) {
        const logger = new Logger(config)
        logger.log('primary')
        cluster.setupPrimary({ exec: __filename === '[eval]' ? undefined : __filename })
        const worker = cluster.fork()
        worker.on('message', code => { console.log(code) })
        worker.on('exit', () => { logger.log('primary again'); logger.closeSync() })
      } else {
        let code = 'opened'
        try { new Logger(config) } catch (error) { code = error.code }
        const own = new Logger({ ...config, logFilePath: config.logFilePath + '.worker' })
        own.log('worker')
        own.closeSync()
        process.send(code, () => process.disconnect())
      }`
    const file = `${logFilePath}.js`
    const config = small(logFilePath, engine)
    fs.writeFileSync(file, prelude(config) + script)
    const result = runChild(`require(${JSON.stringify(file)})`, { config })
    expect(result.stderr).toBe('')
    expect(result.stdout.trim()).toBe('ERR_SHARDLOG_LOCKED')
    expect(readTexts(logFilePath)).toEqual(['primary', 'primary again'])
    expect(readTexts(`${logFilePath}.worker`)).toEqual(['worker'])
  })
})
