import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { LoggerOptions, RecordedEvent, RecorderOptions } from '../../lib/public'
import { shardlog } from '../support/shardlog'
import { snapshotsIn } from '../support/snapshots'
import { tempDir } from '../support/temp'

const { readSnapshot } = shardlog

/** A logger with a recorder, what it has written, and what it has kept. */
function open(kind: 'text' | 'records', options: LoggerOptions = {}, recorder: RecorderOptions = {}) {
  const directory = tempDir()
  const file = path.join(directory, 'app.log')
  const written: string[] = []
  const stream = { write: (line: string) => void written.push(line) }
  const destination = kind === 'text' ? stream : shardlog.destination({ dest: file, format: 'ndjson' })
  const own = { directory, onCrash: false, ...recorder }
  const log = shardlog({ ...options, recorder: own }, destination)
  onTestFinished(() => log.close())
  const lines = (): Record<string, unknown>[] => {
    log.flushSync()
    const text = kind === 'text' ? written.join('') : fs.readFileSync(file, 'utf8')
    return text
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as Record<string, unknown>)
  }
  const kept = async (): Promise<RecordedEvent[]> => readSnapshot(await log.snapshot('test')).events
  return { log, lines, kept, directory, file }
}

const messagesOf = (events: RecordedEvent[]): string[] => events.map(event => event.message)

describe.each(['text', 'records'] as const)('a logger with a recorder and a destination of %s', kind => {
  it('keeps what is below its level, and logs what it would', async () => {
    const { log, lines, kept } = open(kind, { name: 'shop' })
    log.trace({ n: 1 }, 'traced')
    log.debug('debugged %d', 5)
    log.info({ user: { id: 7 }, at: new Date(0) }, 'logged')
    log.error(new Error('bad'))
    expect(log.level).toBe('info')
    expect(log.isLevelEnabled('debug')).toBe(false)
    expect(lines().map(line => line.msg)).toEqual(['logged', 'bad'])
    const events = await kept()
    expect(events).toMatchObject([
      { level: 'trace', target: 'shop', message: 'traced', fields: { n: 1 } },
      { level: 'debug', message: 'debugged 5', fields: {} },
      { level: 'info', message: 'logged', fields: { user: { id: 7 }, at: '1970-01-01T00:00:00.000Z' } },
      { level: 'error', message: 'bad', fields: { err: { type: 'Error', message: 'bad' } } }
    ])
  })

  it('says the same in both, of children, levels of their own and events too', async () => {
    const { log, lines, kept } = open(kind, { redact: ['secret'], mixin: () => ({ mixed: true }) })
    const child = log.child({ module: 'a' }, { level: 'warn' })
    const login = log.event('login', ['userId', 'secret'], { level: 'debug' })
    child.info({ n: 1 }, 'child, below')
    child.warn({ n: 2, secret: 'x' }, 'child')
    login(5, 'x')
    log.level = 'debug'
    login(6, 'x')
    expect(lines().map(line => line.msg)).toEqual(['child', 'login'])
    const events = await kept()
    expect(events).toMatchObject([
      { level: 'info', message: 'child, below', fields: { module: 'a', n: 1, mixed: true } },
      { level: 'warn', message: 'child', fields: { module: 'a', n: 2, secret: '[Redacted]', mixed: true } },
      { level: 'debug', message: 'login', fields: { userId: 5, secret: '[Redacted]' } },
      { level: 'debug', message: 'login', fields: { userId: 6, secret: '[Redacted]' } }
    ])
  })

  it('makes each record once for both', async () => {
    let made = 0
    const { log, lines, kept } = open(kind)
    const fields = {
      get once() {
        return ++made
      }
    }
    log.info(fields, 'm')
    expect(lines()).toMatchObject([{ once: 1 }])
    expect(await kept()).toMatchObject([{ fields: { once: 1 } }])
  })

  it('logs all fields, and keeps so many', async () => {
    const { log, lines, kept } = open(kind, { base: null }, { maxFields: 2 })
    log.info({ a: 1, b: 2, c: 3 }, 'm')
    expect(lines()).toMatchObject([{ a: 1, b: 2, c: 3 }])
    expect((await kept())[0]!.fields).toEqual({ a: 1, b: 2 })
    expect(shardlog.getLoggerStats(log).recorder).toMatchObject({ recorded: 1, truncated: 1 })
  })

  it('keeps what is sampled out or held back, with context', async () => {
    const { log, lines, kept } = open(kind, { dedupe: { window: 60_000 } })
    log.withContext({ request: 'r1' }, () => {
      log.debug('below')
      for (let i = 0; i < 3; i++) log.info('again')
    })
    log.warn('other')
    expect(lines().map(line => line.msg)).toEqual(['again', 'last message repeated 2 times', 'other'])
    const events = (await kept()).filter(event => event.message !== 'last message repeated 2 times')
    expect(messagesOf(events)).toEqual(['below', 'again', 'again', 'again', 'other'])
    for (const event of events.slice(0, 4)) expect(event.fields).toMatchObject({ request: 'r1' })
  })

  it("keeps nothing below the recorder's level", async () => {
    const { log, kept } = open(kind, {}, { level: 'debug' })
    log.trace('no')
    log.debug('yes')
    expect(messagesOf(await kept())).toEqual(['yes'])
  })

  it('knows custom levels, also in another order', async () => {
    const { log, lines, kept } = open(kind, {
      customLevels: { loud: 1, quiet: 9 },
      useOnlyCustomLevels: true,
      levelComparison: 'DESC',
      level: 'loud'
    } as LoggerOptions)
    const custom = log as unknown as Record<string, (message: string) => void>
    custom.loud!('one')
    custom.quiet!('two')
    expect(lines().map(line => line.msg)).toEqual(['one'])
    expect(await kept()).toMatchObject([
      { level: 'loud', message: 'one' },
      { level: 'quiet', message: 'two' }
    ])
  })

  it('says why a record below its level could not be made, to the recorder alone', async () => {
    const { log, lines, kept } = open(kind, {
      serializers: {
        bad() {
          throw new Error('broken')
        }
      }
    })
    log.debug({ bad: 1 }, 'm')
    expect(lines()).toEqual([])
    expect(await kept()).toHaveLength(1)
    expect((await kept())[0]).toMatchObject({ level: 'debug', message: 'm' })
  })

  it('keeps what is logged although a part of it cannot be had', async () => {
    const { log, lines, kept, directory } = open(kind)
    const bad = {
      get field(): never {
        throw new Error('broken')
      }
    }
    // The second time it may go another way.
    for (const message of ['first', 'second']) {
      log.info('before')
      log.info(bad, message)
    }
    log.fatal(bad, 'end')
    expect(lines().map(line => line.msg)).toEqual(['before', 'first', 'before', 'second', 'end'])
    const events = await kept()
    expect(messagesOf(events)).toEqual(['before', 'first', 'before', 'second', 'end'])
    expect(events[1]).toMatchObject({ level: 'info', fields: { notRecorded: 'broken' } })
    expect(snapshotsIn(directory).some(file => file.endsWith('-fatal.bin'))).toBe(true)
  })

  it('logs nothing that is below its level of fields that cannot be looked at', async () => {
    const { log, lines, kept } = open(kind)
    const refuse = (): never => {
      throw new Error('refused')
    }
    // The second time it may go another way.
    for (let i = 0; i < 2; i++) {
      log.info('before')
      log.debug(new Proxy({}, { ownKeys: refuse }), 'm')
    }
    expect(lines().map(line => line.msg)).toEqual(['before', 'before'])
    expect(messagesOf(await kept())).toEqual(['before', 'm', 'before', 'm'])
  })

  it('takes a snapshot of a fatal record', () => {
    const { log, directory } = open(kind)
    log.debug('before')
    log.fatal('end')
    const [file] = snapshotsIn(directory)
    expect(messagesOf(readSnapshot(file!).events)).toEqual(['before', 'end'])
  })
})

