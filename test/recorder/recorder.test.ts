import fs from 'node:fs'
import path from 'node:path'
import { Worker } from 'node:worker_threads'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Recorder, type RecorderOptions } from '../../lib/public'
import fc from '../support/random'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

function open(options: RecorderOptions = {}): Recorder {
  const recorder = new Recorder({ directory: tempDir(), onCrash: false, ...options })
  onTestFinished(() => recorder.close())
  return recorder
}

describe.each(['native', 'js'] as const)('a recorder of the %s engine', engine => {
  it('keeps what events say, with its types', () => {
    const recorder = open({ engine })
    const fields = {
      text: 'tëxt \ud800',
      long: 'x'.repeat(5000),
      int: -5,
      real: 0.25,
      large: 2n ** 63n,
      yes: true,
      nothing: null,
      nested: { a: [1, { b: '2' }] }
    }
    expect(recorder.record('warn', 'db', 'slow "query"', fields)).toBe(true)
    const [event] = recorder.takeSnapshot()
    expect(event).toMatchObject({ level: 'warn', target: 'db', message: 'slow "query"', thread: 0 })
    expect(event!.fields).toEqual(fields)
    expect(typeof event!.time).toBe('bigint')
  })

  it('keeps what JSON can say, whatever it is', () => {
    const recorder = open({ engine, maxFields: 1000 })
    const anything = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 20 })
    fc.assert(
      fc.property(fc.string(), fc.string(), anything, (target, message, fields) => {
        recorder.record('info', target, message, fields)
        const event = recorder.takeSnapshot().at(-1)!
        expect({ target: event.target, message: event.message }).toEqual({ target, message })
        expect(JSON.stringify(event.fields)).toBe(JSON.stringify({ ...fields }))
      }),
      { numRuns: 150 }
    )
  })

  it('overwrites the oldest, keeps the last ones in order, and counts all', () => {
    const recorder = open({ engine, capacity: 5000 })
    for (let n = 0; n < 50_000; n++) recorder.record('info', 'loop', 'step', { n, a: 'b', c: 1.5, d: true })
    const numbers = recorder.takeSnapshot().map(event => event.fields.n as number)
    expect(numbers.length).toBeGreaterThanOrEqual(5000)
    expect(numbers).toEqual(Array.from(numbers, (_, i) => 50_000 - numbers.length + i))
    expect(recorder.stats).toMatchObject({ recorded: 50_000, overwritten: 50_000 - numbers.length, dropped: 0 })
    expect(recorder.length).toBe(numbers.length)
    expect(recorder.capacity).toBe(5000)
    expect(recorder.utilization).toBeGreaterThan(0.8)
    // Looking takes nothing away.
    expect(recorder.takeSnapshot()).toHaveLength(numbers.length)
  })

  it('leaves out fields beyond the cap, and counts those events', () => {
    const recorder = open({ engine, maxFields: 2 })
    recorder.record('info', '', 'm', { a: 1, b: 2, c: 3 })
    recorder.record('info', '', 'm', { a: 1, b: 2 })
    expect(recorder.takeSnapshot().map(event => event.fields)).toEqual([
      { a: 1, b: 2 },
      { a: 1, b: 2 }
    ])
    expect(recorder.stats.truncated).toBe(1)
  })

  it('drops what no lease has room for, and counts it', () => {
    const recorder = open({ engine, bytes: 64 * 4096 })
    expect(recorder.record('info', '', 'small')).toBe(true)
    expect(recorder.record('info', '', 'large', { text: 'x'.repeat(100_000) })).toBe(false)
    expect(recorder.record('info', '', 'small')).toBe(true)
    expect(recorder.stats).toMatchObject({ recorded: 2, dropped: 1 })
  })

  it('keeps events that are made by hand, at the time that they say', () => {
    const recorder = open({ engine })
    const builder = recorder.event().timestampNanos(1_764_419_926_123_456_789n).level('error').target('database')
    expect(builder.message('Connection failed').field('connection_id', 12345).field('__proto__', 1).record()).toBe(true)
    const built = builder.build()
    expect(recorder.add({ ...built, message: 'again' })).toBe(true)
    const [first, second] = recorder.takeSnapshot()
    expect(first).toMatchObject({
      time: 1_764_419_926_123_456_789n,
      level: 'error',
      target: 'database',
      message: 'Connection failed'
    })
    expect(Object.entries(first!.fields)).toEqual([
      ['connection_id', 12345],
      ['__proto__', 1]
    ])
    expect(second!.message).toBe('again')
    expect(() => recorder.event().timestampNanos(-1n)).toThrow(/bigint of ns/)
    expect(() => recorder.event().level('loud').record()).toThrow(/level of an event must be one of/)
  })

  it('takes nothing for a level that objects have of themselves', () => {
    const recorder = open({ engine })
    for (const name of ['toString', '__proto__', 'constructor'])
      expect(() => recorder.record(name, '', 'm')).toThrow(/level of an event must be one of/)
    expect(recorder.length).toBe(0)
  })

  it('takes no number for a level, where nobody checks types', () => {
    const recorder = open({ engine })
    for (const level of [30, undefined, Symbol('s')] as unknown as string[])
      expect(() => recorder.record(level, '', 'm')).toThrow(/level of an event must be one of .* got /)
    expect(recorder.length).toBe(0)
  })

  it('keeps nothing below its level', () => {
    const recorder = open({ engine, level: 'info' })
    expect(recorder.record('debug', '', 'no')).toBe(false)
    expect(recorder.record('info', '', 'yes')).toBe(true)
    expect(recorder.takeSnapshot().map(event => event.message)).toEqual(['yes'])
  })

  it('keeps an event whose getter records another', () => {
    const recorder = open({ engine })
    recorder.record('info', '', 'outer', {
      get inner() {
        recorder.record('info', '', 'inner')
        return 1
      }
    })
    expect(
      recorder
        .takeSnapshot()
        .map(event => event.message)
        .sort()
    ).toEqual(['inner', 'outer'])
  })

  it('says how a value failed, and is done with it', () => {
    const recorder = open({ engine })
    const circular: Record<string, unknown> = {}
    circular.self = circular
    recorder.record('info', '', 'm', { circular, after: 1 })
    expect(recorder.takeSnapshot()[0]!.fields).toMatchObject({
      after: 1,
      circular: expect.stringContaining('not recorded')
    })
  })
})

