import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { filterOf } from '../../lib/cli/event-filter'
import { merged, openSource } from '../../lib/cli/events'
import { makeFilter } from '../../lib/cli/interactive'
import { Recorder } from '../../lib/public'
import type { EventFilter } from '../../lib/view/probes'
import fc from '../support/random'
import { Logger } from '../support/shardlog'
import { tempDir } from '../support/temp'
import { eventsOf, openViewer } from '../support/viewer'

let directory: string

beforeEach(() => {
  directory = tempDir()
})

const START = 1_764_419_926_000

function write(name: string, lines: readonly (object | string)[], end = '\n'): string {
  const file = path.join(directory, name)
  fs.writeFileSync(file, lines.map(line => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n') + end)
  return file
}

/** Lines of two levels, a tenth of a second apart. */
const lines = (count: number, first = 0, name = 'db'): object[] =>
  Array.from({ length: count }, (_, i) => ({
    level: (first + i) % 10 === 9 ? 50 : 30,
    time: START + 100 * (first + i),
    name,
    n: first + i,
    msg: `event ${first + i}`
  }))

/** What the command prints, which is what has to be shown. */
async function printed(...files: string[]): Promise<object[]> {
  const events: object[] = []
  for await (const { source, ...event } of merged(files.map(openSource))) events.push({ ...event, file: source.file })
  return events
}

async function shown(...files: string[]): Promise<object[]> {
  const events = await eventsOf(await openViewer(...files))
  return events.map(({ source, ...event }) => ({ ...event, file: source.file }))
}

const filter = (values: Parameters<typeof makeFilter>[0]): EventFilter => makeFilter(values, [])

const messages = (events: readonly { message: string }[]): string[] => events.map(({ message }) => message)

describe('what is shown', () => {
  it('is what --list prints, of lines of any kind', async () => {
    const file = write('odd.log', [
      { level: 30, time: START, msg: 'first' },
      'no JSON',
      '',
      { level: 30, msg: 'no time' },
      { level: 'custom', time: '2025-11-29T12:50:00.000Z', msg: { a: 1 } },
      { level: 30, time: 9e15, msg: 'later than any date' },
      `{"level":30,"time":${START + 1},"msg":"twice","level":50}`,
      `{"level":30,"time":${START + 2},"msg":"escaped","\\u006cevel":60}`,
      { level: 35, time: START + 2.5, msg: 'between two levels' },
      { level: 30, time: START - 5000, msg: 'earlier' },
      { msg: 'another order', time: START + 9, level: 40, 'deep\u0000': { a: [1, 'ä😀'] } },
      `{"level":30,"time":${START + 3},"msg":"${'long '.repeat(50_000)}"}`
    ])
    expect(await shown(file)).toEqual(await printed(file))
  })

  it('has a last line without newline, once, also when its newline comes', async () => {
    const file = write('open.log', lines(3), '')
    const open = await openViewer(file)
    expect(messages(await eventsOf(open))).toEqual(['event 0', 'event 1', 'event 2'])
    open.viewer.follow(true)
    fs.appendFileSync(file, `\n${JSON.stringify(lines(1, 3)[0])}\n`)
    await open.until(() => open.viewer.length > 3)
    expect(messages(await open.viewer.rows(0, 9))).toEqual(['event 0', 'event 1', 'event 2', 'event 3'])
  })

  it('is merged by time, of logs, snapshots and gzipped logs', async () => {
    const recorder = new Recorder({ directory, service: 'shop', path: false, onCrash: false, onFatal: false })
    onTestFinished(() => recorder.close())
    for (let i = 0; i < 50; i++) {
      recorder.add({
        timestampNanos: BigInt(START + 100 * i) * 1_000_000n + 50_000_001n,
        level: 'debug',
        target: 'ring',
        message: `ring ${i}`,
        fields: { big: 12345678901234567n, mark: '\u0000n1' }
      })
    }
    const snapshot = await recorder.snapshot('test')
    const one = write('one.log', lines(60))
    const two = write('two.log', lines(3000, 20))
    expect(await shown(one, snapshot, two)).toEqual(await printed(one, snapshot, two))
    const packed = path.join(directory, 'two.log.gz')
    fs.writeFileSync(packed, gzipSync(fs.readFileSync(two)))
    const named = (events: object[]) => events.map(event => ({ ...event, file: '' }))
    expect(named(await shown(one, packed))).toEqual(named(await printed(one, two)))
  })

  it('is what --list prints of a log of blocks, with what waits in the arena of its process', async () => {
    const file = path.join(directory, 'blocks.log')
    const logger = new Logger({ logFilePath: file })
    for (const line of lines(5000)) logger.log(JSON.stringify(line))
    await logger.close()
    const closed = await shown(file)
    expect(closed).toHaveLength(5000)
    expect(closed).toEqual(await printed(file))
  })

  it('agrees with --list whatever the files are', async () => {
    const line = fc.oneof(
      fc.record({
        level: fc.constantFrom(10, 30, 50, 35, 'odd'),
        time: fc.constantFrom(START, START + 1, START + 1.5, START + 700, 0, 'no', '2025-11-29T12:38:46.500Z'),
        name: fc.constantFrom('a', 'b'),
        msg: fc.string({ unit: 'binary' })
      }),
      fc.record({ msg: fc.string() }),
      fc.constantFrom('', 'text', '{"level":30,"time":1', '{"level":030,"time":1}', '[1]')
    )
    const files = fc.array(fc.array(line, { maxLength: 300 }), { minLength: 1, maxLength: 3 })
    let run = 0
    await fc.assert(
      fc.asyncProperty(files, async contents => {
        run++
        const names = contents.map((content, i) => write(`${run}-${i}.log`, ['plain', ...content]))
        expect(await shown(...names)).toEqual(await printed(...names))
      }),
      { numRuns: 40 }
    )
  })

  it('says of what was cut off in a gzipped log where, and shows what came before', async () => {
    const packed = gzipSync(
      lines(20_000)
        .map(line => JSON.stringify(line))
        .join('\n')
    )
    const file = path.join(directory, 'cut.log.gz')
    fs.writeFileSync(file, packed.subarray(0, packed.length / 2))
    const open = await openViewer(file)
    const events = await eventsOf(open)
    expect(events.length).toBeGreaterThan(1000)
    expect(open.damage.places[0]?.message).toMatch(/the rest cannot be unpacked/)
  })
})

describe('a filter', () => {
  it('leaves what --list leaves', async () => {
    const files = [write('a.log', lines(9000)), write('b.log', lines(5000, 4000, 'http'))]
    const since = new Date(START + 300_000).toISOString()
    for (const values of [
      { level: 'error' },
      { target: 'http' },
      { where: ['n~7$'] },
      { since },
      { until: since, level: 'error', where: ['n~9$'] },
      { where: ['n=42'] }
    ]) {
      const open = await openViewer(...files)
      open.viewer.setFilter(filter(values))
      const expected = []
      for await (const event of merged(files.map(openSource))) if (filterOf(values)(event)) expected.push(event.message)
      expect(messages(await eventsOf(open))).toEqual(expected)
      const columns = open.viewer.columns(100)
      const counted = columns.reduce((sum, { counts }) => sum + counts.reduce((a, b) => a + b), 0)
      expect(counted).toBe(expected.length)
    }
  })

  it('finds values however JSON writes them', async () => {
    const file = write('a.log', [
      { level: 30, time: START, n: 42, msg: 'plain' },
      `{"level":30,"time":${START},"n":4.2e1,"msg":"exponent"}`,
      `{"level":30,"time":${START},"n":42.0,"msg":"point"}`,
      `{"level":30,"time":${START},"n":"\\u0034\\u0032","msg":"escaped"}`,
      { level: 30, time: START, n: 420, msg: 'another' },
      { level: 30, time: START, n: { n: 42 }, msg: 'within' },
      { level: 30, time: START, path: 'a/ü', n: null, msg: 'path' },
      `{"level":30,"time":${START},"path":"a\\/\\u00fc","msg":"escaped path"}`
    ])
    for (const where of ['n=42', 'n.n=42', 'path=a/ü', 'n=null', 'n={"n":42}', 'message=plain', 'hostname=none']) {
      const open = await openViewer(file)
      open.viewer.setFilter(filter({ where: [where] }))
      const expected = []
      const passes = filterOf({ where: [where] })
      for await (const event of merged([openSource(file)])) if (passes(event)) expected.push(event.message)
      expect(messages(await eventsOf(open))).toEqual(expected)
    }
  })

  it('keeps what is selected, and lets go of it when it is taken away', async () => {
    const open = await openViewer(write('a.log', lines(2000)))
    await eventsOf(open)
    open.viewer.select(1009)
    open.viewer.setFilter(filter({ level: 'error' }))
    await open.until(() => open.viewer.isComplete)
    expect(messages(await open.viewer.rows(open.viewer.selected, 1))).toEqual(['event 1009'])
    open.viewer.setFilter(null)
    expect(open.viewer.selected).toBe(1009)
  })

  it('is given up when its pattern never ends', async () => {
    const open = await openViewer(write('a.log', [{ level: 30, time: START, msg: `${'a'.repeat(40)}!` }]))
    await eventsOf(open)
    open.viewer.setFilter(filter({ where: ['message~^(a+)+$'] }))
    await open.until(() => open.viewer.message.isError)
    expect(open.viewer.message.text).toMatch(/it is given up/)
    expect(open.viewer.length).toBe(1)
  })
})

describe('a search', () => {
  async function found(file: string, text: string): Promise<string[]> {
    const open = await openViewer(file)
    await eventsOf(open)
    open.viewer.setSearch(text)
    await open.until(() => !open.viewer.isWaiting && (open.viewer.search?.isComplete ?? false))
    const seen: string[] = []
    for (let i = 0; i < (open.viewer.search?.count ?? 0); i++) {
      seen.push(messages(await open.viewer.rows(open.viewer.selected, 1))[0]!)
      open.viewer.jump('match', 1)
    }
    return seen
  }

  it('finds what a person reads, whatever case and escapes are', async () => {
    const file = write('a.log', [
      { level: 30, time: START, msg: 'Straße "quoted" back\\slash' },
      `{"level":30,"time":${START},"msg":"stra\\u00dfe"}`,
      { level: 30, time: START, msg: 'two\nlines', path: '/api/Items/7' },
      { level: 30, time: START, msg: '100 \u212a' },
      'plain text of items'
    ])
    expect(await found(file, 'straße')).toEqual(['Straße "quoted" back\\slash', 'straße'])
    expect(await found(file, 'Stra')).toEqual(['Straße "quoted" back\\slash'])
    expect(await found(file, '"quoted"')).toHaveLength(1)
    expect(await found(file, 'back\\slash')).toHaveLength(1)
    expect(await found(file, 'items')).toEqual(['two\nlines', 'plain text of items'])
    expect(await found(file, 'Items/7')).toEqual(['two\nlines'])
    expect(await found(file, '~t\\w+\\nlines')).toEqual(['two\nlines'])
    expect(await found(file, '100 k')).toEqual(['100 \u212a'])
    expect(await found(file, 'nowhere')).toEqual([])
  })

  it('goes round, forwards and backwards, within what a filter leaves', async () => {
    const open = await openViewer(write('a.log', lines(9000)), write('b.log', lines(9000, 0, 'http')))
    await eventsOf(open)
    open.viewer.select(8000)
    open.viewer.setFilter(filter({ target: 'http' }))
    await open.until(() => open.viewer.isComplete)
    open.viewer.setSearch('event 17')
    const at = async (): Promise<number> => {
      await open.until(() => !open.viewer.isWaiting)
      const [event] = await open.viewer.rows(open.viewer.selected, 1)
      expect(event?.target).toBe('http')
      return event?.fields.n as number
    }
    const expected = lines(9000).flatMap((_, n) => (String(n).startsWith('17') ? [n] : []))
    const later = expected.filter(n => n >= 4000)
    expect(later).toEqual([])
    const seen: number[] = []
    for (let i = 0; i < expected.length; i++) {
      seen.push(await at())
      open.viewer.jump('match', 1)
    }
    expect(seen).toEqual(expected)
    expect(await at()).toBe(17)
    open.viewer.jump('match', -1)
    expect(await at()).toBe(1799)
    open.viewer.setFilter(filter({ where: ['n=4'] }))
    await open.until(() => open.viewer.isComplete)
    open.viewer.jump('match', 1)
    await open.until(() => !open.viewer.isWaiting)
    expect(open.viewer.message.text).toMatch(/in no event that is shown/)
  })

  it('goes to errors', async () => {
    const open = await openViewer(write('a.log', lines(100)))
    await eventsOf(open)
    open.viewer.jump('error', 1)
    expect(open.viewer.selected).toBe(9)
    open.viewer.jump('error', 1)
    expect(open.viewer.selected).toBe(19)
    open.viewer.jump('error', -1)
    open.viewer.jump('error', -1)
    expect(open.viewer.selected).toBe(9)
    expect(open.viewer.message.text).toBe('no earlier error')
  })
})

describe('following', () => {
  it('shows what is appended, over rotation and truncation, and what was read of the file before', async () => {
    const file = write('a.log', lines(10))
    const open = await openViewer(file)
    await eventsOf(open)
    open.viewer.follow(true)
    fs.appendFileSync(file, `${JSON.stringify(lines(1, 10)[0])}\n`)
    await open.until(() => open.viewer.length === 11)
    expect(open.viewer.selected).toBe(10)
    fs.renameSync(file, `${file}.1`)
    write('a.log', lines(5, 11))
    await open.until(() => open.viewer.length === 16)
    expect(messages(await open.viewer.rows(0, 20))).toEqual(lines(16).map((_, i) => `event ${i}`))
    fs.truncateSync(file, 0)
    await open.until(() => open.damage.count > 0)
    fs.appendFileSync(file, `${JSON.stringify(lines(1, 16)[0])}\n`)
    await open.until(() => open.viewer.length === 17)
    const events = await open.viewer.rows(0, 20)
    expect(messages(events).slice(-1)).toEqual(['event 16'])
    expect(messages(events)[0]).toBe('event 0')
  })

  it('shows what a live process has not written yet, and a live recorder', async () => {
    const file = path.join(directory, 'live.log')
    const logger = new Logger({ logFilePath: file })
    logger.log(JSON.stringify(lines(1)[0]))
    const recorder = new Recorder({ directory, service: 'live', onCrash: false, onFatal: false })
    recorder.record('info', 'ring', 'in the ring')
    const open = await openViewer(file, path.join(directory, '.live.recorder'))
    await open.until(() => open.viewer.isComplete)
    open.viewer.follow(true)
    await open.until(() => open.viewer.length >= 2)
    recorder.record('info', 'ring', 'later in the ring')
    logger.log(JSON.stringify(lines(1, 1)[0]))
    await open.until(() => open.viewer.length >= 4)
    expect(messages(await open.viewer.rows(0, 9)).sort()).toEqual([
      'event 0',
      'event 1',
      'in the ring',
      'later in the ring'
    ])
    await logger.close()
    recorder.close()
  })
})
