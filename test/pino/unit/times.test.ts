import fs from 'node:fs'
import path from 'node:path'
import pino from 'pino'
import { describe, expect, it } from 'vitest'
import { engines } from '../../support/engines'
import { shardlog } from '../../support/shardlog'
import { tempDir } from '../../support/temp'

interface Log {
  info(...args: unknown[]): void
  warn(...args: unknown[]): void
  child(bindings: object, options?: object): Log
  setBindings(bindings: object): void
}

/** What makes the text of a time; `n` is the call's number, `log` the root. */
type Time = (n: number, log: Log) => unknown

const times: Record<string, Time> = {
  short: () => ',"t":1',
  'of digits': n => `,"time":${1_750_000_000_000 + n}`,
  'as people write it': n => `,"time":"${new Date(1_750_000_000_000 + n).toISOString()}"`,
  long: n => `,"time":"${'x'.repeat(100 + 20 * n)}"`,
  'not ASCII': n => `,"time":"${'č'.repeat(n)}"`,
  'only sometimes not ASCII': n => `,"time":"${n % 3 === 0 ? 'čtyři hodiny ráno' : 'four in the morning'}"`,
  'a surrogate by itself': n => `,"time":"a surrogate by itself: \ud800 ${n}"`,
  nothing: () => '',
  'no string': n => (n % 2 === 0 ? '' : { toString: () => `,"time":${n}` }),
  'with other bindings': (n, log) => {
    if (n % 7 === 5) log.setBindings({ [`k${n}`]: n })
    return `,"n":${n}`
  },
  'that logs': (n, log) => {
    if (n % 7 === 5) log.warn('from within')
    return `,"n":${n}`
  }
}

function serve(log: Log): void {
  for (let i = 0; i < 40; i++) {
    log.info({ i, text: `${i} is a text of more than fifteen characters` }, 'with fields')
    log.info('alone')
    log.info('value %s and %d', i % 2 === 0 ? 'of few' : 'of more characters than are looped over', i)
    log.info({ err: { i } })
    const child = log.child({ reqId: `req-${i}` })
    child.info('of a child')
    child.child({ i }, { msgPrefix: '[in] ' }).warn({ req: { i, url: `/${i}` } }, 'of its child')
    child.info({ a: 1, more: { of: ['it', i] } }, 'again')
  }
}

describe.each(engines)('lines with a time of the program are what pino prints, with the %s engine', engine => {
  it.each(Object.entries(times))('%s', async (_name, time) => {
    const options = (): { options: object; begin: (log: Log) => void } => {
      let calls = 0
      let root: Log | null = null
      const timestamp = (): unknown => (root === null ? '' : time(calls++, root))
      const begin = (log: Log): void => {
        root = log
      }
      return { options: { timestamp, base: { app: 'a' } }, begin }
    }
    const lines: string[] = []
    const theirs = options()
    const pinos = pino(theirs.options as never, { write: line => void lines.push(line) }) as unknown as Log
    theirs.begin(pinos)
    serve(pinos)
    const dest = path.join(tempDir(), 'app.log')
    const destination = shardlog.destination({ dest, format: 'ndjson', dsync: false, engine })
    const ours = options()
    const log = shardlog(ours.options as never, destination) as unknown as Log
    ours.begin(log)
    serve(log)
    await new Promise<void>(resolve => destination.once('close', resolve) && destination.end())
    expect(fs.readFileSync(dest, 'utf8')).toBe(Buffer.from(lines.join('')).toString())
  })

  it('is asked as a method of the logger that logs, before the mixin', async () => {
    const asked: string[] = []
    const dest = path.join(tempDir(), 'app.log')
    const destination = shardlog.destination({ dest, format: 'ndjson', dsync: false, engine })
    const log = shardlog(
      {
        timestamp(this: { bindings(): { id?: number } } | undefined) {
          asked.push('time')
          return `,"of":${this?.bindings().id ?? 0}`
        },
        mixin: () => {
          asked.push('mixin')
          return {}
        },
        base: null
      } as never,
      destination
    )
    asked.length = 0
    log.info('root')
    log.child({ id: 1 }).info('child')
    await new Promise<void>(resolve => destination.once('close', resolve) && destination.end())
    expect(asked).toEqual(['time', 'mixin', 'time', 'mixin'])
    const lines = fs.readFileSync(dest, 'utf8').trim().split('\n')
    expect(lines.map(line => (JSON.parse(line) as { of: number }).of)).toEqual([0, 1])
  })
})