it('removes its file at the end, and makes none for memory', () => {
  const directory = tempDir()
  const inMemory = open({ directory, path: false })
  expect(fs.readdirSync(directory)).toEqual([])
  expect(inMemory.stats.path).toBe(null)
  const recorder = open({ directory, service: 'svc' })
  expect(fs.readdirSync(directory)).toEqual(['.svc.recorder'])
  recorder.close()
  recorder.close()
  expect(fs.readdirSync(directory)).toEqual([])
  expect(recorder.record('info', '', 'late')).toBe(false)
})

it('says that its directory cannot be made', () => {
  const file = path.join(tempDir(), 'file')
  fs.writeFileSync(file, '')
  const told = { code: 'ERR_SHARDLOG_IO', errno: 'EEXIST', path: file }
  expect(() => open({ directory: file })).toThrow(expect.objectContaining(told))
})

it('shares its path with no recorder of other options', () => {
  const directory = tempDir()
  const [first, second, third] = [{}, { capacity: 7 }, {}].map(options => open({ directory, service: 's', ...options }))
  expect(fs.readdirSync(directory).sort()).toEqual(['.s.recorder', '.s.recorder-2'])
  first!.record('info', '', 'both')
  second!.record('info', '', 'alone')
  expect(third!.takeSnapshot()).toMatchObject([{ message: 'both' }])
  const file = path.join(directory, 'given')
  open({ path: file })
  expect(() => open({ path: file, capacity: 7 })).toThrow(/is open in this process with another capacity/)
})

it('is shared by the threads of a process', async () => {
  const file = path.join(tempDir(), 'ring')
  const recorder = open({ path: file })
  const code = `
    const { Recorder } = require(${JSON.stringify(packageRoot)})
    const recorder = new Recorder({ path: ${JSON.stringify(file)}, onCrash: false })
    for (let n = 0; n < 1000; n++) recorder.record('info', 'worker', 'w', { n })`
  // The addon that the worker loads is the same, and so is its list of rings.
  const workers = [1, 2, 3].map(() => new Worker(code, { eval: true }))
  for (let n = 0; n < 1000; n++) recorder.record('info', 'main', 'm', { n })
  await Promise.all(workers.map(worker => new Promise(resolve => worker.on('exit', resolve))))
  const events = recorder.takeSnapshot()
  expect(events).toHaveLength(4000)
  expect(new Set(events.map(event => event.thread)).size).toBe(4)
  for (let i = 1; i < events.length; i++) expect(events[i]!.time >= events[i - 1]!.time).toBe(true)
  expect(fs.existsSync(file)).toBe(true)
})

it.each([
  [{ capacity: 0 }, /capacity must be a whole number of events/],
  [{ capcity: 5 }, /unknown option recorder.capcity; did you mean capacity/],
  [{ capacity: 5, bytes: 1 << 20 }, /exclude each other/],
  [{ signal: 'SIGSEGV' }, /signal must be/],
  [{ level: 'inof' }, /did you mean info/],
  [{ retention: { count: 5 } }, /retention must be/],
  [{ engine: 'rust' }, /engine must be/],
  [{ path: '' }, /path must be/]
])('refuses the options %j', (options, message) => {
  expect(() => open(options as RecorderOptions)).toThrow(message)
})
