import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import path from 'node:path'
import zlib from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Backlog } from '../../lib/ship/backlog'
import { Shipper, type ShipperOptions } from '../../lib/ship/shipper'
import { SinkError } from '../../lib/ship/sink'
import { readState } from '../../lib/ship/state'
import { shardlog } from '../support/shardlog'
import { Kept, lines, numbersOf, optionsFor, shipAll, temporaryFolder, upTo } from './support'

const PER_FILE = 5
/** In s; files are older than what makes a last line wait. */
const FIRST_TIME = 1_700_000_000

let folder: string
let log: string
const at = (name: string): string => path.join(folder, name)

beforeEach(() => {
  folder = temporaryFolder()
  log = at('app.log')
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

const fromOldest = (more: Partial<ShipperOptions> = {}): ShipperOptions =>
  optionsFor(folder, { start: 'oldest', commitInterval: 1e6, ...more })

/** Rotated files of a few lines each, one a second, and the log's own; how many lines. */
function writeBacklog(count: number, name = (n: number): string => `app-${n}.log`): number {
  for (let n = 0; n < count; n++) {
    const text = lines(n * PER_FILE, (n + 1) * PER_FILE)
    const file = at(name(n))
    fs.writeFileSync(file, file.endsWith('.gz') ? zlib.gzipSync(text) : text)
    fs.utimesSync(file, FIRST_TIME + n, FIRST_TIME + n)
  }
  fs.writeFileSync(log, lines(count * PER_FILE, (count + 1) * PER_FILE))
  return (count + 1) * PER_FILE
}

/** Logs records in blocks. */
async function writeBlocks(file: string, from: number, to: number): Promise<void> {
  const stream = shardlog.destination({ dest: file, format: 'shard' })
  const logger = shardlog({}, stream)
  for (let n = from; n < to; n++) logger.info({ n })
  stream.flushSync()
  await new Promise<void>(resolve => {
    stream.once('close', () => resolve())
    stream.end()
  })
}

type Calls = Record<'readdir' | 'stat' | 'open' | 'rename', number>

/** Counts what the file system is asked for meanwhile. */
async function counting(work: () => Promise<void>): Promise<Calls> {
  const calls: Calls = { readdir: 0, stat: 0, open: 0, rename: 0 }
  const undo: (() => void)[] = []
  const count = (of: object, name: string, key: keyof Calls): void => {
    const methods = of as Record<string, (...args: unknown[]) => unknown>
    const original = methods[name]!
    methods[name] = (...args) => {
      if (args[0]?.toString().startsWith(folder)) calls[key]++
      return original(...args)
    }
    undo.push(() => {
      methods[name] = original
    })
  }
  count(fs.promises, 'readdir', 'readdir')
  count(fs, 'statSync', 'stat')
  count(fs.promises, 'stat', 'stat')
  count(fs.promises, 'open', 'open')
  count(fs.promises, 'rename', 'rename')
  syncBuiltinESMExports()
  try {
    await work()
    return calls
  } finally {
    for (const restore of undo) restore()
    syncBuiltinESMExports()
  }
}

test.each([
  ['renamed', (n: number) => `app-${n}.log`],
  ['copied and cut', (n: number) => `app.log.${1000 - n}`],
  ['packed', (n: number) => `app-${n}.log.gz`]
])('many small files, %s: each is opened once, and the folder is not looked through for each', async (_, name) => {
  const kept = new Kept()
  const count = 600
  const total = writeBacklog(count, name)
  const problems: Error[] = []
  const calls = await counting(() => shipAll(fromOldest(), kept, problems))
  expect(problems).toEqual([])
  expect(numbersOf(kept.order)).toEqual(upTo(total))
  expect(kept.repeats).toBe(0)
  // The times do not count, but for what is looked at every few seconds.
  expect(calls.open).toBeLessThan(1.2 * count)
  expect(calls.readdir).toBeLessThan(count / 5)
  expect(calls.rename).toBeLessThan(count / 20)
  expect(calls.stat).toBeLessThan(60 * count)
  const state = (await readState(at('.app.log.cursor')))!
  expect(state.counts.batches).toBeLessThan(count / 10)
  expect(state.counts.files).toBe(count)
  // Nothing is opened again.
  const again = await counting(() => shipAll(fromOldest(), kept))
  expect(again.open).toBeLessThan(10)
  expect(kept.records.size).toBe(total)
})

test('small files of blocks: none is taken for another', async () => {
  const kept = new Kept()
  let next = 0
  for (let n = 0; n < 8; n++) {
    // The same number of records, and more, and fewer.
    const end = next + [3, 3, 3, 7, 7, 2, 9, 3][n]!
    await writeBlocks(log, next, end)
    next = end
    fs.renameSync(log, at(`app-${n}.log`))
  }
  await writeBlocks(log, next, next + 4)
  await shipAll(fromOldest(), kept)
  expect(numbersOf(kept.order)).toEqual(upTo(next + 4))
  fs.renameSync(log, at('app-9.log'))
  await writeBlocks(log, next + 4, next + 6)
  await shipAll(fromOldest(), kept)
  expect(numbersOf(kept.order)).toEqual(upTo(next + 6))
  expect(kept.repeats).toBe(0)
})

test('shipped files that are packed all at once are not shipped again', async () => {
  const kept = new Kept()
  const total = writeBacklog(100)
  await shipAll(fromOldest(), kept)
  for (let n = 0; n < 100; n++) {
    const packed = zlib.gzipSync(fs.readFileSync(at(`app-${n}.log`)))
    fs.writeFileSync(at(`app-${n}.log.gz`), packed)
    fs.unlinkSync(at(`app-${n}.log`))
  }
  fs.renameSync(log, at('app-100.log'))
  fs.writeFileSync(log, lines(total, total + 5))
  await shipAll(fromOldest(), kept)
  expect(numbersOf(kept.order)).toEqual(upTo(total + 5))
  expect(kept.repeats).toBe(0)
})

test('what is no log, and too short to tell, holds nothing up', async () => {
  const kept = new Kept()
  const total = writeBacklog(3)
  fs.writeFileSync(at('app-0.5.log'), Buffer.from([0, 1, 2]))
  fs.utimesSync(at('app-0.5.log'), FIRST_TIME, FIRST_TIME)
  const problems: Error[] = []
  await shipAll(fromOldest(), kept, problems)
  expect(numbersOf(kept.order)).toEqual(upTo(total))
  expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('too short')])
})

