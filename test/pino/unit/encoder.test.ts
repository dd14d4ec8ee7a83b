import { describe, expect, it, vi } from 'vitest'
import { type RecordSink, recordSinkSym } from '../../../lib/pino/context'
import { logger } from '../../../lib/pino/logger'
import { symbols } from '../../../lib/pino/public'
import type { LooseLog } from './lines'

const { streamSym } = symbols

function recording(): { write: ReturnType<typeof vi.fn>; stream: { write(line: string): void } } {
  const write = vi.fn()
  const sink: RecordSink = { write }
  const stream = { write: () => expect.unreachable('a line of text'), [recordSinkSym]: sink }
  return { write, stream }
}

describe('a destination with a sink', () => {
  it('is given logger, object, message and level as they were logged', () => {
    const { write, stream } = recording()
    const log = logger({ redact: ['a'], mixin: () => ({ mixed: 1 }) }, stream)
    const fields = { a: 1 }
    const error = new Error('text')
    log.info(fields, 'to %s', 'you')
    log.error(error)
    log.child({ b: 2 }).warn('text')
    expect(write.mock.calls.map(([, ...record]) => record)).toEqual([
      [fields, 'to you', 30],
      [error, undefined, 50],
      [null, 'text', 40]
    ])
    expect(write.mock.calls[0]?.[0]).toBe(log)
    expect(write.mock.calls[0]?.[1]).toBe(fields)
  })

  it('is not called for levels that are off', () => {
    const { write, stream } = recording()
    logger({ level: 'warn' }, stream).info('text')
    expect(write).not.toHaveBeenCalled()
  })

  it('can take the place of another while the logger runs, as tools do with streamSym', () => {
    const { write, stream } = recording()
    const lines: string[] = []
    const log = logger({ base: null, timestamp: false }, { write: line => lines.push(line) })
    log.info('text')
    Object.assign(log, { [streamSym]: stream })
    log.info('record')
    expect(lines).toEqual(['{"level":30,"msg":"text"}\n'])
    expect(write).toHaveBeenCalledTimes(1)
  })

  it('does not make log calls throw if its sink does', () => {
    const lines: string[] = []
    const sink = {
      write: () => {
        throw new Error('broken')
      }
    }
    const stream = { write: (line: string) => lines.push(line), [recordSinkSym]: sink }
    const log = logger({ base: null, timestamp: false }, stream as never) as unknown as LooseLog
    log.info('text')
    expect(lines).toEqual(['{"level":30,"loggingError":"Error in the call","msg":"text"}\n'])
  })
})

describe('text lines', () => {
  it('are made by what stands under asJsonSym, which tools wrap', () => {
    const lines: string[] = []
    const log = logger({ base: null, timestamp: false }, { write: line => lines.push(line) })
    const wrapped = new Proxy(log, {
      get(target, name) {
        if (name !== symbols.asJsonSym) return Reflect.get(target, name)
        return function (this: object, fields: object, ...rest: unknown[]) {
          const asJson = Reflect.get(target, name) as (...args: unknown[]) => string
          return asJson.apply(this, [{ ...fields, caller: 'here' }, ...rest])
        }
      }
    })
    wrapped.info({ a: 1 }, 'text')
    expect(lines).toEqual(['{"level":30,"a":1,"caller":"here","msg":"text"}\n'])
  })
})
