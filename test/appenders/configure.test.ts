import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { ConfigProblem, Logging } from '../../lib/public'
import { runChild } from '../support/child'
import { shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

type Line = Record<string, unknown>

const linesOf = (file: string): Line[] =>
  fs
    .readFileSync(file, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map(line => JSON.parse(line) as Line)

const messagesOf = (file: string): unknown[] => linesOf(file).map(({ msg }) => msg)

function configured(configuration: string | object, options?: object): Logging {
  const logging = shardlog.configure(configuration, options)
  onTestFinished(() => logging.close().catch(() => undefined))
  return logging
}

function yamlIn(folder: string, text: string, name = 'logging.yaml'): string {
  const file = path.join(folder, name)
  fs.writeFileSync(file, text)
  return file
}

/** What a configuration is refused for. */
function problemsOf(configuration: string | object): readonly ConfigProblem[] {
  try {
    configured(configuration)
  } catch (error) {
    expect(error).toMatchObject({ name: 'ShardlogError', code: 'ERR_SHARDLOG_CONFIG' })
    return (error as { problems: ConfigProblem[] }).problems
  }
  throw new Error('it was accepted')
}

describe('a configuration', () => {
  it('without loggers gives every appender to the root', async () => {
    const folder = tempDir()
    const file = yamlIn(
      folder,
      `appenders:
  my_file:
    type: RollingFile
    fileName: "${folder}/logs/app.log"
    filePattern: "${folder}/logs/app-%d{yyyy-MM-dd}.log"
    # Enable Buffering
    buffered_io: true
    batch_size: 1000      # Flush after 1000 logs
    flush_interval: 1.0   # Or flush every 1.0 second
`
    )
    const logging = configured(file)
    logging.getLogger('orders.api').info({ a: 1 }, 'first')
    logging.getLogger().info('second')
    await logging.close()
    const [first, second] = linesOf(path.join(folder, 'logs/app.log'))
    expect(first).toMatchObject({ level: 30, name: 'orders.api', a: 1, msg: 'first' })
    expect(second).toMatchObject({ level: 30, msg: 'second' })
    expect(second).not.toHaveProperty('name')
  })

  it('may be JSON, with tabs, or an object', async () => {
    const folder = tempDir()
    const object = { appenders: { f: { type: 'File', file_name: path.join(folder, 'a.log') } } }
    const logging = configured(yamlIn(folder, JSON.stringify(object, null, '\t'), 'logging.json'))
    logging.getLogger().info('from JSON')
    await logging.close()
    const other = configured(object)
    other.getLogger().info('from an object')
    await other.close()
    expect(messagesOf(path.join(folder, 'a.log'))).toEqual(['from JSON', 'from an object'])
  })

  it('inherits levels and appenders by dots, and each appender gets a record once', async () => {
    const folder = tempDir()
    const file = (name: string): string => path.join(folder, `${name}.log`)
    const appender = (name: string): object => ({ type: 'File', fileName: file(name) })
    const logging = configured({
      appenders: { all: appender('all'), orders: appender('orders'), audit: appender('audit'), warn: appender('warn') },
      loggers: {
        root: { level: 'warn', appenders: ['all', { ref: 'warn', level: 'WARN' }] },
        orders: { level: 'DEBUG', appenders: ['orders', 'all'] },
        'orders.audit': { additivity: false, appenders: 'audit' },
        'orders.quiet': 'off'
      }
    })
    logging.getLogger('other.thing').info('not this')
    logging.getLogger('other.thing').warn('other')
    logging.getLogger('orders.api').debug('api')
    logging.getLogger('ordersx').info('not a child of orders')
    logging.getLogger('orders.audit.deep').debug('audit')
    logging.getLogger('orders.quiet').fatal('silent')
    await logging.close()
    expect(messagesOf(file('all'))).toEqual(['other', 'api'])
    expect(messagesOf(file('warn'))).toEqual(['other'])
    expect(messagesOf(file('orders'))).toEqual(['api'])
    expect(messagesOf(file('audit'))).toEqual(['audit'])
  })

  it('leaves to the root what no logger names', async () => {
    const folder = tempDir()
    const file = (name: string): string => path.join(folder, `${name}.log`)
    const logging = configured({
      appenders: { main: { type: 'File', fileName: file('main') }, audit: { type: 'File', fileName: file('audit') } },
      loggers: { audit: { additivity: false, appenders: ['audit'] } }
    })
    logging.getLogger('audit').info('a')
    logging.getLogger('x').info('m')
    await logging.close()
    expect(messagesOf(file('main'))).toEqual(['m'])
    expect(messagesOf(file('audit'))).toEqual(['a'])
  })

  it('tells of all that is wrong at once, each with path, line, value and what is allowed', () => {
    const problems = problemsOf(
      yamlIn(
        tempDir(),
        `appenders:
  one:
    type: RollingFil
  two:
    type: File
    fileNam: x
    batch_size: many
  three:
    type: RollingFile
    fileName: x.log
    filePattern: "x-%q"
    layout: { type: Pattern, pattern: "%d %zork" }
    filter: { type: Threshold, level: loud }
loggers:
  root: { level: inof, appenders: [thre, three] }
`
      )
    )
    const told = problems.map(({ path, line, message }) => `${line} ${path}: ${message}`).join('\n')
    expect(told).toMatch(/^3 appenders\.one\.type: must be one of Console, File, .*RollingFile.*, got 'RollingFil'/m)
    expect(told).toMatch(/^5 appenders\.two\.fileName: is missing|^4 appenders\.two\.fileName: is missing/m)
    expect(told).toMatch(/^6 appenders\.two\.fileNam: is unknown; did you mean fileName\?/m)
    expect(told).toMatch(/^7 appenders\.two\.batch_size: must be an integer, got 'many'$/m)
    expect(told).toMatch(/^11 appenders\.three\.filePattern: .*%q.*allowed/m)
    expect(told).toMatch(/^12 appenders\.three\.layout: .*%zork, which stands for nothing/m)
    expect(told).toMatch(/^13 appenders\.three\.filter: must be one of trace, .*, got 'loud'/m)
    expect(told).toMatch(/^15 loggers\.root\.level: .*did you mean info\?/m)
    expect(told).toMatch(/^15 loggers\.root\.appenders\[0\]: there is no appender 'thre'; did you mean three\?/m)
    expect(problems).toHaveLength(9)
  })

  it('has the line of a syntax error', () => {
    const [problem] = problemsOf(yamlIn(tempDir(), 'appenders:\n  a: [1\n  b: 2\n'))
    expect(problem).toMatchObject({ line: expect.any(Number), message: expect.stringMatching(/./) })
    expect(problem!.line).toBeGreaterThan(1)
  })

  it('replaces variables, with defaults, also where numbers are wanted', async () => {
    const folder = tempDir()
    process.env.SHARDLOG_TEST_FOLDER = folder
    onTestFinished(() => {
      delete process.env.SHARDLOG_TEST_FOLDER
    })
    const logging = configured(
      yamlIn(
        folder,
        // biome-ignore-start lint/suspicious/noTemplateCurlyInString: variables of the configuration
        [
          'appenders:',
          '  f:',
          '    type: File',
          '    fileName: "${SHARDLOG_TEST_FOLDER}/${SHARDLOG_TEST_NONE:-app}.log"',
          '    batch_size: ${SHARDLOG_TEST_NONE:-17}',
          '    buffered_io: ${SHARDLOG_TEST_NONE:-true}',
          '    layout: { type: Pattern, pattern: "$${x} %m%n" }'
        ].join('\n')
        // biome-ignore-end lint/suspicious/noTemplateCurlyInString: as above
      )
    )
    logging.getLogger().info('here')
    await logging.close()
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what the configuration escapes
    expect(fs.readFileSync(path.join(folder, 'app.log'), 'utf8')).toBe('${x} here\n')
  })

  it('tells of a variable that is not set, and where', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the configuration
    const text = 'appenders:\n  f:\n    type: File\n    fileName: ${SHARDLOG_TEST_NONE}\n'
    expect(problemsOf(yamlIn(tempDir(), text))).toEqual([
      expect.objectContaining({
        path: 'appenders.f.fileName',
        line: 4,
        message: expect.stringContaining('SHARDLOG_TEST_NONE')
      })
    ])
  })

  it('refuses a variable in the default of another, which would end at the first brace', () => {
    const fileName = ['$', '{SHARDLOG_TEST_NONE:-', '$', '{HOME}}'].join('')
    const [problem, ...others] = problemsOf({ appenders: { f: { type: 'File', fileName } } })
    expect(problem).toMatchObject({ path: 'appenders.f.fileName', message: expect.stringContaining('default') })
    expect(others).toEqual([])
  })

  it('refuses two appenders of one file, however it is written', () => {
    const one = { type: 'File', fileName: 'x/../same.log' }
    const problems = problemsOf({ appenders: { one, two: { ...one, fileName: path.resolve('same.log') } } })
    expect(problems).toEqual([
      expect.objectContaining({ path: 'appenders.two.fileName', message: expect.stringMatching(/appender one/) })
    ])
  })

  it('refuses a name in both spellings, cycles and depths', () => {
    const file = { type: 'File', fileName: 'x', batchSize: 2, batch_size: 3 }
    expect(problemsOf({ appenders: { file } })[0]!.message).toMatch(/given twice/)
    const cyclic: Record<string, unknown> = { type: 'File' }
    cyclic.fileName = cyclic
    expect(problemsOf({ appenders: { cyclic } })[0]!.message).toMatch(/levels deep/)
  })

  it('comes from SHARDLOG_CONFIG where none is given', () => {
    const folder = tempDir()
    const file = yamlIn(folder, `appenders:\n  f: { type: File, fileName: "${folder}/app.log" }\n`)
    const script = `
      const logging = shardlog.configure()
      logging.getLogger('a').info('by the environment')
      logging.close()`
    const { status, stderr } = runChild(`process.env.SHARDLOG_CONFIG = config.file; ${script}`, { config: { file } })
    expect([status, stderr]).toEqual([0, ''])
    expect(messagesOf(path.join(folder, 'app.log'))).toEqual(['by the environment'])
    expect(runChild('shardlog.configure()', { config: {} }).stderr).toContain('SHARDLOG_CONFIG')
  })

  it('has loggers that are those of the package: children, features, options', async () => {
    const file = path.join(tempDir(), 'app.log')
    const logging = configured({ appenders: { f: { type: 'File', fileName: file } }, customLevels: { audit: 35 } })
    const log = logging.getLogger('a', { base: null, redact: ['secret'], mixin: () => ({ mixed: 1 }) })
    log.child({ request: 7 }).info({ secret: 'x' }, 'child')
    ;(log as unknown as { audit: (text: string) => void }).audit('custom')
    log.event('event', ['n'])(5)
    log.withContext({ trace: 't' }, () => log.error(new Error('broken'), 'failed'))
    expect(logging.getLogger('b')).toBe(logging.getLogger('b'))
    expect(() => logging.getLogger('a', { level: 'info' })).toThrow(/configuration's/)
    expect(log.getStatsSnapshot()).toMatchObject({ totalLogs: 4, droppedLogs: 0 })
    expect(log.metrics()).toMatch(/^shardlog_calls_total\{path=".*app\.log"\} 4$/m)
    await logging.close()
    const lines = linesOf(file)
    expect(lines[0]).toEqual({
      level: 30,
      time: expect.any(Number),
      name: 'a',
      request: 7,
      secret: '[Redacted]',
      mixed: 1,
      msg: 'child'
    })
    expect(lines[1]).toMatchObject({ level: 35, msg: 'custom' })
    expect(lines[2]).toMatchObject({ n: 5, msg: 'event' })
    expect(lines[3]).toMatchObject({ trace: 't', err: { message: 'broken' }, msg: 'failed' })
  })
})

describe('a reload', () => {
  const yaml = (folder: string, more: string): string =>
    `appenders:\n  a: { type: File, fileName: "${folder}/a.log" }\n${more}`

  it('keeps what has not changed, changes levels and appenders, and loses nothing', async () => {
    const folder = tempDir()
    const file = yamlIn(folder, yaml(folder, 'loggers: { root: info }\n'))
    const logging = configured(file)
    const log = logging.getLogger('x')
    log.debug('0: not yet')
    log.info('1')
    fs.writeFileSync(file, yaml(folder, `  b: { type: File, fileName: "${folder}/b.log" }\nloggers: { root: debug }\n`))
    logging.reload()
    log.debug('2')
    log.info('3')
    fs.writeFileSync(file, yaml(folder, ''))
    logging.reload()
    log.debug('4: not any more')
    log.info('5')
    await logging.close()
    expect(messagesOf(path.join(folder, 'a.log'))).toEqual(['1', '2', '3', '5'])
    expect(messagesOf(path.join(folder, 'b.log'))).toEqual(['2', '3'])
  })

  it('changes nothing where the new configuration is wrong, and says why', async () => {
    const folder = tempDir()
    const file = yamlIn(folder, yaml(folder, ''))
    const logging = configured(file)
    const log = logging.getLogger()
    log.info('1')
    for (const wrong of ['appenders: [', 'appenders: { a: { type: Fil } }', '']) {
      fs.writeFileSync(file, wrong)
      expect(() => logging.reload()).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_CONFIG' }))
      log.info('still')
    }
    // What no check can know: the folder is a file.
    fs.writeFileSync(file, yaml(folder, `  b: { type: File, fileName: "${file}/b.log" }\n`))
    expect(() => logging.reload()).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_PATH' }))
    log.info('2')
    await logging.close()
    expect(messagesOf(path.join(folder, 'a.log'))).toEqual(['1', 'still', 'still', 'still', '2'])
  })

  it('finds its file again after a change of the working directory', () => {
    const folder = tempDir()
    fs.writeFileSync(path.join(folder, 'l.yaml'), `appenders: { f: { type: File, fileName: "${folder}/app.log" } }\n`)
    const script = `
      process.chdir(config.folder)
      const logging = shardlog.configure('l.yaml')
      process.chdir('/')
      logging.reload()
      logging.getLogger().info('after')
      logging.close()`
    const { status, stderr } = runChild(script, { config: { folder } })
    expect([status, stderr]).toEqual([0, ''])
    expect(messagesOf(path.join(folder, 'app.log'))).toEqual(['after'])
  })

  it('loses no record of a call in which it happens', async () => {
    const folder = tempDir()
    const fileIn = (name: string): string => path.join(folder, name)
    const appenders = (name: string): object => ({
      appenders: {
        values: { type: 'File', fileName: fileIn(`values-${name}`) },
        text: { type: 'File', fileName: fileIn(`text-${name}`), layout: 'Message' }
      }
    })
    const logging = configured(appenders('1.log'))
    const log = logging.getLogger()
    for (let n = 2; n < 6; n++) {
      const fields = {
        get read(): number {
          logging.reload(appenders(`${n}.log`))
          return n
        }
      }
      log.info(fields, `reload ${n}`)
      log.info(`after ${n}`)
    }
    await logging.close()
    const names = [1, 2, 3, 4, 5].map(n => `${n}.log`)
    const messages = [2, 3, 4, 5].flatMap(n => [`reload ${n}`, `after ${n}`])
    expect(names.flatMap(name => messagesOf(fileIn(`values-${name}`)))).toEqual(messages)
    const texts = names.map(name => fs.readFileSync(fileIn(`text-${name}`), 'utf8')).join('')
    expect(texts).toBe(`${messages.join('\n')}\n`)
  })

  it('gives a file that has new options its new options', async () => {
    const folder = tempDir()
    const name = path.join(folder, 'a.log')
    const appender = (more: object): object => ({ appenders: { a: { type: 'File', fileName: name, ...more } } })
    const logging = configured(appender({}))
    const log = logging.getLogger()
    log.info('1')
    logging.reload(appender({ bufferSize: 1 << 20 }))
    log.info('2')
    logging.reload(appender({ bufferSize: 1 << 20, layout: 'Message' }))
    log.info('3')
    // The same file twice cannot be opened by another engine; the one before goes on.
    expect(() => logging.reload(appender({ fileName: `${name}/x`, layout: 'Message' }))).toThrow()
    log.info('4')
    await logging.close()
    const lines = fs.readFileSync(name, 'utf8').split('\n')
    expect(lines.map(line => (line.startsWith('{') ? (JSON.parse(line) as Line).msg : line))).toEqual([
      '1',
      '2',
      '3',
      '4',
      ''
    ])
  })

  it.each(['monitor_interval: 0.05', 'reload_signal: SIGHUP'])('follows the file by %s', async how => {
    const folder = tempDir()
    const file = yamlIn(folder, `${yaml(folder, '')}${how}\n`)
    const errors: string[] = []
    const logging = configured(file, { onError: (error: Error) => errors.push(error.message) })
    const log = logging.getLogger()
    const touch = (text: string): void => {
      fs.writeFileSync(`${file}.new`, text)
      fs.renameSync(`${file}.new`, file)
      if (how.includes('SIGHUP')) process.kill(process.pid, 'SIGHUP')
    }
    const until = async (isSo: () => boolean): Promise<void> => {
      while (!isSo()) await new Promise(resolve => setTimeout(resolve, 5))
    }
    touch(`${yaml(folder, 'loggers: { root: debug }\n')}${how}\n`)
    await until(() => log.level === 'debug')
    touch('appenders: 5')
    await until(() => errors.length > 0)
    expect(errors[0]).toMatch(/logging\.yaml: 1 problem\n {2}line 1, appenders: must be a map/)
    touch(`${yaml(folder, 'loggers: { root: warn }\n')}${how}\n`)
    await until(() => log.level === 'warn')
  })
})
