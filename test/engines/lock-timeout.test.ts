import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { prelude } from '../support/child'
import { readTexts } from '../support/plain-reader'
import { Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'

/** A process that has the log open, and gives it up a while after it is told to. */
async function holder(config: object) {
  const script = `
    const logger = new Logger(config)
    logger.log('from the old process')
    process.stdin.once('data', () => setTimeout(() => { logger.closeSync(); process.exit() }, 200))
    console.log('open')`
  const child = spawn(process.execPath, ['-e', prelude(config) + script], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return { end: () => child.stdin.write('end\n') }
}

describe.each(['native', 'js'] as const)('with the %s engine, a log that another process has open', engine => {
  it('is waited for, up to lockTimeout', async () => {
    const config = { logFilePath: tempLog(), engine, flushInterval: 0, bufferSize: 1 << 20 }
    const old = await holder(config)
    for (const lockTimeout of [0, 50]) {
      expect(() => new Logger({ ...config, lockTimeout })).toThrow(
        expect.objectContaining({ code: 'ERR_SHARDLOG_LOCKED' })
      )
    }
    old.end()
    const logger = new Logger({ ...config, lockTimeout: 20_000 })
    logger.log('from the new process')
    logger.closeSync()
    expect(readTexts(config.logFilePath)).toEqual(['from the old process', 'from the new process'])
  })
})