/** Ships five batches of a backlog; the cursor is then as a crash leaves it. */
async function crashInBacklog(kept: Kept): Promise<void> {
  const cursor = at('.app.log.cursor')
  let batches = 0
  kept.fails = () => {
    if (++batches === 5) fs.copyFileSync(cursor, at('crashed'))
    return batches > 5 ? new SinkError('gone') : null
  }
  const shipper = await Shipper.start(fromOldest({ batchSize: 7, closeTimeout: 1 }), kept, () => undefined)
  await expect.poll(() => batches).toBeGreaterThan(5)
  await shipper.close()
  kept.fails = null
  fs.renameSync(at('crashed'), cursor)
}

test.each(['nothing', 'an older file', 'a packed file', 'a longer file', 'a deleted file', 'all packed'])(
  'a crash in a backlog, and meanwhile %s: no record is lost, no id given twice',
  async meanwhile => {
    const kept = new Kept()
    const total = writeBacklog(20)
    await crashInBacklog(kept)
    expect(kept.records.size).toBe(35)
    const pack = (n: number): void => {
      const { atime, mtime } = fs.statSync(at(`app-${n}.log`))
      fs.writeFileSync(at(`app-${n}.log.gz`), zlib.gzipSync(fs.readFileSync(at(`app-${n}.log`))))
      fs.utimesSync(at(`app-${n}.log.gz`), atime, mtime)
      fs.unlinkSync(at(`app-${n}.log`))
    }
    if (meanwhile === 'an older file') {
      fs.writeFileSync(at('app-1.5.log'), lines(total, total + 5))
      fs.utimesSync(at('app-1.5.log'), FIRST_TIME + 1.5, FIRST_TIME + 1.5)
    } else if (meanwhile === 'a packed file') pack(3)
    else if (meanwhile === 'a longer file') fs.appendFileSync(at('app-3.log'), lines(total, total + 5))
    else if (meanwhile === 'a deleted file') fs.unlinkSync(at('app-3.log'))
    else if (meanwhile === 'all packed') for (let n = 0; n < 20; n++) pack(n)
    // Throws where an id comes with two records.
    await shipAll(fromOldest({ batchSize: 7 }), kept)
    const more = ['an older file', 'a longer file'].includes(meanwhile) ? 5 : 0
    expect(new Set(numbersOf([...kept.records.values()]))).toEqual(new Set(upTo(total + more)))
    expect(kept.repeats).toBeGreaterThan(0)
    // The order of files is that of before: what came again can be told by its id.
    if (['nothing', 'an older file'].includes(meanwhile)) expect(kept.records.size).toBe(total + more)
  }
)