it('has its file beside the log', () => {
  const { file, log } = open('records')
  const ring = path.join(path.dirname(file), '.app.log.recorder')
  expect(fs.existsSync(ring)).toBe(true)
  void log.close()
  expect(fs.existsSync(ring)).toBe(false)
})

it('is told from one without', async () => {
  const log = shardlog({}, { write: () => undefined })
  await expect(log.snapshot()).rejects.toMatchObject({ code: 'ERR_SHARDLOG_CONFIG' })
  expect(shardlog.getLoggerStats(log).recorder).toBe(null)
})

it('refuses wrong options', () => {
  const write = { write: () => undefined }
  expect(() => shardlog({ recorder: true as never }, write)).toThrow(/recorder must be an object/)
  expect(() => shardlog({ recorder: { level: 'inof' } }, write)).toThrow(/did you mean info/)
  expect(() => shardlog({ recorde: {} } as never, write)).toThrow(/did you mean recorder/)
})

it('is not there for a logger that is off', () => {
  const directory = tempDir()
  const log = shardlog({ enabled: false, recorder: { directory } }, { write: () => undefined })
  log.fatal('nothing')
  expect(fs.readdirSync(directory)).toEqual([])
})

it('makes each record once for log and ring, also with its caller, and as often as it logs', async () => {
  let made = 0
  const { log, lines, kept } = open('records', { base: null, name: 'shop' }, { caller: true, maxFields: 3 })
  const fields = () => ({
    get once() {
      return ++made
    },
    inner: { a: 1, b: [2] }
  })
  const child = log.child({ module: 'a' })
  for (let i = 0; i < 3; i++) {
    log.info(fields(), 'm')
    child.warn(fields(), `message ${i}`)
    log.debug(fields(), 'below')
  }
  log.info({ caller: 'mine' }, 'n')
  log.info({ a: 1, b: 2, c: 3, d: 4 }, 'o')
  const inner = { a: 1, b: [2] }
  const logged = [1, 2, 4, 5, 7, 8]
  expect(lines().slice(0, 6)).toMatchObject(logged.map(once => ({ once, inner })))
  expect(lines().some(line => 'caller' in line && line.caller !== 'mine')).toBe(false)
  const events = await kept()
  expect(made).toBe(9)
  expect(events.slice(0, 9).map(event => event.fields.once)).toEqual(Array.from({ length: 9 }, (_, i) => i + 1))
  for (const { fields: of } of events.slice(0, 9)) {
    expect(of.caller).toMatch(/recorder\.test\.ts:\d+/)
    expect(of.inner).toEqual(inner)
  }
  expect(events[9]!.fields).toEqual({ caller: 'mine' })
  expect(events[10]!.fields).toEqual({ caller: expect.any(String) as string, a: 1, b: 2, c: 3 })
  expect(shardlog.getLoggerStats(log).recorder).toMatchObject({ recorded: 11, truncated: 1 })
})
