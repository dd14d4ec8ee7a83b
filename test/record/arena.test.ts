import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { ArenaFile } from '../../lib/arena/arena-file'
import { resolveConfig } from '../../lib/config'
import { openNativeRecords } from '../../lib/engine/native-engine'
import { type Damage, readLog } from '../../lib/reader'
import { RecordEncoder } from '../../lib/record/record-encoder'
import { arenaOf } from '../support/arena-path'
import { type ArenaFields, type ArenaSegment, writeArena } from '../support/make-arena'
import { makeBlock, STREAM } from '../support/make-log'
import { record, SegmentWriter, text } from '../support/record-encoder'
import { packageRoot } from '../support/shardlog'
import { tempLog } from '../support/temp'
import { waitingEntries } from '../support/waiting'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
const DEAD_PID = 2 ** 22 + 1
/** A record of an id that nothing has defined. */
const damaged = record({ template: 77 })

let file: string
let stop: AbortController

beforeEach(() => {
  file = tempLog()
  fs.writeFileSync(file, '')
  stop = new AbortController()
})

afterEach(() => stop.abort())

const arena = (segments: ArenaSegment[], fields: Partial<ArenaFields> = {}) =>
  writeArena({ logPath: file, content: 1, stream: STREAM, ...fields, segments })

/** What the line of `log(time, {n})` is. */
const line = (time: number, n: number): string => `{"level":30,"time":${time},"n":${n}}\n`

/** A segment's payloads: a line for each pair of time and number. */
function payloads(...calls: [time: number, n: number][]): Buffer[] {
  const writer = new SegmentWriter()
  for (const [time, n] of calls) writer.log(time, { n })
  return writer.payloads
}

