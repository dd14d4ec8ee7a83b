import { afterEach, describe, expect, it, vi } from 'vitest'
import { logger, multistream } from '../../../lib/pino/pino'
import { linesOf } from './lines'

const fail = (): never => {
  throw new RangeError('broken')
}
const loggingError = 'RangeError: broken'
const level = 30

afterEach(() => {
  vi.restoreAllMocks()
})

describe('a log call does not throw, and its line says what went wrong, when', () => {
  const object = Object.defineProperty({}, 'a', { get: fail, enumerable: true })

  it.each([
    ['a getter throws', {}, [object, 'text']],
    ['a serializer throws', { serializers: { a: fail } }, [{ a: 1 }, 'text']],
    ['a mixin throws', { mixin: fail }, ['text']],
    ['a formatter throws', { formatters: { log: fail } }, ['text']],
    ['the hook logMethod throws', { hooks: { logMethod: fail } }, ['text']],
    ['a value put into the message throws', {}, ['text', { toString: fail }]],
    ['a censor throws', { redact: { paths: ['a'], censor: fail } }, [{ a: 1 }, 'text']]
  ])('%s', (_name, options, args) => {
    const format = args[1] && typeof args[1] === 'object' ? ['%s', ...args.slice(1)] : args
    const msg = format === args ? 'text' : '%s'
    expect(linesOf(options, log => log.info(...format))).toEqual([{ level, loggingError, msg }])
  })

  it('a mixin gives no object', () => {
    const [line] = linesOf({ mixin: () => null as unknown as object }, log => log.info({ a: 1 }, 'text'))
    expect(line).toMatchObject({ loggingError: expect.stringContaining('TypeError'), msg: 'text' })
  })

  it('what is thrown cannot be shown', () => {
    const thrower = {
      toString: fail
    }
    const [line] = linesOf(
      {
        mixin() {
          throw thrower
        }
      },
      log => log.info('text')
    )
    expect(line).toEqual({ level, loggingError: 'an error that cannot be shown', msg: 'text' })
  })
})

describe('the line of a record that could not be made', () => {
  it('has the bindings, but none of the fields: redaction may be what failed', () => {
    const options = { serializers: { a: fail } }
    const lines = linesOf(options, log => log.child({ request: 1 }).info({ a: 1, secret: 2 }, 'text'))
    expect(lines).toEqual([{ level, request: 1, loggingError, msg: 'text' }])
  })

  it('does not have the message if messages are redacted', () => {
    expect(linesOf({ redact: ['msg'], mixin: fail }, log => log.info('text'))).toEqual([{ level, loggingError }])
  })

  it('goes through the hook streamWrite, and has no message if that is what fails', () => {
    const hide = { hooks: { streamWrite: (line: string) => line.replace('secret', '***') }, mixin: fail }
    expect(linesOf(hide, log => log.info('a secret'))).toEqual([{ level, loggingError, msg: 'a ***' }])
    const broken = { hooks: { streamWrite: fail } }
    expect(linesOf(broken, log => log.info({ a: 1 }, 'a secret'))).toEqual([{ level, loggingError }])
  })

  it('goes to the destinations of its level', () => {
    const quiet: string[] = []
    const loud: string[] = []
    const streams = [{ stream: { write: (line: string) => quiet.push(line) } }]
    const several = multistream([...streams, { level: 'error' as const, stream: { write: line => loud.push(line) } }])
    const log = logger({ serializers: { a: fail } }, several)
    log.info({ a: 1 }, 'text')
    log.error({ a: 1 }, 'text')
    log.info({ a: 1 }, 'text')
    expect([quiet.length, loud.length]).toEqual([3, 1])
  })

  it('has no time if the time function is what fails later', () => {
    let calls = 0
    const timestamp = () => (calls++ === 0 ? '' : fail())
    expect(linesOf({ timestamp }, log => log.info('text'))).toEqual([{ level, loggingError, msg: 'text' }])
  })
})

describe('a destination that throws', () => {
  it('is reported by one process warning, and log calls go on', () => {
    const warn = vi.spyOn(process, 'emitWarning').mockImplementation(() => {})
    const log = logger({}, { write: fail })
    log.info('one')
    log.child({}).info('two')
    log.fatal('three')
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn).toHaveBeenCalledWith(expect.stringContaining('RangeError: broken'), { code: 'SHARDLOG_DESTINATION' })
  })
})
