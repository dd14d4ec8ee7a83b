import { type EventEmitter, once } from 'node:events'
import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { logging } from '../support/descriptors'
import { shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

interface Destination {
  getStatsSnapshot?: unknown
  end(): void
}

function isOfTheEngine(options: number | string | object | undefined): boolean {
  const destination = shardlog.destination(options) as unknown as Destination
  destination.end()
  return typeof destination.getStatsSnapshot === 'function'
}

describe('a destination', () => {
  it("is the engine's for a descriptor, unless it is asked for what only pino's stream does", () => {
    const fd = fs.openSync('/dev/null', 'w')
    for (const options of [
      {},
      { sync: false },
      { bufferSize: 1 << 21 },
      { onFull: 'block', blockTimeout: 5 },
      { format: 'ndjson' }
    ]) {
      expect([options, isOfTheEngine({ dest: fd, ...options })]).toEqual([options, true])
    }
    for (const options of [
      { sync: true },
      { minLength: 4_096, sync: false },
      { fsync: true },
      { contentMode: 'utf8' }
    ]) {
      expect([options, isOfTheEngine({ dest: fs.openSync('/dev/null', 'w'), ...options })]).toEqual([options, false])
    }
    expect(isOfTheEngine(fd)).toBe(true)
    expect(isOfTheEngine(String(fd))).toBe(true)
    fs.closeSync(fd)
  })

  it("is pino's stream for a path without a format: several processes may append to such a file", async () => {
    expect(isOfTheEngine(tempLog())).toBe(false)
    const later = shardlog.destination({ dest: tempLog(), sync: false }) as unknown as EventEmitter & Destination
    expect(later).not.toHaveProperty('getStatsSnapshot')
    // It opens its file later, in a directory that is removed with the test.
    await once(later, 'ready')
    later.end()
    await once(later, 'close')
  })

  it.each([
    [{ dest: 1, format: 'shard' }, "option format must be 'ndjson' for a descriptor, got 'shard'"],
    [{ dest: 1, dsync: true }, 'option dsync must be false for a descriptor, got true'],
    [
      { dest: 1, directIO: 'required' },
      "option directIO must be one of 'auto', 'off' for a descriptor, got 'required'"
    ],
    [{ dest: 1, onFull: 'wait' }, "option onFull must be one of 'drop', 'block', got 'wait'"],
    [
      { dest: 1, sync: true, onFull: 'drop' },
      "option sync (value true) makes a destination pino's stream, which has no option onFull"
    ],
    [{ dest: 1, format: 'ndjson', minLength: 1 }, "option minLength (value 1) is of pino's stream"],
    [{ dest: -1, format: 'ndjson' }, 'option dest must be a path or the number of an open descriptor, got -1']
  ])('of %o is refused by name', (options, message) => {
    let thrown: unknown
    try {
      shardlog.destination(options as object)
    } catch (error) {
      thrown = error
    }
    expect(thrown).toMatchObject({ code: 'ERR_SHARDLOG_CONFIG', message: expect.stringContaining(message) as string })
  })

  it('of a descriptor that is not open is an error that names it', () => {
    const open = (): unknown => shardlog.destination({ dest: 9_999, format: 'ndjson' })
    expect(open).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_IO', errno: 'EBADF' }) as Error)
    expect(open).toThrow('descriptor 9999')
  })

  it("of loggers that have none is process.stdout if its write was replaced, and Node's stream if it is given", async () => {
    const child = logging(
      `const seen = []
       const write = process.stdout.write
       shardlog({ base: null, timestamp: false }, process.stdout).info('given')
       process.stdout.write = line => seen.push(line)
       shardlog({ base: null, timestamp: false }).info('replaced')
       process.stdout.write = write
       say(seen)`,
      'pipe'
    )
    const chunks: Buffer[] = []
    child.child.stdout!.on('data', (chunk: Buffer) => chunks.push(chunk))
    expect((await child.end()).said).toEqual([['{"level":30,"msg":"replaced"}\n']])
    expect(Buffer.concat(chunks).toString()).toBe('{"level":30,"msg":"given"}\n')
  })

  it('of loggers that have none is one for all of a thread', async () => {
    const child = logging(
      `for (let i = 0; i < 1_000; i++) shardlog().info('line')
       const destination = shardlog.destination({ dest: 1, format: 'ndjson' })
       destination.flushSync()
       say([destination.getStatsSnapshot().producers, destination.getStatsSnapshot().writtenLogs])`,
      'pipe'
    )
    child.child.stdout!.resume()
    expect((await child.end()).said).toEqual([[1, 1_000]])
  })
})
