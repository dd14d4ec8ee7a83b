import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { prelude } from '../support/child'
import { packageRoot, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

/** Output of a script in a Node of its own. */
function output(script: string, env: NodeJS.ProcessEnv = {}): string {
  const { NO_COLOR: _, FORCE_COLOR: __, ...rest } = process.env
  const options = { encoding: 'utf8', timeout: 30_000, env: { ...rest, TZ: 'UTC', ...env }, cwd: packageRoot } as const
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', prelude({}) + script], options)
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  return stdout
}

/** What a logger with `options` writes to a stream. */
function written(options: object, use: (log: ReturnType<typeof shardlog>) => void): string {
  let text = ''
  const base = { base: null, timestamp: () => ',"time":1700000000000' }
  const write = (line: string): void => {
    text += line
  }
  use(shardlog({ ...base, ...options }, { write }))
  return text.replace(/^\[[\d:.]+\] /gm, '')
}

describe('the option pretty', () => {
  it('makes lines readable', () => {
    const text = written({ pretty: true }, log => {
      log.info({ user: 5 }, 'hello')
      log.child({ request: 'r' }).warn('of a child')
    })
    expect(text).toBe('INFO: hello\n    user: 5\nWARN: of a child\n    request: "r"\n')
  })

  it("takes pino-pretty's options", () => {
    const pretty = { hideObject: true, ignore: 'time', minimumLevel: 'info', colorize: true }
    const text = written({ pretty, level: 'trace' }, log => {
      log.debug('left out')
      log.info({ user: 5 }, 'hello')
    })
    expect(text).toBe('\x1b[32mINFO\x1b[39m: \x1b[36mhello\x1b[39m\n')
  })

  it("knows the logger's own levels and keys", () => {
    const options = { pretty: true, customLevels: { audit: 35 }, messageKey: 'text', errorKey: 'failure' }
    const text = written(options, log => {
      ;(log as unknown as { audit: (text: string) => void }).audit('seen')
      log.error(new Error('broken'))
    })
    expect(text).toMatch(/^AUDIT: seen\nERROR: broken\n {4}failure: \{[\s\S]*stack[\s\S]*Error: broken\n/)
  })

  it('writes a line that pino-pretty throws on as it is, and goes on', () => {
    const text = written({ pretty: true }, log => {
      log.info(JSON.parse('{"level":{}}'), 'x')
      log.info('next')
    })
    expect(text).toMatch(/^\{.*"level":\{\}.*"msg":"x"\}\nINFO: next\n$/)
  })

  it('false and undefined leave lines as they are, as auto does where a destination is given', () => {
    for (const pretty of [false, undefined, 'auto'] as const) {
      expect(JSON.parse(written({ pretty }, log => log.info('hello')))).toMatchObject({ msg: 'hello' })
    }
  })

  it('refuses anything else, and names it', () => {
    const wrong: [object, string][] = [
      [{ pretty: 'yes' }, "'yes'"],
      [{ pretty: null }, 'null'],
      [{ pretty: { destination: 2 } }, 'destination'],
      [{ pretty: true, transport: { target: 'pino-pretty' } }, 'exclude each other']
    ]
    for (const [options, text] of wrong) {
      const error = { code: 'ERR_SHARDLOG_CONFIG', message: expect.stringContaining(text) }
      expect(() => shardlog(options)).toThrow(expect.objectContaining(error))
    }
  })

  it('loses nothing when the process exits at once', () => {
    for (const end of ['', 'process.exit(0)']) {
      const text = output(`
        const log = shardlog({ pretty: true, base: null })
        for (let i = 0; i < 1000; i++) log.info({ i }, 'numbered')
        ${end}`)
      expect(text.match(/^ {4}i: \d+$/gm)?.map(found => Number(found.slice(7)))).toEqual(
        Array.from({ length: 1000 }, (_, i) => i)
      )
    }
  })

  it('writes colours to standard output only', () => {
    const file = tempLog()
    const script = `
      shardlog({ pretty: true }).info('to stdout')
      shardlog({ pretty: true }, shardlog.destination({ dest: ${JSON.stringify(file)}, sync: true })).info('to file')`
    expect(output(script, { FORCE_COLOR: '1' })).toContain('\x1b[32mINFO')
    expect(fs.readFileSync(file, 'utf8')).toMatch(/^\[[\d:.]+\] INFO \(\d+\): to file\n$/)
  })

  it('auto: only on a terminal, and in a worker thread never', () => {
    const script = "shardlog({ pretty: 'auto', base: null, timestamp: false }).info('hello')"
    expect(output(script)).toBe('{"level":30,"msg":"hello"}\n')
    expect(output(`process.stdout.isTTY = true; ${script}`)).toBe('INFO: hello\n')
  })

  it('says what to install where pino-pretty is missing; auto leaves lines as they are', () => {
    const text = output(`
      const Module = require('node:module')
      const resolve = Module._resolveFilename
      Module._resolveFilename = function (name, ...rest) {
        if (name === 'pino-pretty') throw new Error('not installed')
        return resolve.call(this, name, ...rest)
      }
      try { shardlog({ pretty: true }) } catch (error) { console.log(error.code, error.message) }
      process.stdout.isTTY = true
      shardlog({ pretty: 'auto', base: null, timestamp: false }).info('hello')`)
    expect(text).toMatch(/^ERR_SHARDLOG_NO_PRETTY .*npm install pino-pretty\n\{"level":30,"msg":"hello"\}\n$/)
  })
})

describe('pino-pretty as a transport', () => {
  it('prints in a thread of its own what it prints for pino', () => {
    const run = (make: string) =>
      output(`
        const options = { colorize: true, ignore: 'time,pid,hostname' }
        const transport = { target: ${JSON.stringify(require.resolve('pino-pretty'))}, options }
        const log = ${make}({ transport, level: 'trace' })
        for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) log[level]({ user: 5, of: {} }, level)
        log.child({ request: 'r' }).error(Object.assign(new Error('broken'), { stack: 'Error: broken' }), 'of an error')`)
    const text = run('shardlog')
    expect(text).toContain('\x1b[31mERROR\x1b[39m: \x1b[36mof an error\x1b[39m\n')
    expect(text).toBe(run("require('pino')"))
  })
})
