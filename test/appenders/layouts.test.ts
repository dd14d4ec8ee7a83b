import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { dateFormatter, finestUnit } from '../../lib/appenders/date-format'
import { RollNames } from '../../lib/appenders/roll-names'
import { runChild } from '../support/child'
import { shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

type Log = ReturnType<ReturnType<typeof shardlog.configure>['getLogger']>

/** What a layout makes of what `use` logs. */
async function written(
  layout: unknown,
  use: (log: Log) => void,
  options: object = {},
  name = 'orders.api.Cart'
): Promise<string> {
  const fileName = path.join(tempDir(), 'app.log')
  const logging = shardlog.configure({
    appenders: { f: { type: 'File', fileName, layout } },
    loggers: { root: 'trace' }
  })
  use(logging.getLogger(name, options))
  await logging.close()
  return fs.readFileSync(fileName, 'utf8')
}

const pattern = (text: string, more: object = {}): object => ({ type: 'Pattern', pattern: text, ...more })

describe('a pattern', () => {
  it.each([
    ['%p|%level|%-5p|%5p|%.1p|%5.2p|%-5.-2p|', 'INFO|INFO|INFO | INFO|O|   FO|IN   |'],
    ['%p{lowerCase=true} %p{length=2} %level{INFO=note}', 'info IN note'],
    ['%c %c{1} %c{2} %c{-1} %c{1.} %logger{1.1.~}', 'orders.api.Cart Cart api.Cart api.Cart o.a.Cart o.a.Cart'],
    ['%m%%%msg %message%n', 'the message%the message the message'],
    ['[%t] %pid', `[main] ${process.pid}`],
    ['%X{user} %X{deep.er} %X{none}|%X{none:-default}', 'ann 5 |default'],
    ['%X{user, none, id}', '{user=ann, id=7}'],
    ['%mdc', '{id=7, user=ann, deep={"er":5}}'],
    ['%highlight{%p %m} %style{x}{bold,red}', 'INFO the message x'],
    ['\\t%enc{%m/<b>}{XML}', '\tthe message/&#60;b&#62;'],
    ['%notEmpty{[%X{user}]}%notEmpty{[%X{none}]}', '[ann]'],
    ['%F:%L', '?:?']
  ])('prints %s', async (text, line) => {
    const use = (log: Log): void => log.child({ id: 7 }).info({ user: 'ann', deep: { er: 5 } }, 'the message')
    expect(await written(pattern(text), use, { base: null })).toBe(`${line}\n`)
  })

  it('knows the call site where the logger finds it', async () => {
    const text = await written(pattern('%F|%L|%l'), log => log.info('here'), { caller: true })
    expect(text).toMatch(/layouts\.test\.ts\|\d+\|.*layouts\.test\.ts:\d+/)
  })

  it('prints errors: whole, in part, or behind a pattern that says nothing of them', async () => {
    const use = (log: Log): void => log.error(new TypeError('broken'), 'failed')
    expect(await written(pattern('%m %ex{short}'), use)).toBe('failed TypeError: broken\n')
    expect(await written(pattern('%m %ex{none}'), use)).toBe('failed \n')
    expect(await written(pattern('%m%n%ex{2}'), use)).toMatch(/^failed\nTypeError: broken\n {4}at .*\n$/)
    expect(await written(pattern('%m%n'), use)).toMatch(/^failed\nTypeError: broken\n {4}at .*\n {4}at /)
    expect(await written(pattern('%m%n', { alwaysWriteExceptions: false }), use)).toBe('failed\n')
    expect(await written(pattern('%m'), log => log.info({ err: null }, 'none'))).toBe('none\n')
  })

  it('hides what the logger redacts, and has what serializers make', async () => {
    const options = { redact: ['secret', 'deep.secret'], serializers: { user: (user: { id: number }) => user.id } }
    const use = (log: Log): void => log.info({ secret: 'x', deep: { secret: 'y' }, user: { id: 5 } }, 'm')
    const text = await written(pattern('%X{secret} %X{deep.secret} %X{user} %mdc'), use, { ...options, base: null })
    expect(text).toMatch(/^\[Redacted\] \[Redacted\] 5 /)
    expect(text).not.toMatch(/[xy]/)
  })

  it('has colours where they are asked for', async () => {
    const text = await written(pattern('%highlight{%p} %style{x}{bg_blue bright_red}', { colors: 'always' }), log =>
      log.warn('')
    )
    expect(text).toBe('\u001b[33mWARN\u001b[0m \u001b[44;91mx\u001b[0m\n')
  })

  it.each([
    '%',
    '%zork',
    '%d{q}',
    '%c{x}',
    '%style{x}{pinkish}',
    '%ex{some}',
    '%m{',
    '%999999p',
    "%d{yyyy'}",
    '%d{}{Nowhere/At}'
  ])('refuses %s', text => {
    const appenders = { f: { type: 'File', fileName: path.join(tempDir(), 'x'), layout: pattern(text) } }
    expect(() => shardlog.configure({ appenders })).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_CONFIG' }))
  })

  it('has messages that are no text, or none', async () => {
    const text = await written(pattern('[%m]'), log => {
      log.info({ a: 1 })
      log.info(5 as unknown as string)
      log.info(null as unknown as string)
      log.info('%s and %d', 'x', 2)
      log.info({ err: new Error('of the error') })
    })
    expect(text.split('\n').filter(line => line.startsWith('['))).toEqual([
      '[]',
      '[5]',
      '[null]',
      '[x and 2]',
      '[of the error]'
    ])
  })
})

describe('lines that are written in parts', () => {
  const messages = [
    '',
    'plain',
    'x'.repeat(300),
    'ends with a newline\n',
    'ümlauts, 日本, 🦫',
    'half of a pair: \ud83e',
    '\u0000\u001b[31m',
    'a'.repeat(200_000),
    'ü'.repeat(100_000)
  ]

  it.each([
    '%d{UNIX} %-5p [%t] %c - %m%n',
    '%m%n',
    'ü%m日%n',
    '%highlight{%p} %style{%c}{red}: %m%n%n',
    '%p{length=1}%m\\n'
  ])('are those that are joined first (%s)', async pattern => {
    const folder = tempDir()
    const file = (engine: string): string => path.join(folder, `${engine}.log`)
    const layout = { type: 'Pattern', pattern, colors: 'always' }
    const appender = (engine: string): object => ({ type: 'File', fileName: file(engine), engine, layout })
    const logging = shardlog.configure({ appenders: { native: appender('native'), js: appender('js') } })
    for (let round = 0; round < 3; round++) {
      for (const name of ['', 'a.b']) {
        const log = logging.getLogger(name)
        for (const message of messages) {
          log.info(message)
          log.warn({ err: new Error('with a stack') }, message)
          log.error(message)
        }
      }
      await logging.flush()
    }
    await logging.close()
    const [native, js] = ['native', 'js'].map(engine => fs.readFileSync(file(engine), 'utf8'))
    // Of two clocks, one for each line.
    const plain = (text: string): string => text.replace(/^\d{10} /gm, '')
    expect(plain(native!) === plain(js!)).toBe(true)
    expect(plain(js!).match(/with a stack/g)).toHaveLength(3 * 2 * messages.length)
  })

  it('have the message of the call, also where a getter logs meanwhile', async () => {
    const folder = tempDir()
    const fileName = path.join(folder, 'app.log')
    const logging = shardlog.configure({ appenders: { f: { type: 'File', fileName, layout: 'Message' } } })
    const log = logging.getLogger()
    const message = {
      toJSON: () => {
        log.info('within')
        return 'outer'
      }
    }
    log.info({ msg: message })
    await logging.close()
    expect(fs.readFileSync(fileName, 'utf8')).toBe('within\nouter\n')
  })
})

describe('dates', () => {
  const time = Date.UTC(2026, 0, 4, 5, 6, 7, 89)

  it.each([
    ['', 'UTC', '2026-01-04 05:06:07,089'],
    ['ISO8601', 'UTC', '2026-01-04T05:06:07,089'],
    ["yyyy-MM-dd'T'HH:mm:ss.SSSXXX", 'Europe/Berlin', '2026-01-04T06:06:07.089+01:00'],
    ['HH:mm XX Z', 'America/New_York', '00:06 -0500 -0500'],
    ['yy MMM MMMM M d EEE EEEE D DDD w', 'UTC', '26 Jan January 1 4 Sun Sunday 4 004 1'],
    ['h a K k S SS SSSSSS', '+02:00', '7 AM 7 7 0 08 089000'],
    ["hh 'o''clock' ''", 'UTC', "05 o'clock '"],
    ['UNIX', 'UTC', '1767503167'],
    ['UNIX_MILLIS', 'UTC', '1767503167089'],
    ['HH:mm X', 'Asia/Kolkata', '10:36 +0530']
  ])('%s in %s', (letters, zone, text) => {
    expect(dateFormatter(letters, zone)(time)).toBe(text)
  })

  it('are those of the second that they are asked for, forwards and backwards', () => {
    const format = dateFormatter('HH:mm:ss.SSS', 'UTC')
    const times = [time, time + 1, time + 999, time + 1_000, time, time - 86_400_000, time + 3_600_000]
    expect(times.map(format)).toEqual(times.map(each => new Date(each).toISOString().slice(11, 23)))
  })

  it('have a finest unit', () => {
    expect(['yyyy', 'yyyy-MM', 'YYYY-ww', 'yyyy-MM-dd', 'HH', 'HH:mm', 'ss', 'SSS', "'x'"].map(finestUnit)).toEqual([
      'year',
      'month',
      'week',
      'day',
      'hour',
      'minute',
      'second',
      'millisecond',
      null
    ])
  })

  it('follow daylight saving of the process', () => {
    const script = `
      const { dateFormatter } = require(config.file)
      const format = dateFormatter('yyyy-MM-dd HH:mm XXX')
      console.log(['2026-03-29T00:59:59Z', '2026-03-29T01:00:00Z', '2026-10-25T00:59:59Z', '2026-10-25T01:00:00Z'].map(text => format(Date.parse(text))).join())`
    const file = path.resolve(__dirname, '../../dist/appenders/date-format.js')
    const { TZ } = process.env
    process.env.TZ = 'Europe/Berlin'
    const { stdout } = runChild(script, { config: { file } })
    if (TZ === undefined) delete process.env.TZ
    else process.env.TZ = TZ
    expect(stdout.trim()).toBe(
      '2026-03-29 01:59 +01:00,2026-03-29 03:00 +02:00,2026-10-25 02:59 +02:00,2026-10-25 02:00 +01:00'
    )
  })
})

describe('names of rolled files', () => {
  it('are told from others', () => {
    const names = new RollNames('logs/app-%d{yyyy-MM-dd}-%i.log.gz')
    expect(names.match('app-2026-01-31-12.log.gz')).toEqual({
      name: 'app-2026-01-31-12.log.gz',
      period: '2026-01-31',
      index: 12,
      isCompressed: true
    })
    const others = [
      'app-2026-01-31.log.gz',
      'app.log',
      'xapp-2026-01-31-1.log',
      'app-2026-01-31-1.log.gz.tmp',
      'app-26-1-1-1.log'
    ]
    expect(others.map(name => names.match(name))).toEqual(others.map(() => null))
    expect(names.match('app-2026-01-31-1.log')).toMatchObject({ index: 1, isCompressed: false })
  })

  it('have a number where the pattern has none and there are several', () => {
    const names = new RollNames('app-%d{yyyyMMdd}.log')
    const time = new Date(2026, 0, 31, 12).getTime()
    expect([names.name(time, 0), names.name(time, 3)]).toEqual(['app-20260131.log', 'app-20260131.3.log'])
    expect(names.match('app-20260131.3.log')).toMatchObject({ period: '20260131', index: 3 })
    expect(names.match('app-20260131.log')).toMatchObject({ period: '20260131', index: 0 })
  })

  it('are matched for every time that they are made for', () => {
    for (const pattern of [
      '%d{yyyy/MM/dd}/a-%d{HH}-%03i.log',
      'a%d{yyyy-MM-dd_HH}.log',
      'a.%d{MMM-d-yy}.%i',
      '%d{EEE w}-%i'
    ]) {
      const names = new RollNames(pattern)
      for (let time = Date.UTC(2024, 11, 25); time < Date.UTC(2026, 2, 1); time += 7_654_321) {
        const index = 1 + (Math.floor(time / 1000) % 1200)
        expect(names.match(names.name(time, index))).toMatchObject({ period: names.period(time), index })
      }
    }
  })
})

describe('other layouts', () => {
  const use = (log: Log): void => {
    log.info({ user: { id: 5, name: 'A "B"' }, list: [1, 2], empty: '' }, 'hello\nworld')
    log.error(new RangeError('too far'), 'failed')
  }

  it('Message', async () => {
    expect(await written('Message', use)).toBe('hello\nworld\nfailed\n')
  })

  it('Logfmt', async () => {
    const [first, second] = (await written('Logfmt', use, { base: null })).split('\n')
    expect(first).toMatch(
      /^time=\d{4}-\d\d-\d\dT[\d:.]+Z level=info logger=orders\.api\.Cart msg="hello\\nworld" user\.id=5 user\.name="A \\"B\\"" list=\[1,2\] empty=""$/
    )
    expect(second).toMatch(/msg=failed err\.type=RangeError err\.message="too far" err\.stack="RangeError: too far\\n/)
  })

  it('ECS', async () => {
    const lines = (await written({ type: 'ECS', serviceName: 'shop' }, use)).trim().split('\n')
    expect(lines.map(line => JSON.parse(line))).toEqual([
      {
        '@timestamp': expect.stringMatching(/Z$/),
        'log.level': 'info',
        message: 'hello\nworld',
        'ecs.version': '8.11.0',
        'log.logger': 'orders.api.Cart',
        'service.name': 'shop',
        'process.pid': process.pid,
        'host.hostname': expect.any(String),
        user: { id: 5, name: 'A "B"' },
        list: [1, 2],
        empty: ''
      },
      expect.objectContaining({
        'log.level': 'error',
        'error.type': 'RangeError',
        'error.message': 'too far',
        'error.stack_trace': expect.stringMatching(/^RangeError: too far\n/)
      })
    ])
  })

  it('GELF', async () => {
    const lines = (await written({ type: 'GELF', host: 'h1' }, use)).trim().split('\n')
    expect(lines.map(line => JSON.parse(line))).toEqual([
      expect.objectContaining({
        version: '1.1',
        host: 'h1',
        short_message: 'hello',
        full_message: 'hello\nworld',
        timestamp: expect.any(Number),
        level: 6,
        _logger: 'orders.api.Cart',
        _level_name: 'info',
        '_user.id': 5,
        '_user.name': 'A "B"',
        _list: '[1,2]'
      }),
      expect.objectContaining({ level: 3, short_message: 'failed', '_err.type': 'RangeError' })
    ])
  })
})

describe('filters', () => {
  async function passed(filters: unknown, use: (log: Log) => void): Promise<string[]> {
    const fileName = path.join(tempDir(), 'app.log')
    const logging = shardlog.configure({ appenders: { f: { type: 'File', fileName, layout: 'Message', filters } } })
    use(logging.getLogger('x'))
    await logging.close()
    return fs.readFileSync(fileName, 'utf8').split('\n').filter(Boolean)
  }

  it('find expressions in time proportional to the text', async () => {
    const regex = { type: 'RegexFilter', regex: '^(a+)+$', onMatch: 'DENY', onMismatch: 'NEUTRAL' }
    const long = `${'a'.repeat(20_000)}b`
    expect(
      await passed(regex, log => {
        for (const text of ['aaa', 'b', long]) log.info(text)
      })
    ).toEqual(['b', long])
    const field = { type: 'Regex', regex: 'AN+', flags: 'i', field: 'user.name' }
    expect(
      await passed(field, log => {
        log.info({ user: { name: 'ann' } }, 'yes')
        log.info({ user: { name: 'bob' } }, 'no')
        log.info('none')
      })
    ).toEqual(['yes'])
  })

  it('refuse what is no expression of RE2, and say why', () => {
    const f = { type: 'File', fileName: 'x', filter: { type: 'Regex', regex: '(?=x)' } }
    expect(() => shardlog.configure({ appenders: { f } })).toThrow(/is no regular expression of RE2/)
  })

  it('take a share by chance, and all from a level on', async () => {
    const share = { type: 'Sampling', share: 0.25, below: 'error' }
    const lines = await passed(share, log => {
      for (let n = 0; n < 4_000; n++) log.info('sampled')
      for (let n = 0; n < 10; n++) log.error('kept')
    })
    expect(lines.filter(line => line === 'kept')).toHaveLength(10)
    // Six standard deviations.
    expect(Math.abs(lines.filter(line => line === 'sampled').length - 1_000)).toBeLessThan(165)
  })

  it('take so many at once', async () => {
    const rate = { type: 'Rate', rate: 0.001, burst: 7 }
    expect(await passed(rate, log => Array.from({ length: 50 }, () => log.info('x')))).toHaveLength(7)
  })

  it('accept past those behind them', async () => {
    const filters = [
      { type: 'Field', field: 'keep', values: [true, 'yes'], onMatch: 'ACCEPT', onMismatch: 'NEUTRAL' },
      { type: 'Threshold', level: 'WARN' }
    ]
    const lines = await passed(filters, log => {
      log.info({ keep: true }, '1')
      log.info({ keep: 'no' }, '2')
      log.warn('3')
      log.child({ keep: 'yes' }).info('4')
    })
    expect(lines).toEqual(['1', '3', '4'])
  })
})
