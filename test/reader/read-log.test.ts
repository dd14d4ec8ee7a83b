import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { PassThrough } from 'node:stream'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Damage, type ReadOptions, readLog, recoverLog, verifyLog } from '../../lib/reader'
import { tailStart } from '../../lib/reader/follow'
import { scanSource } from '../../lib/reader/scan-log'
import { openSource, StreamSource } from '../../lib/reader/source'
import { lines, makeBlock, makePlainBlock } from '../support/make-log'
import fc from '../support/random'

let folder: string
let file: string

beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-read-'))
  file = path.join(folder, 'a.log')
})

afterEach(() => {
  fs.rmSync(folder, { recursive: true })
})

async function read(paths: string | string[], options: ReadOptions = {}) {
  const texts: string[] = []
  const damage: Damage[] = []
  for await (const entry of readLog(paths, { onDamage: found => damage.push(found), ...options }))
    texts.push(entry.text)
  return { texts, damage, kinds: damage.map(found => found.kind) }
}

const blocks = (count: number, size = 20) =>
  Array.from({ length: count }, (_, i) => makeBlock(lines(`b${i}`, size), { sequence: BigInt(i) }))

describe('readLog', () => {
  it('tells of each entry its bytes, text, offset and block', async () => {
    fs.writeFileSync(file, Buffer.concat([makeBlock(['α', 'b\n']), makeBlock(['c'], { sequence: 1n, producer: 9 })]))
    const entries = []
    for await (const entry of readLog(file)) entries.push(entry)
    expect(entries.map(entry => entry.text)).toEqual(['α', 'b\n', 'c'])
    expect(entries.map(entry => entry.length)).toEqual([2, 2, 1])
    expect(entries.map(entry => entry.offset)).toEqual([12, 18, 524])
    expect(fs.readFileSync(file).subarray(524, 525).toString()).toBe('c')
    const { block } = entries[2]!
    expect(block).toMatchObject({ path: file, offset: 512, source: 'file', entries: 1, producer: 9, sequence: 1n })
    expect(`${entries[0]}`).toBe('α')
  })

  it('gives the same entries in batches, and again at each iteration', async () => {
    fs.writeFileSync(file, Buffer.concat(blocks(50)))
    const log = readLog(file)
    const batched: string[] = []
    for await (const batch of log.batches()) batched.push(...batch.map(entry => entry.text))
    const single: string[] = []
    for await (const entry of log) single.push(entry.text)
    expect(batched).toHaveLength(1000)
    expect(single).toEqual(batched)
  })

  it('can be left early, and lets go of the file', async () => {
    fs.writeFileSync(file, Buffer.concat(blocks(50)))
    for await (const entry of readLog(file)) {
      expect(entry.text).toBe('b0 0')
      break
    }
    const open = fs.readdirSync('/proc/self/fd').map(fd => {
      try {
        return fs.readlinkSync(`/proc/self/fd/${fd}`)
      } catch {
        // The descriptor of the listing itself is closed by now.
        return ''
      }
    })
    expect(open).not.toContain(file)
  })

  it('reads files of many chunks, blocks over their seams and blocks larger than one', async () => {
    const sizes = [10, 3_000_000, 70_000, 9_000_000, 511, 512, 4_194_304, 1]
    const payloads = sizes.map((size, i) => Buffer.alloc(size, 97 + i))
    const parts = payloads.map((payload, i) => makeBlock([payload, `end ${i}`], { sequence: BigInt(i) }))
    fs.writeFileSync(file, Buffer.concat(parts))
    let i = 0
    for await (const entry of readLog(file, { strict: true })) {
      if (i % 2 === 0) expect(entry.bytes.equals(payloads[i / 2]!)).toBe(true)
      else expect(entry.text).toBe(`end ${(i - 1) / 2}`)
      i++
    }
    expect(i).toBe(2 * sizes.length)
    expect((await verifyLog(file)).ok).toBe(true)
  })

  it('throws with strict at the first damage, after what was whole', async () => {
    const bytes = Buffer.concat(blocks(3))
    bytes[600]! ^= 1
    fs.writeFileSync(file, bytes)
    const texts: string[] = []
    const reading = (async () => {
      for await (const entry of readLog(file, { strict: true })) texts.push(entry.text)
    })()
    await expect(reading).rejects.toMatchObject({
      code: 'ERR_SHARDLOG_CORRUPT',
      path: file,
      cause: { kind: 'bad-trailer' }
    })
    expect(texts).toEqual(lines('b0', 20))
  })

  it('delivers a block with a bad checksum only if asked to', async () => {
    const bytes = Buffer.concat(blocks(3))
    bytes[512 + 8 + 4]! ^= 1
    fs.writeFileSync(file, bytes)
    expect((await read(file)).texts).toEqual([...lines('b0', 20), ...lines('b2', 20)])
    const salvaged = await read(file, { salvage: true })
    expect(salvaged.texts.slice(21, 40)).toEqual(lines('b1', 20).slice(1))
    expect(salvaged.kinds).toContain('bad-trailer')
  })

  it('names a file that is missing or a directory', async () => {
    await expect(read(path.join(folder, 'none'))).rejects.toMatchObject({ code: 'ERR_SHARDLOG_READ', errno: 'ENOENT' })
    await expect(read(folder)).rejects.toMatchObject({ code: 'ERR_SHARDLOG_READ', errno: 'EISDIR' })
  })

  it('refuses wrong options by name', () => {
    const wrong = (options: object) => () => readLog(file, options)
    expect(wrong({ folow: true })).toThrow(/no option folow; did you mean follow/)
    expect(wrong({ order: 'name' })).toThrow(/order must be 'file' or 'time', not name/)
    expect(wrong({ strict: 1 })).toThrow(/strict must be a boolean, not 1/)
    expect(wrong({ signal: {} })).toThrow(/AbortSignal/)
    expect(() => readLog([])).toThrow(/needs the path/)
  })

  it('takes paths as fs does, and says what it was given instead', async () => {
    const odd = path.join(folder, 'a b%.log')
    fs.writeFileSync(odd, makeBlock(['a']))
    const url = pathToFileURL(odd)
    const texts: string[] = []
    for await (const entry of readLog([url, odd])) texts.push(entry.text)
    expect(texts).toEqual(['a', 'a'])
    expect(await verifyLog(url)).toMatchObject({ path: odd, entries: 1 })
    expect(await recoverLog(url)).toMatchObject({ path: odd, entries: 0, arenas: [], asides: [] })
    const wrong = expect.objectContaining({ code: 'ERR_SHARDLOG_CONFIG' })
    for (const given of [undefined, null, 5, '', 'a\0b', {}, new URL('http://localhost/a.log')]) {
      expect(() => readLog(given as string)).toThrow(wrong)
      expect(() => readLog([odd, given as string])).toThrow(wrong)
      await expect(verifyLog(given as string)).rejects.toEqual(wrong)
      await expect(recoverLog(given as string)).rejects.toEqual(wrong)
    }
    expect(() => readLog(odd, null as unknown as ReadOptions)).toThrow(wrong)
    expect(() => (readLog as unknown as () => void)()).toThrow(/readLog needs the path of a log.* not undefined/)
  })

  it('reads several files one after the other, or by time', async () => {
    const other = path.join(folder, 'b.log')
    const at = (firstTime: bigint, sequence: bigint, generation = Number(sequence)) => ({
      firstTime,
      lastTime: firstTime + 1n,
      sequence,
      generation
    })
    fs.writeFileSync(file, Buffer.concat([makeBlock(['a1'], at(10n, 0n)), makeBlock(['a2'], at(30n, 1n))]))
    const overlapping = [
      makeBlock(['b2'], at(20n, 0n, 0)),
      makeBlock(['b1'], at(5n, 1n, 0)),
      makeBlock(['b3'], at(40n, 2n, 1))
    ]
    fs.writeFileSync(other, Buffer.concat(overlapping))
    expect((await read([file, other])).texts).toEqual(['a1', 'a2', 'b2', 'b1', 'b3'])
    expect((await read([file, other], { order: 'time' })).texts).toEqual(['b1', 'a1', 'b2', 'a2', 'b3'])
  })

  it('reads a pipe, damage included, as it reads a file', async () => {
    const text = Buffer.alloc(2048, 'some text of another program\n')
    const bytes = Buffer.concat([...blocks(40), text, makeBlock(['last'], { sequence: 40n })])
    bytes[512 * 3 + 50]! ^= 4
    fs.writeFileSync(file, bytes)
    const fromFile = await read(file)
    const pipe = new PassThrough()
    const texts: string[] = []
    const kinds: string[] = []
    for (let at = 0; at < bytes.length; at += 777) pipe.write(bytes.subarray(at, at + 777))
    pipe.end()
    for await (const items of scanSource(new StreamSource('-', pipe))) {
      for (const item of items) {
        if (item.kind === 'damage') kinds.push(item.damage.kind)
        if (item.kind === 'block') texts.push(item.data.toString('latin1', item.start, item.end))
      }
    }
    expect(kinds).toEqual(fromFile.kinds)
    expect(texts).toHaveLength(40)
    expect(texts.at(-1)).toContain('last')
  })

  it('reads a named pipe by its path', async () => {
    const fifo = path.join(folder, 'fifo')
    expect(spawnSync('mkfifo', [fifo]).status).toBe(0)
    const reading = read(fifo)
    await fs.promises.writeFile(fifo, Buffer.concat(blocks(3)))
    expect((await reading).texts).toHaveLength(60)
  })
})

