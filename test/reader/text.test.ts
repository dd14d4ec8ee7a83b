import fs from 'node:fs'
import path from 'node:path'
import { Readable } from 'node:stream'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Damage, type ReadOptions, readLog, verifyLog } from '../../lib/reader'
import { tailStart } from '../../lib/reader/follow'
import { collectEntries, type Entry } from '../../lib/reader/items'
import { scanSource } from '../../lib/reader/scan-log'
import { FileSource, StreamSource } from '../../lib/reader/source'
import { makeBlock } from '../support/make-log'
import fc from '../support/random'
import { tempDir } from '../support/temp'

const LONGEST = 64 * 1024 * 1024
let file: string

beforeEach(() => {
  file = path.join(tempDir(), 'app.log')
})

async function read(options: ReadOptions = {}, paths: string | string[] = file) {
  const damage: Damage[] = []
  const entries: Entry[] = []
  const onDamage = (found: Damage) => damage.push(found)
  for await (const entry of readLog(paths, { ...options, onDamage })) entries.push(entry)
  return { damage, entries, texts: entries.map(entry => entry.bytes.toString('latin1')) }
}

const json = (i: number) => `{"level":30,"time":${1_700_000_000_000 + i},"i":${i},"msg":"m"}\n`

/** A file of `parts`: bytes, or numbers of NUL bytes that take no space. */
function writeParts(...parts: (string | number)[]): void {
  const fd = fs.openSync(file, 'w')
  let at = 0
  for (const part of parts) {
    if (typeof part === 'string') at += fs.writeSync(fd, part, at)
    else at += part
    fs.ftruncateSync(fd, at)
  }
  fs.closeSync(fd)
}

describe('what a file is', () => {
  const formats: [string, string | Buffer, 'ndjson' | 'shard' | null][] = [
    ['empty', '', null],
    ['lines of JSON', json(0), 'ndjson'],
    ['the beginning of a line', '{', 'ndjson'],
    ['lines of any text', 'Server listening\n', 'ndjson'],
    ['coloured text', '\x1b[32mINFO\x1b[39m\n', 'ndjson'],
    ['an empty first line', '\n{}\n', 'ndjson'],
    ['NUL bytes in front of text', `${'\0'.repeat(700)}${json(0)}`, 'ndjson'],
    ['a block', makeBlock(['a']), 'shard'],
    ['a block of text', makeBlock([json(0)]), 'shard'],
    ['zeros', Buffer.alloc(2048), 'shard'],
    ['fill in front of a block', Buffer.concat([Buffer.alloc(1024), makeBlock(['a'])]), 'shard'],
    ['text in front of a block', Buffer.concat([Buffer.alloc(512, 'text'), makeBlock(['a'])]), 'shard'],
    ['a block cut off', makeBlock(['x'.repeat(5000)]).subarray(0, 2000), 'shard'],
    ['fewer bytes than a header', makeBlock(['a']).subarray(0, 7), null]
  ]

  it.each(formats)('%s', async (_, bytes, format) => {
    fs.writeFileSync(file, bytes)
    expect((await verifyLog(file)).format).toBe(format)
  })

  it('neither blocks nor text is an error, unless it is told which', async () => {
    fs.writeFileSync(file, Buffer.from('1f9d0800000000000003cbcf', 'hex'))
    const follow = () => read({ follow: true })
    const byTime = () => read({ order: 'time' })
    for (const reading of [read, follow, byTime, () => verifyLog(file)]) {
      await expect(reading()).rejects.toMatchObject({ code: 'ERR_SHARDLOG_FORMAT', path: file })
    }
    expect((await read({ format: 'ndjson' })).entries).toHaveLength(1)
    expect((await read({ format: 'shard' })).damage).toHaveLength(1)
  })

  it('refuses other names of formats', async () => {
    expect(() => readLog(file, { format: 'json' as 'ndjson' })).toThrow(
      expect.objectContaining({ code: 'ERR_SHARDLOG_CONFIG', message: expect.stringContaining("'ndjson'") })
    )
    await expect(verifyLog(file, { format: 'json' as 'ndjson' })).rejects.toMatchObject({ code: 'ERR_SHARDLOG_CONFIG' })
  })
})

