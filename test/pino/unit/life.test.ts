import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { circuitBreaker } from '../../../lib/features/circuit-breaker'
import { logger } from '../../../lib/pino/logger'
import { destination, multistream, symbols } from '../../../lib/pino/public'
import { arenaOf } from '../../support/arena-path'
import { packageRoot } from '../../support/shardlog'
import { tempLog } from '../../support/temp'

const small = { format: 'ndjson', crashSafe: false, bufferSize: 1 << 20, numShards: 1 } as const

describe('every logger has', () => {
  it('the counters of its destination, of several added up', () => {
    const [one, two] = [destination({ dest: tempLog(), ...small }), destination({ dest: tempLog(), ...small })]
    const log = logger({}, one)
    log.child({}).info('text')
    expect(log.getStatsSnapshot()).toMatchObject({ totalLogs: 1, droppedLogs: 0 })
    const both = logger({}, multistream([{ stream: one }, { stream: two }, { stream: { write: () => true } }]) as never)
    both.info('text')
    expect(both.getStatsSnapshot()).toMatchObject({ totalLogs: 3 })
    expect(logger({}, circuitBreaker(one)).getStatsSnapshot()).toMatchObject({ totalLogs: 2 })
    expect(logger({}, { write: () => true }).getStatsSnapshot()).toBeNull()
    for (const stream of [one, two]) stream.closeSync()
  })

  it('flushSync and close', async () => {
    const file = tempLog()
    const stream = destination({ dest: file, ...small })
    const log = logger({ base: null, timestamp: false, dedupe: true }, stream)
    log.info('text')
    log.info('text')
    log.flushSync()
    const held = '{"level":30,"msg":"text"}\n{"level":30,"repeated":1,"msg":"last message repeated 1 times"}\n'
    expect(fs.readFileSync(file, 'utf8')).toBe(held)
    log.info('more')
    await log.close()
    expect(fs.readFileSync(file, 'utf8')).toBe(`${held}{"level":30,"msg":"more"}\n`)
    await log.close()
    expect(stream.destroyed).toBe(true)
    log.info('late')
    expect(log.getStatsSnapshot()?.droppedLogs).toBe(1)
    await logger({}, { write: () => true }).close()
    logger({}, { write: () => true }).flushSync()
  })

  it('a close that what was told of the past does not fail', async () => {
    const file = tempLog()
    fs.writeFileSync(arenaOf(file), 'nobody can read this', { mode: 0o600 })
    const stream = destination({ dest: file, format: 'ndjson' })
    const codes: string[] = []
    stream.on('error', ({ code }) => codes.push(code))
    const log = logger({ base: null, timestamp: false }, stream)
    log.info('text')
    await log.close()
    expect(codes).toEqual(['ERR_SHARDLOG_ARENA_ASIDE'])
    expect(fs.readFileSync(file, 'utf8')).toBe('{"level":30,"msg":"text"}\n')
  })

  it('a close that fails if its lines cannot be written', async () => {
    const fd = fs.openSync('/dev/full', 'w')
    const log = logger({}, destination({ dest: fd, format: 'ndjson' }))
    log.info('text')
    await expect(log.close()).rejects.toMatchObject({ code: 'ERR_SHARDLOG_WRITE' })
    fs.closeSync(fd)
  })

  it('a close that waits for a stream of pino', async () => {
    const file = tempLog()
    const stream = destination({ dest: file, sync: false, minLength: 4_096 })
    await once(stream, 'ready')
    const log = logger({ base: null, timestamp: false }, stream)
    log.info('text')
    await log.close()
    expect(fs.readFileSync(file, 'utf8')).toBe('{"level":30,"msg":"text"}\n')
  })
})

describe('as in pino', () => {
  it('a destination of a descriptor has fd, sync, minLength, append and destroyed', () => {
    const fd = fs.openSync('/dev/null', 'w')
    const stream = destination(fd)
    const theirs = pino.destination(fs.openSync('/dev/null', 'w'))
    for (const name of ['fd', 'sync', 'minLength', 'append', 'destroyed'] as const) {
      expect([name, typeof (stream as unknown as Record<string, unknown>)[name]]).toEqual([
        name,
        typeof (theirs as unknown as Record<string, unknown>)[name]
      ])
    }
    expect((stream as unknown as { fd: number }).fd).toBe(fd)
    stream.end()
  })

  it('a logger lists its own keys, and the symbols are all there', () => {
    const silent = { write: () => true }
    expect(Object.keys(logger({}, silent)).sort()).toEqual(Object.keys(pino({}, silent)).sort())
    expect(Object.keys(symbols)).toEqual(expect.arrayContaining(Object.keys(pino.symbols)))
    expect(symbols.needsMetadataGsym).toBe(pino.symbols.needsMetadataGsym)
  })
})

describe('standard output, where a process may be frozen after a call,', () => {
  /** What is read of a program that is killed right behind its last call. */
  function killed(options: string, env: NodeJS.ProcessEnv = {}): string {
    const script = `require(${JSON.stringify(packageRoot)})(${options}).info('text'); process.kill(process.pid, 'SIGKILL')`
    return spawnSync(process.execPath, ['-e', script], { encoding: 'utf8', env: { ...process.env, ...env } }).stdout
  }
  const line = '{"level":30,"msg":"text"}\n'
  const plain = 'base: null, timestamp: false'

  it.each(['AWS_LAMBDA_FUNCTION_NAME', 'K_SERVICE', 'FUNCTIONS_WORKER_RUNTIME', 'VERCEL'])(
    'as %s says, has its lines',
    name => {
      expect(killed(`{ ${plain} }`, { [name]: 'any' })).toBe(line)
    }
  )

  it('has them by the option too', () => {
    expect(killed(`{ ${plain}, sync: true }`)).toBe(line)
    const stream = destination({ dest: tempLog(), ...small })
    expect(() => logger({ sync: true }, stream)).toThrow('option sync (value true) is for standard output')
    stream.closeSync()
    expect(() => logger({ sync: 'yes' as never })).toThrow("option sync must be true or false, got 'yes'")
  })
})