describe('the iterator of readLog', () => {
  it('gives entries in order to calls that do not wait for each other, and ends once and for all', async () => {
    fs.writeFileSync(file, Buffer.concat([makeBlock(lines('a', 3)), makeBlock(lines('b', 3), { sequence: 1n })]))
    const iterator = readLog(file)[Symbol.asyncIterator]()
    const steps = await Promise.all(Array.from({ length: 9 }, () => iterator.next()))
    expect(steps.map(step => step.value?.text)).toEqual([
      ...lines('a', 3),
      ...lines('b', 3),
      undefined,
      undefined,
      undefined
    ])
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  it('closes the file when it is left, and when it throws', async () => {
    const descriptors = () => fs.readdirSync('/proc/self/fd').length
    const bad = makeBlock(['c'], { sequence: 2n })
    bad[12]! ^= 1
    fs.writeFileSync(file, Buffer.concat([makeBlock(lines('a', 3)), makeBlock(['b'], { sequence: 1n }), bad]))
    const before = descriptors()
    for await (const entry of readLog(file)) {
      expect(entry.text).toBe('a 0')
      break
    }
    await expect(read(file, { strict: true })).rejects.toMatchObject({ code: 'ERR_SHARDLOG_CORRUPT' })
    expect(descriptors()).toBe(before)
  })
})

describe('damage (1.3)', () => {
  it('D3: an embedded log in a payload is not taken for blocks', async () => {
    const inner = makeBlock(['inner'])
    const payload = Buffer.concat([Buffer.alloc(500), inner, inner])
    const bytes = Buffer.concat([makeBlock([payload]), makeBlock(['next'], { sequence: 1n })])
    bytes[20]! ^= 1
    fs.writeFileSync(file, bytes)
    expect((await read(file)).texts).toEqual(['next'])
  })

  it('a header that claims gigabytes costs neither memory nor the blocks behind it', async () => {
    const bytes = Buffer.concat([makeBlock(['a']), makePlainBlock(['x']), makeBlock(['b'], { sequence: 1n })])
    bytes.writeUInt32LE(0xffff_fff0, 512)
    bytes.writeUInt32LE(0xfff0_0000, 516)
    fs.writeFileSync(file, bytes)
    fs.truncateSync(file, 2 ** 33)
    const fd = fs.openSync(file, 'r+')
    fs.writeSync(fd, bytes)
    fs.closeSync(fd)
    fs.truncateSync(file, bytes.length)
    const { texts, kinds } = await read(file)
    expect(texts).toEqual(['a', 'b'])
    expect(kinds).toEqual(['bad-header'])
  })

  it('a sector of junk that looks like a header does not hide the last block', async () => {
    const junk = Buffer.alloc(512)
    junk.writeUInt32LE(0x0100_0000)
    junk.writeUInt32LE(512, 4)
    fs.writeFileSync(file, Buffer.concat([makeBlock(['a']), junk, makeBlock(['b'], { sequence: 1n })]))
    const { texts, damage } = await read(file)
    expect(texts).toEqual(['a', 'b'])
    expect(damage).toMatchObject([{ kind: 'bad-trailer', offset: 512, length: 512 }])
  })

  it('any bytes at all are read without an error', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 3000 }), fc.boolean(), async (junk, aligned) => {
        const padding = aligned ? Buffer.alloc((512 - (junk.length % 512)) % 512) : Buffer.alloc(0)
        fs.writeFileSync(file, Buffer.concat([makeBlock(['a']), junk, padding, makeBlock(['b'], { sequence: 1n })]))
        const { texts } = await read(file)
        expect(texts[0]).toBe('a')
        if (aligned) expect(texts.at(-1)).toBe('b')
      }),
      { numRuns: 150 }
    )
  })

  it('a flipped bit in any block with a trailer is always reported, and what is delivered is true', async () => {
    const payloads = fc.array(fc.uint8Array({ minLength: 1, maxLength: 700 }), { minLength: 1, maxLength: 6 })
    const log = fc.array(payloads, { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(log, fc.nat(), fc.nat(7), async (parts, where, bit) => {
        const made = parts.map((part, i) => makeBlock(part.map(Buffer.from), { sequence: BigInt(i) }))
        const bytes = Buffer.concat(made)
        const at = where % bytes.length
        bytes[at]! ^= 1 << bit
        fs.writeFileSync(file, bytes)
        const report = await verifyLog(file)
        expect(report.ok).toBe(false)
        expect(report.damageCount).toBeGreaterThan(0)
        const sound = new Set(parts.flat().map(part => Buffer.from(part).toString('hex')))
        for await (const entry of readLog(file)) expect(sound.has(entry.bytes.toString('hex'))).toBe(true)
      }),
      { numRuns: 300 }
    )
  }, 240_000)

  it('a file cut at any byte delivers whole entries only, in order, and says so', async () => {
    const bytes = Buffer.concat([makeBlock(lines('a', 5)), makeBlock([Buffer.alloc(500, 'x')], { sequence: 1n })])
    const all = [...lines('a', 5), 'x'.repeat(500)]
    for (let size = 0; size < bytes.length; size += 3) {
      fs.writeFileSync(file, bytes.subarray(0, size))
      const { texts, kinds } = await read(file)
      expect(texts).toEqual(all.slice(0, texts.length))
      const rest = bytes.subarray(size - (size % 512), size)
      if (rest.some(byte => byte !== 0)) expect(kinds.length).toBeGreaterThan(0)
    }
  })
})

