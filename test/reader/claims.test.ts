import fs from 'node:fs'
import { PassThrough } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readLog, verifyLog } from '../../lib/reader'
import { BlockScanner, type ScannerOptions } from '../../lib/reader/block-scanner'
import { collectEntries, type Entry } from '../../lib/reader/items'
import { type Source, StreamSource } from '../../lib/reader/source'
import { CountingSource } from '../support/counting-source'
import { makeBlock, makePlainBlock } from '../support/make-log'
import fc from '../support/random'
import { tempLog } from '../support/temp'

const MIB = 1024 * 1024
const GIB = 1024 * MIB

async function scan(source: Source, options: ScannerOptions = {}) {
  const texts: string[] = []
  const kinds: string[] = []
  const scanner = new BlockScanner(source, options)
  for (let items = await scanner.next(); items !== null; items = await scanner.next()) {
    for (const item of items) {
      const entries: Entry[] = []
      if (item.kind === 'block') collectEntries(item, entries)
      if (item.kind === 'damage') kinds.push(item.damage.kind)
      texts.push(...entries.map(entry => (entry.length > 100 ? `${entry.length} bytes` : entry.text)))
    }
  }
  await scanner.close()
  return { texts, kinds }
}

/** A sector that claims a block of these sizes, whose first entry is as long as `first` says. */
function claim(capacity: number, valid: number, first = valid - 4): Buffer {
  const sector = Buffer.alloc(512, 0x11)
  for (const [i, value] of [capacity, valid, first].entries()) sector.writeUInt32LE(value, 4 * i)
  return sector
}

const sound = (name: string, sequence: number) => makeBlock([name], { sequence: BigInt(sequence) })

