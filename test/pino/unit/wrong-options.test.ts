import { type EventEmitter, once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { logger, loggerInPinosPlace } from '../../../lib/pino/logger'
// Adds the options of plug-ins.
import '../../../lib/pino/public'
import { shardlog } from '../../support/shardlog'
import { tempDir, tempLog } from '../../support/temp'

type Opened = Record<symbol, unknown>

interface Refusal {
  code?: string
  message?: string
}

/** What a call is refused with; nothing if it is not. */
function refusal(call: () => unknown): Refusal {
  try {
    call()
    return {}
  } catch (error) {
    return error as Refusal
  }
}

const make = shardlog as unknown as (...args: unknown[]) => { info(text: string): void }
const destination = shardlog.destination as unknown as (options: unknown) => { closeSync(): void }
const { Logger } = shardlog

const rightPlace = "shardlog(options, shardlog.destination({ dest, format: 'ndjson' }))"

describe('an option in the wrong place is refused with the right one', () => {
  it.each<[string, () => unknown, string[]]>([
    [
      'logFilePath of a destination',
      () => destination({ logFilePath: 'f', format: 'ndjson' }),
      ['logFilePath', "'f'", 'is dest']
    ],
    ['dest of a logger', () => make({ dest: 'f', format: 'ndjson' }), ['option dest', "'f'", rightPlace]],
    [
      'logFilePath of a logger',
      () => make({ logFilePath: 'f' }),
      ['option logFilePath', 'new Logger({ logFilePath })', rightPlace]
    ],
    ['onFull of a logger', () => make({ onFull: 'block' }), ['option onFull', "'block'", rightPlace]],
    ['format alone of a logger', () => make({ format: 'ndjson' }), ['option format', rightPlace]]
  ])('%s', (_name, call, parts) => {
    const { code, message } = refusal(call)
    expect(code).toBe('ERR_SHARDLOG_CONFIG')
    for (const part of parts) expect(message).toContain(part)
  })

  it("but in pino's place, where pino ignores it", () => {
    const lines: string[] = []
    loggerInPinosPlace({ format: 'ndjson', samplng: 1 } as object, { write: line => lines.push(line) }).info('text')
    expect(lines).toHaveLength(1)
  })
})

describe("an option of the engine's without a format is refused", () => {
  it.each<[object, string]>([
    [{ crashSafe: 'file', onFull: 'block' }, "option crashSafe (value 'file'): needs format: 'ndjson' or 'shard'"],
    [{ bufferSize: 1 << 20, sync: true }, 'option bufferSize'],
    [{ onFul: 'block' }, "unknown option onFul (value 'block'): did you mean onFull?"],
    [{ crashsafe: false }, 'did you mean crashSafe?']
  ])('%j', (options, text) => {
    const { code, message } = refusal(() => destination({ dest: tempLog(), ...options }))
    expect(code).toBe('ERR_SHARDLOG_CONFIG')
    expect(message).toContain(text)
  })
})

describe("a name that is not known is refused on every destination of the engine's", () => {
  it.each<[object, string]>([
    [{ dest: 2, onFul: 'block' }, "unknown option onFul (value 'block' (string)): did you mean onFull?"],
    [{ dest: 2, unheardOf: 1 }, 'unknown option unheardOf'],
    [{ dest: 'f.log', format: 'ndjson', unheardOf: 1 }, 'known options are dest,'],
    [{ dest: 2, sync: true, onful: 'drop' }, 'did you mean onFull?']
  ])('%j', (options, text) => {
    const { code, message } = refusal(() => destination(options))
    expect(code).toBe('ERR_SHARDLOG_CONFIG')
    expect(message).toContain(text)
  })

  it('so is a name that is nearly an option of the logger beyond pino', () => {
    expect(refusal(() => logger({ samplng: {} } as object)).message).toContain('did you mean sampling?')
    expect(refusal(() => logger({ maxEventsPerSec: 5 } as object)).message).toContain(
      'did you mean maxEventsPerSecond?'
    )
    expect(
      refusal(() => logger({}, { write: () => true }).event('text', [], { lvl: 'info' } as object)).message
    ).toContain('event: options must be { level }')
  })
})

describe('what is no destination is refused at once', () => {
  it.each<[string, () => unknown, string]>([
    [
      'options of one',
      () => make({}, { dest: 'f', format: 'ndjson' }),
      'write shardlog(options, shardlog.destination({ dest, format }))'
    ],
    ['a number', () => make({}, 5), 'got 5'],
    ['an array', () => make({}, []), 'got []'],
    ['true', () => make({}, true), 'got true'],
    ['an object without a write', () => make({}, { writable: true }), 'a path, a stream, or the result of']
  ])('%s', (_name, call, text) => {
    const { code, message } = refusal(call)
    expect(code).toBe('ERR_SHARDLOG_CONFIG')
    expect(message).toContain('the second argument must have a method write')
    expect(message).toContain(text)
  })

  it('a Logger', () => {
    const raw = new Logger({ logFilePath: tempLog(), crashSafe: false })
    expect(refusal(() => make({}, raw)).message).toContain('a Logger takes finished lines')
    raw.closeSync()
  })
})

describe("an option of pino's stream with a format is refused with what stands for it", () => {
  it.each<[object, string]>([
    [{ sync: false }, 'flushSync() waits'],
    [{ fsync: true }, 'dsync, which is on by default'],
    [{ mkdir: true }, 'fs.mkdirSync'],
    [{ append: false }, 'always appended'],
    [{ minLength: 4_096 }, 'flushInterval says when'],
    [{ maxLength: 1 }, 'onFull'],
    [{ maxWrite: 1 }, 'bufferSize'],
    [{ mode: 0o600 }, '0644'],
    [{ fd: 3 }, 'dest takes the number'],
    [{ periodicFlush: 100 }, 'flushInterval'],
    [{ contentMode: 'utf8' }, 'UTF-8'],
    [{ retryEAGAIN: () => true }, 'blockTimeout']
  ])('%o', (options, text) => {
    for (const dest of [tempLog(), 2]) {
      const { code, message } = refusal(() => destination({ dest, format: 'ndjson', ...options }))
      expect(code).toBe('ERR_SHARDLOG_CONFIG')
      expect(message).toContain(`option ${Object.keys(options)[0]}`)
      expect(message).toContain(text)
      expect(message).not.toContain('did you mean')
    }
  })
})

describe("what the JavaScript engine's buffers cannot be is refused", () => {
  it.each([{ crashSafe: 'file' }, { crashSafe: 'shm' }])('%o', options => {
    const wrong = `option crashSafe (value '${options.crashSafe}' (string)) needs the native engine`
    expect(
      refusal(() => destination({ dest: tempLog(), format: 'ndjson', engine: 'js', ...options })).message
    ).toContain(wrong)
    expect(refusal(() => new Logger({ logFilePath: tempLog(), engine: 'js', ...options } as never)).message).toContain(
      wrong
    )
  })

  it('recoverTo', () => {
    expect(refusal(() => destination({ dest: 2, engine: 'js', recoverTo: tempLog() })).message).toContain(
      'option recoverTo'
    )
  })
})

describe("messages have the user's own words", () => {
  it('of a path that cannot be a log', () => {
    for (const dest of ['/nonexistent/app.log', tempDir(), '/dev/null']) {
      const { code, message } = refusal(() => destination({ dest, format: 'ndjson' }))
      expect(code).toBe('ERR_SHARDLOG_PATH')
      expect(message).toContain('option dest:')
      expect(message).not.toContain('logFilePath')
    }
    expect(refusal(() => destination({ dest: '', format: 'ndjson' })).message).toContain("got ''")
  })
})

describe('a file: URL', () => {
  it('is a path, wherever one is', async () => {
    const directory = tempDir()
    const url = (name: string): URL => pathToFileURL(path.join(directory, name))
    destination({ dest: url('a b.log'), format: 'ndjson', crashSafe: false }).closeSync()
    new Logger(url('c.log') as never).closeSync()
    new Logger({ logFilePath: url('d.log'), crashSafe: false } as never).closeSync()
    const { streamSym } = shardlog.symbols as unknown as { streamSym: symbol }
    const streams = [make({}, url('e.log')), make(url('f.log'))].map(log => (log as unknown as Opened)[streamSym])
    await Promise.all(
      [...streams, destination(url('g.log'))].map(stream => once(stream as unknown as EventEmitter, 'ready'))
    )
    const names = ['a b.log', 'c.log', 'd.log', 'e.log', 'f.log', 'g.log']
    expect(fs.readdirSync(directory).sort()).toEqual(expect.arrayContaining(names))
    expect(refusal(() => destination(new URL('http://127.0.0.1/'))).message).toContain('a path or a file: URL')
  })
})
