import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

const { readSnapshot } = shardlog

const CALLS = 20_000

/** A call: every third is below the log's level, some are long, by a child, or of many fields. */
function fieldsOf(n: number): Record<string, unknown> {
  if (n % 101 === 0) return Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`f${i}`, n]))
  if (n % 97 === 0) return { n, text: 'ü'.repeat(n % 3_000) }
  return n % 5 === 0 ? { n, inner: { a: n, b: [n] } } : { n, ok: n % 2 === 0, ms: n / 2 }
}

const numbers = (holds: (n: number) => boolean): number[] => Array.from({ length: CALLS }, (_, n) => n).filter(holds)

describe.each(['file', false] as const)('what a logger records beside its log (crashSafe: %s)', crashSafe => {
  it('is what it logs and what is below its level, in order', async () => {
    const directory = tempDir()
    const file = path.join(directory, 'app.log')
    const destination = shardlog.destination({
      dest: file,
      format: 'ndjson',
      bufferSize: 1 << 20,
      onFull: 'block',
      crashSafe
    })
    const recorder = { directory, onCrash: false, bytes: 1 << 18 }
    const log = shardlog({ base: null, recorder }, destination)
    const children = [log, log.child({ module: 'a' }), log.child({ module: 'b' })]
    const done = log.event('done', ['n', 'text'])
    for (let n = 0; n < CALLS; n++) {
      if (n % 7 === 0) done(n, 'x')
      else if (n % 3 === 0) children[n % 11 === 0 ? 1 : 0]!.debug(fieldsOf(n), 'below')
      else children[n % 13 === 0 ? 2 : 0]!.info(fieldsOf(n), n % 17 === 0 ? `message ${n}` : 'logged')
    }
    const { events } = readSnapshot(await log.snapshot('test'))
    const { recorder: stats } = shardlog.getLoggerStats(log)
    await log.close()
    const lines = fs
      .readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map(line => JSON.parse(line) as Record<string, unknown>)
    expect(stats).toMatchObject({
      recorded: CALLS,
      dropped: 0,
      truncated: numbers(n => n % 101 === 0 && n % 7 !== 0).length
    })
    const numberOf = (fields: Record<string, unknown>): number => Number(fields.n ?? fields.f0)
    // The latest, without a gap.
    expect(events.map(event => numberOf(event.fields))).toEqual(numbers(n => n >= CALLS - events.length))
    expect(events.length).toBeGreaterThan(1000)
    expect(lines.map(numberOf)).toEqual(numbers(n => n % 7 === 0 || n % 3 !== 0))
    const logged = new Map(lines.map(line => [numberOf(line), line]))
    for (const { time, message, fields, level } of events) {
      const line = logged.get(numberOf(fields))
      expect(level).toBe(line === undefined ? 'debug' : 'info')
      if (line === undefined) continue
      const { time: ms, msg, level: _level, ...others } = line
      expect(msg).toBe(message)
      expect(Object.fromEntries(Object.entries(others).filter(([key]) => key in fields))).toEqual(fields)
      // By one clock; between its readings, where there are two, the process may have slept.
      expect(Math.abs(Number(time / 1_000_000n) - Number(ms))).toBeLessThan(60_000)
    }
  })
})

it('has its time although the log’s segment was sealed while it was made', async () => {
  const directory = tempDir()
  const destination = shardlog.destination({ dest: path.join(directory, 'app.log'), format: 'ndjson' })
  const log = shardlog({ base: null, recorder: { directory, onCrash: false } }, destination)
  const sealing = (n: number) => ({
    get n() {
      if (n % 2 === 1) destination.flushSync()
      return n
    }
  })
  const start = Date.now()
  for (let n = 0; n < 10; n++) log.info(sealing(n), 'm')
  const { events } = readSnapshot(await log.snapshot('test'))
  await log.close()
  expect(events.map(event => event.fields.n)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  // By another reading of the clock, which may be corrected in between.
  for (const { time } of events) expect(Number(time / 1_000_000n)).toBeGreaterThan(start - 60_000)
})

it('has the fields of a record, not the bindings of the same names', async () => {
  const directory = tempDir()
  const destination = shardlog.destination({ dest: path.join(directory, 'app.log'), format: 'ndjson' })
  const log = shardlog({ base: null, recorder: { directory, onCrash: false } }, destination)
  const bindings = [{ c: 1 }, { c: { x: 1, y: { z: 1 } } }, { c: 'text', d: 2 }, { c: null }]
  const fields = [{ c: { a: 1 } }, { c: { y: { b: 2 } } }, { c: 5 }, { c: [1] }, { c: undefined }, { e: 1 }]
  for (const bound of bindings) {
    const child = log.child(bound)
    for (const own of fields) child.info(own, 'm')
  }
  const { events } = readSnapshot(await log.snapshot('test'))
  await log.close()
  const expected = bindings.flatMap(bound => fields.map(own => JSON.parse(JSON.stringify({ ...bound, ...own }))))
  // A field without a value is not printed, and the binding stays.
  for (const [i, bound] of bindings.entries()) expected[i * fields.length + 4] = bound
  expect(events.map(event => event.fields)).toEqual(expected)
})

it('has records whole in the middle of which another program cuts the log’s arena', async () => {
  const directory = tempDir()
  const file = path.join(directory, 'app.log')
  const options = { dest: file, format: 'ndjson', bufferSize: 1 << 18, numShards: 1, flushInterval: 20 } as const
  const destination = shardlog.destination({ ...options, crashSafe: 'file' })
  const log = shardlog({ base: null, recorder: { directory, onCrash: false, bytes: 1 << 22 } }, destination)
  const cut = (): void => {
    for (const name of fs.readdirSync(directory).filter(name => name.includes('arena'))) {
      // The words that say where entries end stay.
      if (name.startsWith('.app.log')) fs.truncateSync(path.join(directory, name), 8_192)
    }
  }
  const text = 'some text that is left its place'
  for (let n = 0; n < 600; n++) {
    const fields = {
      n,
      before: text,
      get cut() {
        if (n % 60 === 30) cut()
        return text
      },
      o: { behind: text }
    }
    log.info(fields, 'm')
    if (n % 60 === 59) await new Promise(done => setTimeout(done, 30))
  }
  const { events } = readSnapshot(await log.snapshot('test'))
  await log.close()
  const expected = Array.from({ length: 600 }, (_, n) => ({ n, before: text, cut: text, o: { behind: text } }))
  expect(events.map(event => event.fields)).toEqual(expected)
})
