import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import zlib from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Shipper } from '../../lib/ship/shipper'
import { SinkError } from '../../lib/ship/sink'
import { readState } from '../../lib/ship/state'
import { Kept, lines, numbersOf, optionsFor, shipAll, temporaryFolder, upTo } from './support'

let folder: string
let log: string
const at = (name: string): string => path.join(folder, name)

beforeEach(() => {
  folder = temporaryFolder()
  log = at('app.log')
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

test('records of a text are shipped once, in order, and what is appended later too', async () => {
  const kept = new Kept()
  fs.writeFileSync(log, lines(0, 250))
  const problems: Error[] = []
  const shipper = await Shipper.start(optionsFor(folder), kept, error => problems.push(error))
  await shipper.flush()
  fs.appendFileSync(log, lines(250, 300))
  await shipper.flush()
  expect(numbersOf(kept.order)).toEqual(upTo(300))
  expect(await shipper.stats()).toMatchObject({ records: 300, sequence: 300, lagBytes: 0, lagSeconds: 0 })
  await shipper.close()
  expect(kept.repeats).toBe(0)
  expect(problems).toEqual([])
})

test('a shipper goes on where the one before ended', async () => {
  const kept = new Kept()
  fs.writeFileSync(log, `${lines(0, 10)}{"n":`)
  await shipAll(optionsFor(folder), kept)
  fs.appendFileSync(log, '10}\n')
  await shipAll(optionsFor(folder), kept)
  expect(numbersOf(kept.order)).toEqual(upTo(11))
  expect(kept.repeats).toBe(0)
  expect((await readState(at('.app.log.cursor')))?.clean).toBe(true)
})

test.each(['rename', 'rename twice', 'rename and pack', 'copy and cut', 'copy, cut and pack'])(
  '%s while nobody ships: each record once',
  async how => {
    const kept = new Kept()
    fs.writeFileSync(log, lines(0, 1000))
    await shipAll(optionsFor(folder), kept)
    fs.appendFileSync(log, lines(1000, 1500))
    if (how.startsWith('rename')) fs.renameSync(log, at('app.log.1'))
    else {
      fs.copyFileSync(log, at('app.log.1'))
      fs.truncateSync(log)
    }
    fs.appendFileSync(log, lines(1500, 1700))
    if (how === 'rename twice') {
      fs.renameSync(at('app.log.1'), at('app.log.2'))
      fs.renameSync(log, at('app.log.1'))
      fs.writeFileSync(log, lines(1700, 1800))
    }
    if (how.endsWith('pack')) execFileSync('gzip', [at('app.log.1')])
    await shipAll(optionsFor(folder), kept)
    expect(numbersOf(kept.order)).toEqual(upTo(how === 'rename twice' ? 1800 : 1700))
    expect(kept.repeats).toBe(0)
    await shipAll(optionsFor(folder), kept)
    expect(kept.records.size).toBe(how === 'rename twice' ? 1800 : 1700)
  }
)

test.each(['rename', 'copy and cut', 'packed'])('%s again and again while it is shipped', async how => {
  const kept = new Kept()
  const problems: Error[] = []
  fs.writeFileSync(log, '')
  const shipper = await Shipper.start(optionsFor(folder), kept, error => problems.push(error))
  let next = 0
  for (let round = 0; round < 12; round++) {
    for (let part = 0; part < 4; part++) {
      fs.appendFileSync(log, lines(next, next + 25))
      next += 25
      await new Promise(resolve => setTimeout(resolve, Math.random() * 15))
    }
    // A copy has all that was read of what is cut only if nothing is appended meanwhile.
    if (how === 'copy and cut') {
      fs.copyFileSync(log, at(`app.log.${round}`))
      fs.truncateSync(log)
    } else if (how === 'packed') {
      fs.renameSync(log, at('app.log.1'))
      fs.writeFileSync(log, '')
      const packed = zlib.gzipSync(fs.readFileSync(at('app.log.1')))
      fs.writeFileSync(at(`packing`), packed)
      fs.renameSync(at('packing'), at(`app.log.2024-01-${10 + round}.gz`))
      fs.unlinkSync(at('app.log.1'))
    } else fs.renameSync(log, at(`app-2024-01-${10 + round}.log`))
  }
  fs.appendFileSync(log, lines(next, next + 5))
  await shipper.flush()
  await shipper.flush()
  await shipper.close()
  expect(numbersOf(kept.order)).toEqual(upTo(next + 5))
  expect(kept.repeats).toBe(0)
  expect(problems.map(problem => problem.message)).toEqual([])
})

test('lines that come late to a renamed file are shipped', async () => {
  const kept = new Kept()
  fs.writeFileSync(log, lines(0, 5))
  await shipAll(optionsFor(folder), kept)
  const writer = fs.openSync(log, 'a')
  fs.renameSync(log, at('app.log.1'))
  fs.writeFileSync(log, lines(5, 8))
  await shipAll(optionsFor(folder), kept)
  fs.writeSync(writer, lines(8, 10))
  fs.closeSync(writer)
  await shipAll(optionsFor(folder), kept)
  fs.appendFileSync(log, lines(10, 12))
  await shipAll(optionsFor(folder), kept)
  expect(numbersOf(kept.order)).toEqual(upTo(12))
  expect(kept.repeats).toBe(0)
})

test('a file that is cut without a copy is a gap, and what comes next is shipped', async () => {
  const kept = new Kept()
  const problems: Error[] = []
  fs.writeFileSync(log, lines(0, 50))
  const shipper = await Shipper.start(optionsFor(folder), kept, error => problems.push(error))
  await shipper.flush()
  fs.writeFileSync(log, lines(50, 60))
  await shipper.flush()
  await shipper.flush()
  expect(numbersOf(kept.order)).toEqual(upTo(60))
  expect((await shipper.stats()).gaps).toBe(1)
  await shipper.close()
  expect(problems[0]?.message).toContain('was cut')
})

test('a log of another name beside it is none of its files', async () => {
  const kept = new Kept()
  fs.writeFileSync(log, lines(0, 5))
  await shipAll(optionsFor(folder), kept)
  fs.writeFileSync(at('app-errors.log'), lines(100, 105))
  fs.writeFileSync(at('app2.log'), lines(100, 105))
  fs.writeFileSync(at('app.log.lock'), '1 2')
  await shipAll(optionsFor(folder), kept)
  expect(numbersOf(kept.order)).toEqual(upTo(5))
})

test('a batch that is refused is split, and a record that is refused alone set aside', async () => {
  const kept = new Kept()
  kept.fails = batch =>
    batch.records.some(({ data, start, end }) => data.toString('utf8', start, end).includes('"n":77}'))
      ? new SinkError('413', { refused: true })
      : null
  fs.writeFileSync(log, lines(0, 100))
  await shipAll(optionsFor(folder), kept)
  expect(numbersOf(kept.order)).toEqual(upTo(100).filter(n => n !== 77))
  const letters = fs.readFileSync(at('app.dead'), 'utf8').trimEnd().split('\n')
  expect(letters).toHaveLength(1)
  const { stream } = (await readState(at('.app.log.cursor')))!
  expect(JSON.parse(letters[0]!)).toMatchObject({ id: `${stream}-77`, record: '{"n":77}', reason: '413' })
})

test('what was taken but not acknowledged is sent again with its ids', async () => {
  const kept = new Kept()
  let count = 0
  kept.fails = () => (count++ % 3 === 0 ? new SinkError('reset after taking') : null)
  fs.writeFileSync(log, lines(0, 1000))
  await shipAll(optionsFor(folder), kept)
  expect(numbersOf(kept.order)).toEqual(upTo(1000))
  expect(kept.repeats).toBeGreaterThan(0)
})

test('two shippers do not use one cursor', async () => {
  fs.writeFileSync(log, lines(0, 5))
  const shipper = await Shipper.start(optionsFor(folder), new Kept(), () => undefined)
  await expect(Shipper.start(optionsFor(folder), new Kept(), () => undefined)).rejects.toMatchObject({
    code: 'ERR_SHARDLOG_LOCKED'
  })
  await shipper.close()
  await shipAll(optionsFor(folder), new Kept())
})

test('a cursor that is none is not overwritten', async () => {
  fs.writeFileSync(log, lines(0, 5))
  fs.writeFileSync(at('.app.log.cursor'), '{"format":')
  await expect(shipAll(optionsFor(folder), new Kept())).rejects.toMatchObject({ code: 'ERR_SHARDLOG_SHIP_CURSOR' })
  expect(fs.readFileSync(at('.app.log.cursor'), 'utf8')).toBe('{"format":')
})

test('a packed file that cannot be unpacked is told of, and holds nothing up', async () => {
  const kept = new Kept()
  const problems: Error[] = []
  fs.writeFileSync(log, lines(0, 10))
  await shipAll(optionsFor(folder), kept)
  fs.renameSync(log, at('app.log.2'))
  fs.writeFileSync(at('app.log.1.gz'), zlib.gzipSync(lines(10, 2000)).subarray(0, 100))
  const old = new Date(Date.now() - 60_000)
  fs.utimesSync(at('app.log.1.gz'), old, old)
  fs.writeFileSync(log, lines(2000, 2010))
  await shipAll(optionsFor(folder), kept, problems)
  expect(numbersOf(kept.order)).toEqual([...upTo(10), ...upTo(10).map(n => 2000 + n)])
  expect(problems.map(({ message }) => message).join()).toContain('app.log.1.gz, offset 0: unexpected end of file')
  expect(fs.readFileSync(at('app.dead'), 'utf8').trimEnd().split('\n')).toHaveLength(1)
  await shipAll(optionsFor(folder), kept)
  expect((await readState(at('.app.log.cursor')))!.counts.damaged).toBe(1)
})

test('while the cursor cannot be written nothing more is sent, and it goes on when it can', async () => {
  const kept = new Kept()
  const problems: Error[] = []
  const cursor = at('cursors/cursor')
  fs.mkdirSync(at('cursors'))
  fs.writeFileSync(log, lines(0, 100))
  const shipper = await Shipper.start(optionsFor(folder, { cursor }), kept, error => problems.push(error))
  await shipper.flush()
  fs.renameSync(at('cursors'), at('away'))
  fs.appendFileSync(log, lines(100, 50_000))
  await expect.poll(() => problems.length).toBeGreaterThan(2)
  const sent = kept.records.size
  const told = problems.length
  await expect.poll(() => problems.length).toBeGreaterThan(told + 2)
  expect(kept.records.size).toBe(sent)
  expect(sent).toBeLessThan(50_000)
  fs.renameSync(at('away'), at('cursors'))
  await shipper.flush()
  await shipper.close()
  expect(numbersOf(kept.order)).toEqual(upTo(50_000))
  expect((await readState(cursor))!.sequence).toBe(50_000)
})