function follow(options: { order?: 'file' | 'time'; strict?: boolean } = {}) {
  const texts: string[] = []
  const damage: Damage[] = []
  const blocks: { source: string; producer: number | undefined; offset: number; firstTime: bigint | undefined }[] = []
  let wake = () => {}
  const done = (async () => {
    const entries = readLog(file, { follow: true, signal: stop.signal, onDamage: d => damage.push(d), ...options })
    for await (const entry of entries) {
      const { source, producer, firstTime } = entry.block
      texts.push(entry.text)
      blocks.push({ source, producer, offset: entry.offset, firstTime })
      wake()
    }
  })()
  const until = async (count: number) => {
    while (texts.length < count) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  return { texts, damage, blocks, done, until }
}

describe('readLog with follow, of an arena of records', () => {
  it('gives the lines that are made of them, and of texts', async () => {
    arena([{ segment: 0, payloads: [...payloads([1, 1], [2, 2]), text(3, 'said {}\n')] }])
    const following = follow()
    await following.until(3)
    expect(following.texts).toEqual([line(1, 1), line(2, 2), 'said {}\n'])
    expect(following.blocks.every(block => block.source === 'arena')).toBe(true)
  })

  it('orders the lines of threads by their times', async () => {
    arena([
      { segment: 0, producer: 1, payloads: payloads([10, 1], [30, 3]) },
      { segment: 4, producer: 2, payloads: payloads([20, 2], [30, 4], [5, 5]) },
      { segment: 1, producer: 1, payloads: payloads([40, 6]) }
    ])
    const following = follow()
    await following.until(6)
    expect(following.texts.map(found => JSON.parse(found).n)).toEqual([1, 2, 3, 4, 5, 6])
    expect(following.blocks.map(block => block.producer)).toEqual([1, 2, 1, 2, 2, 1])
    expect(following.blocks.map(block => block.firstTime)).toEqual(
      [10n, 20n, 30n, 30n, 30n, 40n].map(t => t * 1000000n)
    )
  })

  it('keeps generations apart, whatever their times', async () => {
    arena(
      [
        { segment: 0, generation: 4n, payloads: payloads([50, 1]) },
        { segment: 0, generation: 5n, payloads: payloads([20, 2]) }
      ],
      { written: 4n, active: 5n }
    )
    const following = follow()
    await following.until(2)
    expect(following.texts).toEqual([line(50, 1), line(20, 2)])
  })

  it('goes on where it was in a segment, with what was defined before', async () => {
    const writer = new SegmentWriter()
    writer.log(1, { n: 1 })
    arena([{ segment: 0, payloads: writer.payloads }])
    const following = follow()
    await following.until(1)
    writer.log(2, { n: 2 })
    writer.log(3, { m: 3 })
    arena([{ segment: 0, payloads: writer.payloads }])
    await following.until(3)
    expect(following.texts).toEqual([line(1, 1), line(2, 2), '{"level":30,"time":3,"m":3}\n'])
  })

  it('gives each line once when it is written, in whatever order and blocks', async () => {
    const first = { segment: 0, producer: 1, payloads: payloads([1, 1], [4, 4], [4, 4]) }
    const second = { segment: 4, producer: 2, payloads: payloads([2, 2]) }
    arena([first, second])
    const following = follow()
    await following.until(4)
    // One more of each was logged before the flush; equal lines are as many as were logged.
    const written = [line(0, 0), line(1, 1), line(2, 2), line(3, 3), line(4, 4), line(4, 4), line(4, 4)]
    fs.appendFileSync(file, makeBlock(written, { producer: 2 }))
    const next = { segment: 0, generation: 1n, payloads: payloads([9, 9]) }
    arena([next], { written: 1n })
    await following.until(8)
    fs.appendFileSync(file, makeBlock([line(9, 9)], { sequence: 1n, generation: 1 }))
    arena([{ segment: 0, generation: 2n, payloads: payloads([9, 9]) }], { written: 2n })
    await following.until(9)
    expect(following.texts).toEqual([
      ...[line(1, 1), line(2, 2), line(4, 4), line(4, 4)],
      ...[line(0, 0), line(3, 3), line(4, 4)],
      line(9, 9),
      line(9, 9)
    ])
    expect(following.damage).toEqual([])
  })

  it('reports damaged records, once each, and goes on behind them', async () => {
    const whole = payloads([1, 1], [2, 2])
    arena([{ segment: 0, payloads: [whole[0]!, damaged, whole[1]!] }])
    const following = follow()
    await following.until(2)
    const more = payloads([1, 1], [2, 2], [3, 3])
    arena([{ segment: 0, payloads: [more[0]!, damaged, more[1]!, more[2]!] }])
    await following.until(3)
    expect(following.texts).toEqual([line(1, 1), line(2, 2), line(3, 3)])
    expect(following.damage).toHaveLength(1)
    const offset = 8192 + 8 + 4 + whole[0]!.length + 4
    expect(following.damage[0]).toMatchObject({
      kind: 'bad-record',
      path: arenaOf(file),
      offset,
      length: damaged.length
    })
    expect(following.blocks[0]!.offset).toBe(8192 + 8 + 4)
    expect(following.blocks[1]!.offset).toBe(offset + damaged.length + 4)
  })

  it('reports a segment that breaks off, once', async () => {
    const whole = payloads([1, 1], [2, 2])
    arena([{ segment: 0, payloads: whole }])
    const fd = fs.openSync(arenaOf(file), 'r+')
    fs.writeSync(fd, Buffer.alloc(4), 0, 4, 8192 + 8 + 4 + whole[0]!.length)
    fs.closeSync(fd)
    const following = follow()
    await following.until(1)
    arena([{ segment: 4, producer: 2, payloads: payloads([3, 3]) }])
    await following.until(2)
    expect(following.texts).toEqual([line(1, 1), line(3, 3)])
    expect(following.damage.map(found => found.kind)).toEqual(['bad-record'])
  })

  it('throws at a damaged record if it is to be strict', async () => {
    arena([{ segment: 0, payloads: [damaged] }])
    await expect(follow({ strict: true }).done).rejects.toMatchObject({ code: 'ERR_SHARDLOG_CORRUPT' })
  })

  it('survives times that no date has', async () => {
    const times = [Number.NaN, -5, 1e300, Number.NEGATIVE_INFINITY]
    arena([{ segment: 0, payloads: times.map(time => text(time, `${time}\n`)) }])
    const following = follow({ order: 'time' })
    await following.until(4)
    expect(following.texts).toEqual(times.map(time => `${time}\n`))
    expect(new Set(following.blocks.map(block => block.firstTime))).toEqual(new Set([1_000_000_000n]))
  })

  it('takes rounds of some MiB, without a loss or a repetition', async () => {
    // Some 40 bytes of record make 60 KB of line.
    const long = Buffer.alloc(60_000, 'x').toString()
    const segments = [0, 1, 4, 5].map(segment => {
      const writer = new SegmentWriter()
      for (let i = 0; i < 60; i++) writer.log(i, { segment, i }, long)
      return { segment, producer: segment < 4 ? 1 : 2, payloads: writer.payloads }
    })
    arena(segments)
    const following = follow()
    await following.until(240)
    const found = following.texts.map(found => JSON.parse(found) as { segment: number; i: number })
    for (const segment of [0, 1, 4, 5]) {
      expect(found.filter(one => one.segment === segment).map(one => one.i)).toEqual([...Array(60).keys()])
    }
    expect(found).toHaveLength(240)
  })
})

it('a log of records is followed through many flushes without a loss, a repetition or a change of order', async () => {
  const sizes = { bufferSize: 1 << 20, numShards: 2, flushInterval: 3, dsync: false }
  const config = resolveConfig({ logFilePath: file, ...sizes, onFull: 'block', blockTimeout: Number.POSITIVE_INFINITY })
  const log = openNativeRecords(config, 'shard')
  const encoder = new RecordEncoder(log.target)
  const { close } = log.controls(() => encoder.close())
  const following = follow({ strict: true })
  const count = 20_000
  for (let i = 0; i < count; i++) {
    encoder.text(i, `line ${i} ${'x'.repeat(i % 100)}\n`)
    if (i % 300 === 0) await new Promise(resolve => setTimeout(resolve, i % 3))
  }
  await following.until(count)
  await close()
  expect(following.texts.findIndex((found, i) => !found.startsWith(`line ${i} `))).toBe(-1)
  expect(following.texts).toHaveLength(count)
  expect(following.blocks.some(block => block.source === 'file')).toBe(true)
})

describe('the waiting entries of an arena of records', () => {
  it('are its lines; damaged records are counted apart', () => {
    arena([{ segment: 0, payloads: [...payloads([1, 1], [2, 2]), damaged, text(1, 'abc\n')] }])
    expect(waitingEntries(file)).toMatchObject({
      entries: 3,
      bytes: line(1, 1).length + line(2, 2).length + 4,
      damagedRecords: 1
    })
  })

  it('of raw content are what lies there', () => {
    arena([{ segment: 0, payloads: [damaged, 'abc'] }], { content: 0 })
    expect(waitingEntries(file)).toMatchObject({ entries: 2, bytes: damaged.length + 3, damagedRecords: 0 })
  })

  it('of a content there is not are not guessed at', () => {
    arena([], { content: 2 })
    expect(() => ArenaFile.open(arenaOf(file))).toThrow(
      expect.objectContaining({ code: 'ERR_SHARDLOG_ARENA_VERSION', message: expect.stringContaining('content 2') })
    )
  })
})

describe('shardlog', () => {
  const cli = (...args: string[]) => spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', timeout: 30_000 })

  it('stats counts the lines that wait', () => {
    arena([{ segment: 0, payloads: [...payloads([1, 1]), damaged] }], { ownerPid: DEAD_PID })
    expect(cli('stats', file).stdout).toMatch(/waiting: 1 entry, 28 bytes; 1 record damaged\n/)
    expect(JSON.parse(cli('stats', '--json', file).stdout).arena).toMatchObject({ entries: 1, damagedRecords: 1 })
  })

  it('tail -f shows the lines of a live process, and of a dead one', async () => {
    for (const ownerPid of [process.pid, DEAD_PID]) {
      arena([{ segment: 0, payloads: [...payloads([1, 1], [2, 2]), damaged] }], { ownerPid })
      const child = spawn(process.execPath, [main, 'tail', '-f', '--json', file])
      onTestFinished(() => void child.kill('SIGKILL'))
      let [out, err] = ['', '']
      child.stdout.on('data', data => {
        out += data
        if (out.split('\n').length > 2) child.kill('SIGTERM')
      })
      child.stderr.on('data', data => {
        err += data
      })
      await once(child, 'close')
      const shown = out.trimEnd().split('\n')
      expect(shown.map(found => JSON.parse(found))).toMatchObject([
        { text: line(1, 1), waiting: true, producer: 1, time: '1970-01-01T00:00:00.001000000Z' },
        { text: line(2, 2), waiting: true }
      ])
      expect(err).toContain('bad-record')
    }
  })
})