test('files that are deleted while they wait: those that are open are shipped, the others counted', async () => {
  const kept = new Kept()
  writeBacklog(20)
  const problems: Error[] = []
  let taken = false
  kept.fails = () => {
    if (!taken) for (let n = 0; n < 20; n++) fs.unlinkSync(at(`app-${n}.log`))
    taken = true
    return null
  }
  const shipper = await Shipper.start(fromOldest({ batchSize: 7 }), kept, error => problems.push(error))
  await shipper.flush()
  await shipper.close()
  const numbers = numbersOf(kept.order)
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
  expect(new Set(numbers).size).toBe(numbers.length)
  expect(numbers.slice(-PER_FILE)).toEqual(upTo(PER_FILE).map(n => n + 20 * PER_FILE))
})

test('a small packed file that is long, or of several members, is unpacked as a whole', async () => {
  const kept = new Kept()
  const total = writeBacklog(2)
  const pad = ' '.repeat(1 << 20)
  const long = upTo(5).map(n => `{"n":${total + n},"pad":"${pad}"}\n`)
  fs.writeFileSync(at('app-0.5.log.gz'), Buffer.concat(long.map(line => zlib.gzipSync(line))))
  fs.utimesSync(at('app-0.5.log.gz'), FIRST_TIME + 0.5, FIRST_TIME + 0.5)
  expect(fs.statSync(at('app-0.5.log.gz')).size).toBeLessThan(64 * 1024)
  await shipAll(fromOldest(), kept)
  expect([...numbersOf(kept.order)].sort((a, b) => a - b)).toEqual(upTo(total + 5))
  expect(numbersOf(kept.order).slice(5, 10)).toEqual(upTo(5).map(n => total + n))
})

test('a file that cannot be opened for a while keeps its place', async () => {
  const files = ['a', 'b'].map(name => ({
    path: at(name),
    dev: '1',
    ino: name,
    size: 1,
    mtime: 0,
    packed: false
  }))
  let fails = true
  const opened: string[] = []
  const backlog = new Backlog({
    list: async () => ({ rotated: files, own: null }),
    isDone: file => opened.includes(file.ino),
    judge: async file => {
      if (fails) throw new Error('EIO')
      opened.push(file.ino)
      return 'read'
    }
  })
  for (let i = 0; i < 3; i++) await expect(backlog.next()).rejects.toThrow('EIO')
  fails = false
  expect(await backlog.next()).toBeNull()
  expect(opened).toEqual(['a', 'b'])
})

test('a line of several MiB in a backlog is shipped by itself', async () => {
  const kept = new Kept()
  writeBacklog(3)
  const long = JSON.stringify({ n: 1e9, text: 'x'.repeat(5 << 20) })
  fs.writeFileSync(at('app-1.5.log'), `${lines(100, 102)}${long}\n${lines(102, 104)}`)
  fs.utimesSync(at('app-1.5.log'), FIRST_TIME + 1.5, FIRST_TIME + 1.5)
  await shipAll(fromOldest(), kept)
  expect(numbersOf(kept.order)).toEqual([...upTo(10), 100, 101, 1e9, 102, 103, ...upTo(10).map(n => n + 10)])
})