describe('a header that claims', () => {
  it.each([
    ['nearly 4 GiB', 0xffff_fff8, 0xffff_fff0, 5 * GIB],
    ['1.5 GiB, as one entry', 1.5 * GIB, 1.5 * GIB - 8, 5 * GIB],
    ['the largest block there can be, as one entry', GIB, GIB - 8, 5 * GIB],
    ['the largest block there can be, of which the file has less', GIB, GIB - 8, 100 * MIB],
    ['100 MiB, as one entry', 100 * MIB, 100 * MIB - 8, 5 * GIB],
    ['exactly the rest of the file', 4096, 512 * 5 - 8, 512 * 7],
    ['4 MiB, as one entry', 4 * MIB, 4 * MIB - 8, 5 * GIB],
    ['4 MiB in odd bytes', 4 * MIB + 1, 4 * MIB - 8, 5 * GIB]
  ])('%s hides no block and costs no memory', async (_name, capacity, valid, size) => {
    const bytes = Buffer.concat([sound('a', 0), claim(capacity, valid), sound('b', 1), sound('c', 2)])
    const source = new CountingSource(bytes, Math.max(bytes.length, Math.min(size, bytes.length + 8 * MIB)))
    const { texts, kinds } = await scan(source)
    expect(texts).toEqual(['a', 'b', 'c'])
    expect(kinds[0]).toMatch(/bad-header|torn-tail/)
    expect(source.largestBuffer).toBeLessThan(10 * MIB)
  })

  it('as much hides no block in front of all others either', async () => {
    for (const capacity of [0xffff_fff8, GIB, 4096]) {
      const bytes = Buffer.concat([claim(capacity, Math.min(capacity, GIB) - 8), sound('a', 0), sound('b', 1)])
      expect((await scan(new CountingSource(bytes, 3 * MIB + bytes.length))).texts).toEqual(['a', 'b'])
    }
  })

  it('gigabytes of a file that has them takes no memory for what is not there', async () => {
    const bytes = Buffer.concat([sound('a', 0), claim(GIB, GIB - 8, 100)])
    const source = new CountingSource(bytes, GIB + 64 * MIB)
    expect((await scan(source)).texts).toEqual(['a'])
    expect(source.largestBuffer).toBeLessThan(10 * MIB)
  })

  it('more than the file has is stepped over in a file that is followed, once a block stands behind it', async () => {
    const file = tempLog()
    fs.writeFileSync(file, Buffer.concat([sound('a', 0), claim(100 * MIB, 90 * MIB)]))
    const controller = new AbortController()
    onTestFinished(() => controller.abort())
    const texts: string[] = []
    for await (const { text } of readLog(file, { follow: true, signal: controller.signal })) {
      texts.push(text)
      if (text === 'a') fs.appendFileSync(file, sound('b', 1))
      else break
    }
    expect(texts).toEqual(['a', 'b'])
  })

  it('to be a torn block is one, of which whole entries are delivered', async () => {
    const bytes = Buffer.concat([sound('a', 0), makePlainBlock(['x', 'y'.repeat(2000)]).subarray(0, 1024)])
    expect(await scan(new CountingSource(bytes))).toEqual({ texts: ['a', 'x'], kinds: ['torn-tail'] })
  })

  it('the end of a large torn block is read as far as entries reach', async () => {
    const entries = Array.from({ length: 40 }, (_, i) => Buffer.alloc(MIB, 65 + i))
    const block = makeBlock(entries)
    const { texts, kinds } = await scan(new CountingSource(block.subarray(0, 20.5 * MIB)))
    expect(texts).toHaveLength(20)
    expect(kinds).toEqual(['torn-tail'])
  })

  it.each([
    ['1 GiB, as one entry', GIB, GIB - 8, undefined],
    ['1 GiB, as many entries', GIB, GIB - 8, 400],
    ['20 MiB, as one entry', 20 * MIB, 20 * MIB - 8, undefined],
    ['4 MiB, as one entry', 4 * MIB, 4 * MIB - 8, undefined],
    ['4 GiB', 0xffff_fff8, 0xffff_fff0, undefined]
  ])('%s hides no block out of a pipe', async (_name, capacity, valid, first) => {
    for (const behind of [0, 30 * MIB]) {
      const pipe = new PassThrough()
      const blocks = [sound('a', 0), claim(capacity, valid, first), sound('b', 1), Buffer.alloc(behind), sound('c', 2)]
      for (const block of blocks)
        for (let at = 0; at < block.length; at += MIB) pipe.write(block.subarray(at, at + MIB))
      pipe.end()
      expect((await scan(new StreamSource('-', pipe))).texts.filter(text => text.length === 1)).toEqual(['a', 'b', 'c'])
    }
  })

  it('is believed of a block out of a pipe if a trailer vouches for it, whatever the block holds', async () => {
    const inner = makeBlock(['inner'])
    const payload = Buffer.concat([Buffer.alloc(500), inner, Buffer.alloc(12 * MIB, 'x'), inner])
    const pipe = new PassThrough()
    pipe.end(Buffer.concat([sound('a', 0), makeBlock([payload], { sequence: 1n }), sound('b', 2)]))
    expect(await scan(new StreamSource('-', pipe))).toEqual({ texts: ['a', `${payload.length} bytes`, 'b'], kinds: [] })
    const torn = new PassThrough()
    torn.end(Buffer.concat([sound('a', 0), makePlainBlock(['x', 'y'.repeat(2000)]).subarray(0, 1027)]))
    expect(await scan(new StreamSource('-', torn))).toEqual({ texts: ['a', 'x'], kinds: ['torn-tail'] })
  })

  it('anything, in any sector, hides no sound block (random headers)', async () => {
    const word = fc.oneof(fc.nat(5000), fc.nat(), fc.constantFrom(512, 4096, GIB, 2 ** 31, 0xffff_fff0))
    const junk = fc.array(fc.tuple(word, word, word), { maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.array(junk, { minLength: 1, maxLength: 6 }), async parts => {
        const names = parts.map((_, i) => `block ${i}`)
        const bytes = parts.flatMap((headers, i) => [...headers.map(header => claim(...header)), sound(names[i]!, i)])
        const all = Buffer.concat(bytes)
        const pipe = new PassThrough()
        pipe.end(all)
        for (const source of [new CountingSource(all), new StreamSource('-', pipe)]) {
          const { texts } = await scan(source)
          expect(texts.filter(text => text.startsWith('block'))).toEqual(names)
        }
      }),
      { numRuns: 400 }
    )
  })
})