describe('readLog of a text', () => {
  it('gives lines as they stand, newline included, with their places', async () => {
    const texts = [json(0), '\n', '{"a":"\r"}\r\n', '{"nul":"\0"}\n', 'caf\xe9\n', 'no json\n', '{"last":1}']
    fs.writeFileSync(file, Buffer.from(texts.join(''), 'latin1'))
    const found = await read()
    expect(found.texts).toEqual(texts)
    expect(found.damage).toEqual([])
    const offsets = texts.map((_, i) => texts.slice(0, i).join('').length)
    expect(found.entries.map(entry => entry.offset)).toEqual(offsets)
    expect(found.entries[0]!.block).toMatchObject({ path: file, source: 'file', entries: texts.length - 1 })
  })

  it('does not deliver a last line that is cut off, unless it is to salvage, and says so', async () => {
    fs.writeFileSync(file, `${json(0)}{"level":30,"ti`)
    const found = await read()
    expect(found.texts).toEqual([json(0)])
    expect(found.damage).toMatchObject([{ kind: 'torn-tail', offset: json(0).length, length: 15 }])
    expect((await read({ salvage: true })).texts).toEqual([json(0), '{"level":30,"ti'])
    await expect(read({ strict: true })).rejects.toMatchObject({ code: 'ERR_SHARDLOG_CORRUPT' })
  })

  it.each(['{"a":1}', '[10:00:00] of a text that is no JSON', ''])(
    'delivers a whole last line without newline: %s',
    async last => {
      fs.writeFileSync(file, json(0) + last)
      const { texts, damage } = await read()
      expect(texts).toEqual([json(0), last].filter(text => text !== ''))
      expect(damage).toEqual([])
    }
  )

  it('gives the same lines wherever chunks end', async () => {
    const lines = Array.from({ length: 4000 }, (_, i) => `${i} ${'x'.repeat((i * 7919) % 6000)}\n`)
    lines.splice(2000, 0, `${'y'.repeat(9_000_000)}\n`)
    fs.writeFileSync(file, lines.join(''))
    const { texts } = await read()
    expect(texts.length).toBe(lines.length)
    expect(texts.findIndex((text, i) => text !== lines[i])).toBe(-1)
  })

  it('gives the same lines out of a pipe however it comes', async () => {
    const pieces = fc.array(fc.oneof(fc.constant('\n'), fc.string({ unit: 'binary', minLength: 1 })), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(pieces, async parts => {
        const chunks = parts.map(part => Buffer.from(part))
        const bytes = Buffer.concat(chunks)
        const source = new StreamSource('-', Readable.from(chunks))
        const entries: Entry[] = []
        for await (const items of scanSource(source, { format: 'ndjson', salvage: true })) {
          for (const item of items) if (item.kind === 'lines') collectEntries(item, entries)
        }
        expect(Buffer.concat(entries.map(entry => entry.bytes)).equals(bytes)).toBe(true)
        expect(entries.slice(0, -1).every(({ text }) => text.indexOf('\n') === text.length - 1)).toBe(true)
      }),
      { numRuns: 300 }
    )
  })

  it('steps over lines of more than 64 MiB, and takes those of as many', async () => {
    writeParts(json(0), LONGEST - 1, '\n', LONGEST, '\n', json(1), LONGEST + 1)
    const { texts, damage } = await read()
    expect(texts.map(text => text.length)).toEqual([json(0).length, LONGEST, json(1).length])
    const first = json(0).length + LONGEST
    expect(damage).toMatchObject([
      { kind: 'long-line', offset: first, length: LONGEST + 1 },
      { kind: 'long-line', offset: first + LONGEST + 1 + json(1).length, length: LONGEST + 1 }
    ])
  })

  it('merges files by the time that their lines tell, each in its own order', async () => {
    const other = `${file}.2`
    const at = (ms: number | string, name: string) => `${JSON.stringify({ time: ms, name })}\n`
    fs.writeFileSync(file, [at(1000, 'a'), 'no time\n', at(4000, 'b'), at(2000, 'set back')].join(''))
    fs.writeFileSync(other, [at('1970-01-01T00:00:02.000Z', 'c'), at(3000, 'd'), at(5000, 'e')].join(''))
    const { texts } = await read({ order: 'time' }, [file, other])
    const names = texts.map(text => (text.startsWith('{') ? JSON.parse(text).name : text.trim()))
    expect(names).toEqual(['a', 'no time', 'c', 'd', 'b', 'set back', 'e'])
  })
})

describe('verifyLog of a text', () => {
  it('counts lines, bytes, and the times that they tell', async () => {
    const text = `${json(0)}${json(5)}{"time":"2001-09-09T01:46:40.000Z"}\r\n[1]\n"s"`
    fs.writeFileSync(file, text)
    expect(await verifyLog(file)).toMatchObject({
      format: 'ndjson',
      ok: true,
      bytes: text.length,
      blocks: 0,
      entries: 5,
      payloadBytes: text.length,
      firstTime: 1_000_000_000_000_000_000n,
      lastTime: 1_700_000_000_005_000_000n,
      damageCount: 0
    })
  })

  it('names each line that is no JSON, with its place', async () => {
    const parts = [json(0), 'no json\n', '\n', '{"a":"\0"}\n', '{"a":"\xff"}\n', json(1), '{"torn":']
    fs.writeFileSync(file, Buffer.from(parts.join(''), 'latin1'))
    const report = await verifyLog(file)
    expect(report).toMatchObject({ ok: false, entries: 6, damageCount: 5 })
    const place = (i: number) => ({ offset: parts.slice(0, i).join('').length, length: parts[i]!.length })
    expect(report.damage).toMatchObject([
      { kind: 'bad-line', ...place(1), message: expect.stringContaining('no JSON') },
      { kind: 'bad-line', ...place(2), message: expect.stringContaining('empty') },
      { kind: 'bad-line', ...place(3), message: expect.stringContaining('NUL') },
      { kind: 'bad-line', ...place(4), message: expect.stringContaining('UTF-8') },
      { kind: 'torn-tail', ...place(6) }
    ])
    await expect(verifyLog(file, { strict: true })).rejects.toMatchObject({ code: 'ERR_SHARDLOG_CORRUPT' })
  })

  it('reports as many lines of damage as a person can read, and counts the others', async () => {
    fs.writeFileSync(file, 'no json\n'.repeat(2500))
    const report = await verifyLog(file)
    expect(report.damage).toHaveLength(1000)
    expect(report).toMatchObject({ damageCount: 2500, damagedBytes: 20_000 })
  })
})

describe('tailStart of a text', () => {
  it('finds the last lines from the end of the file', async () => {
    const text = Array.from({ length: 100 }, (_, i) => `${i} ${'x'.repeat(i * 50)}\n`).join('')
    for (const rest of ['', 'half']) {
      fs.writeFileSync(file, text + rest)
      const source = await FileSource.open({ path: file })
      for (const lines of [0, 1, 7, 99, 100, 1000]) {
        const start = await tailStart(source, lines, 'ndjson')
        const found = fs.readFileSync(file, 'utf8').slice(start)
        expect(found.split('\n').length - 1).toBe(Math.min(lines, 100))
        expect(start === 0 || text[start - 1] === '\n').toBe(true)
      }
      await source.close()
    }
  })
})