describe('verifyLog', () => {
  it('adds up blocks, entries, bytes, streams, fill and times', async () => {
    const parts = [
      makeBlock(lines('a', 3)),
      Buffer.alloc(1024),
      makeBlock(['b'], { sequence: 1n, producer: 2, flags: 2 })
    ]
    fs.writeFileSync(file, Buffer.concat([...parts, makeBlock(['c'], { stream: 5n })]))
    const seen: number[] = []
    const report = await verifyLog(file, { onProgress: progress => seen.push(progress.bytes) })
    expect(report).toMatchObject({
      path: file,
      ok: true,
      bytes: 2560,
      blocks: 3,
      entries: 5,
      payloadBytes: 11,
      checkedBlocks: 3,
      uncheckedBlocks: 0,
      recoveredBlocks: 1,
      fillBytes: 1024,
      damagedBytes: 0,
      firstTime: 1000n,
      lastTime: 2001n,
      producers: 3,
      damage: []
    })
    expect(report.streams.map(({ stream, first, last }) => [stream, first, last])).toEqual([
      [0xabcdn, 0n, 1n],
      [5n, 0n, 0n]
    ])
    expect(seen.at(-1)).toBe(2560)
  })

  it('lists holes and repetitions by stream', async () => {
    const sequence = [0n, 1n, 4n, 4n]
    fs.writeFileSync(file, Buffer.concat(sequence.map(n => makeBlock(['x'], { sequence: n }))))
    const report = await verifyLog(file)
    expect(report.streams[0]).toMatchObject({ first: 0n, last: 4n, blocks: 4, holes: 1, repetitions: 1 })
    expect(report.damage.map(found => [found.kind, found.offset])).toEqual([
      ['sequence-hole', 1024],
      ['sequence-repeat', 1536]
    ])
    expect(report.damage[0]?.message).toMatch(/blocks 2 to 3 of stream abcd are missing/)
  })
})

describe('tailStart', () => {
  it('finds a block boundary with enough entries behind it, without reading the file from its start', async () => {
    fs.writeFileSync(file, Buffer.concat([...blocks(10), Buffer.alloc(1024)]))
    const source = await openSource({ path: file })
    expect(await tailStart(source, 0, 'shard')).toBe(10 * 512 + 1024)
    expect(await tailStart(source, 20, 'shard')).toBe(9 * 512)
    expect(await tailStart(source, 21, 'shard')).toBe(8 * 512)
    expect(await tailStart(source, 10_000, 'shard')).toBe(0)
    await source.close()
  })

  it('falls back to the start where there are no trailers', async () => {
    fs.writeFileSync(file, Buffer.concat([makePlainBlock(['a']), makePlainBlock(['b'])]))
    const source = await openSource({ path: file })
    expect(await tailStart(source, 1, 'shard')).toBe(0)
    await source.close()
  })
})