describe('a file that grows', () => {
  it('has each sound block delivered once, whatever stands between them, however it is cut in time', async () => {
    const word = fc.oneof(fc.nat(5000), fc.nat(), fc.constantFrom(512, 4096, GIB, 2 ** 31, 0xffff_fff0))
    const part = fc.option(fc.tuple(word, word, word))
    const steps = fc.array(fc.integer({ min: 20, max: 1500 }), { minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 8 }), steps, async (parts, sizes) => {
        let count = 0
        const blocks = [...parts, null].map(header => (header ? claim(...header) : sound(`block ${count}`, count++)))
        const source = new CountingSource(Buffer.concat(blocks), 0)
        const scanner = new BlockScanner(source, { live: true })
        const texts: string[] = []
        for (let i = 0; texts.length < count && i < 1000; i++) {
          source.length = Math.min(blocks.length * 512, source.length + (sizes[i % sizes.length] ?? 0) + 1)
          for (let items = await scanner.next(); items !== null; items = await scanner.next()) {
            const entries: Entry[] = []
            for (const item of items) if (item.kind === 'block') collectEntries(item, entries)
            texts.push(...entries.map(entry => entry.text).filter(text => text.startsWith('block')))
          }
        }
        expect(texts).toEqual(Array.from({ length: count }, (_, i) => `block ${i}`))
      }),
      { numRuns: 500 }
    )
  })
})

describe('a file of many blocks of which', () => {
  const COUNT = 10_000
  const blocks = (make: (i: number) => Buffer) => Buffer.concat(Array.from({ length: COUNT }, (_, i) => make(i)))
  const damaged: [string, (i: number) => Buffer][] = [
    ['an entry', i => (i % 2 ? flip(sound(`${i}`, i), 12) : sound(`${i}`, i))],
    ['the trailer', i => (i % 2 ? flip(sound(`${i}`, i), 512 - 64) : sound(`${i}`, i))],
    ['the header', i => (i % 2 ? claim(GIB, GIB - 8) : sound(`${i}`, i))],
    ['the header is that of a large block', i => (i % 2 ? claim(9 * MIB, 8 * MIB + 600) : sound(`${i}`, i))],
    [
      'the header is that of the rest',
      i => (i % 2 ? claim(GIB, (COUNT - i + (i === COUNT - 1 ? 1 : 0)) * 512 - 8) : sound(`${i}`, i))
    ],
    ['all', i => (i % 2 ? Buffer.alloc(512, 'text\n') : sound(`${i}`, i))]
  ]

  function flip(block: Buffer, at: number): Buffer {
    block[at]! ^= 1
    return block
  }

  it.each(damaged)('every second one is damaged (%s) is read in linear time', async (_name, make) => {
    const bytes = blocks(make)
    const source = new CountingSource(bytes)
    const { texts, kinds } = await scan(source, { reuse: true })
    expect(texts).toHaveLength(COUNT / 2)
    expect(kinds.filter(kind => !kind.startsWith('sequence'))).toHaveLength(COUNT / 2)
    expect(source.bytesRead).toBeLessThan(8 * bytes.length)
    expect(source.reads).toBeLessThan(3 * COUNT)
  })

  it('all are damaged, or none has a trailer, is read in linear time', async () => {
    const allBad = new CountingSource(blocks(i => flip(sound(`${i}`, i), 12)))
    expect((await scan(allBad)).texts).toEqual([])
    const plain = new CountingSource(blocks(i => (i % 2 ? flip(makePlainBlock(['x']), 8) : makePlainBlock(['x']))))
    expect((await scan(plain)).texts).toHaveLength(COUNT / 2)
    for (const source of [allBad, plain]) expect(source.bytesRead).toBeLessThan(8 * COUNT * 512)
  })

  it('every second one is damaged comes out of a pipe as well', async () => {
    const pipe = new PassThrough()
    pipe.end(blocks(damaged[0]![1]))
    expect((await scan(new StreamSource('-', pipe))).texts).toHaveLength(COUNT / 2)
  })

  it('a sparse file is fill', async () => {
    const file = tempLog()
    fs.writeFileSync(file, sound('a', 0))
    fs.truncateSync(file, GIB / 4)
    fs.appendFileSync(file, sound('b', 1))
    expect(await verifyLog(file)).toMatchObject({ ok: true, entries: 2, fillBytes: GIB / 4 - 512 })
  })
})
