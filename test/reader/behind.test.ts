import fs from 'node:fs'
import { beforeEach, describe, expect, it } from 'vitest'
import { arenaPaths } from '../../lib/arena/locate'
import { type Damage, readLog, verifyLog } from '../../lib/reader'
import { tailStart } from '../../lib/reader/follow'
import { openSource } from '../../lib/reader/source'
import { makeArena } from '../support/make-arena'
import { lines, makeBlock, STREAM } from '../support/make-log'
import { record, SegmentWriter } from '../support/record-encoder'
import { tempLog } from '../support/temp'

const DEAD_PID = 2 ** 22 + 1
const GENERATION = 3n
let file: string

beforeEach(() => {
  file = tempLog()
})

/** The arena of a process that died while it was writing generation 3 at `base`. */
function dieWriting(base: number, content: number, payloads: readonly (string | Buffer)[]): void {
  const segments = [{ segment: 0, generation: GENERATION, payloads }]
  const fields = { logPath: file, content, stream: STREAM, written: GENERATION, ownerPid: DEAD_PID, segments }
  const arena = makeArena(fields)
  arena.writeUInt32LE(content, 116)
  arena.writeBigUInt64LE(GENERATION, 384)
  arena.writeBigUInt64LE(BigInt(base), 392)
  fs.writeFileSync(arenaPaths(file)[0]!, arena)
}

async function read() {
  const texts: string[] = []
  const damage: Damage[] = []
  for await (const { text } of readLog(file, { onDamage: found => damage.push(found) })) texts.push(text.trimEnd())
  return { texts, kinds: damage.map(found => found.kind) }
}

describe('behind the place where a process was writing when it was killed', () => {
  const fields = { generation: Number(GENERATION), segment: 0, sequence: 1n }
  const own = makeBlock(lines('own', 5), fields)
  const before = makeBlock(['before'])

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['its own block', own],
    ['half of its own block', own.subarray(0, 300)],
    ['zeros', Buffer.alloc(4096)]
  ])('in a log of blocks %s adds nothing', async (_name, behind) => {
    fs.writeFileSync(file, Buffer.concat([before, behind]))
    dieWriting(before.length, 0, lines('own', 5))
    expect(await read()).toEqual({ texts: ['before', ...lines('own', 5)], kinds: [] })
    expect(await verifyLog(file)).toMatchObject({ ok: true, entries: 1, arena: { entries: 5 } })
  })

  it('in a log of blocks, blocks of another program are shown, and its text reported', async () => {
    const other = makeBlock(['other'], { stream: 5n })
    const text = Buffer.alloc(512, 'text of another program\n')
    fs.writeFileSync(file, Buffer.concat([before, own, text, other]))
    dieWriting(before.length, 0, lines('own', 5))
    expect(await read()).toEqual({ texts: ['before', ...lines('own', 5), 'other'], kinds: ['foreign'] })
  })

  it.each([
    ['nothing', '', []],
    ['its own lines', '{"level":30,"time":1,"n":1}\n{"level":30,"time":2,"n":2}\n', []],
    ['half of a line', '{"level":30,"time":1,"n":1}\n{"level":30,"ti', []],
    ['a line but for its end', '{"level":30,"time":1,"n":1}\n{"level":30,"time":2,"n":2}', []],
    [
      'lines of another program',
      '{"level":30,"time":1,"n":1}\n{"other":1}\n{"other":2}\n',
      ['{"other":1}', '{"other":2}']
    ],
    ['a line twice', '{"level":30,"time":1,"n":1}\n{"level":30,"time":1,"n":1}\n', ['{"level":30,"time":1,"n":1}']]
  ])('in a log of lines %s', async (_name, behind, shown) => {
    const writer = new SegmentWriter()
    for (const n of [1, 2]) writer.log(n, { n })
    fs.writeFileSync(file, `{"before":1}\n${behind}`)
    dieWriting(13, 1, [...writer.payloads])
    const own = ['{"level":30,"time":1,"n":1}', '{"level":30,"time":2,"n":2}']
    expect(await read()).toEqual({ texts: ['{"before":1}', ...own, ...shown], kinds: [] })
    expect(await verifyLog(file)).toMatchObject({ ok: true, entries: 1 + shown.length, arena: { entries: 2 } })
  })

  it('a record that is damaged is damage of the log', async () => {
    fs.writeFileSync(file, '{"before":1}\n')
    dieWriting(13, 1, [record({ template: 77 })])
    expect(await read()).toEqual({ texts: ['{"before":1}'], kinds: ['bad-record'] })
    expect(await verifyLog(file)).toMatchObject({ ok: false, entries: 1, arena: { entries: 0, damagedRecords: 1 } })
  })
})

describe('behind the place where a process was writing when it was killed, followed', () => {
  /** The first `count` entries; more are taken for a while, since there should be none. */
  async function follow(count: number, then: () => void): Promise<string[]> {
    const stop = new AbortController()
    const texts: string[] = []
    for await (const { text } of readLog(file, { follow: true, signal: stop.signal })) {
      texts.push(text.trimEnd())
      if (texts.length === count) then()
      if (texts.at(-1) === 'the end') setTimeout(() => stop.abort(), 300)
    }
    return texts
  }

  it('lines of another program are shown, its own once, also when they are completed and the arena goes', async () => {
    const writer = new SegmentWriter()
    for (const n of [1, 2, 3]) writer.log(n, { n })
    const own = [1, 2, 3].map(n => `{"level":30,"time":${n},"n":${n}}`)
    fs.writeFileSync(file, `{"before":1}\n${own[0]}\n{"other":1}\n${own[1]!.slice(0, 9)}`)
    dieWriting(13, 1, [...writer.payloads])
    const texts = await follow(5, () => {
      fs.appendFileSync(file, `${own[1]!.slice(9)}\n${own[2]}\n`)
      fs.rmSync(arenaPaths(file)[0]!)
      setTimeout(() => fs.appendFileSync(file, 'the end\n'), 200)
    })
    expect(texts).toEqual(['{"before":1}', ...own, '{"other":1}', 'the end'])
  })

  it('blocks of another program are shown, its own once, also when it is completed and the arena goes', async () => {
    const own = makeBlock(lines('own', 60), { generation: Number(GENERATION), segment: 0, sequence: 1n })
    const before = makeBlock(['before'])
    fs.writeFileSync(file, Buffer.concat([before, makeBlock(['other'], { stream: 5n }), own.subarray(0, 700)]))
    dieWriting(before.length, 0, lines('own', 60))
    const texts = await follow(62, () => {
      fs.appendFileSync(file, own.subarray(700))
      fs.rmSync(arenaPaths(file)[0]!)
      setTimeout(() => fs.appendFileSync(file, makeBlock(['the end'], { stream: 6n })), 200)
    })
    expect(texts).toEqual(['before', ...lines('own', 60), 'other', 'the end'])
  })
})

describe('the end of a log', () => {
  it('is found behind a torn block, text, fill and what only looks like a trailer', async () => {
    const blocks = Array.from({ length: 3000 }, (_, i) => makeBlock(lines(`b${i}`, 20), { sequence: BigInt(i) }))
    const looksLike = Buffer.alloc(512, 'x')
    blocks[0]!.copy(looksLike, 448, blocks[0]!.length - 64)
    looksLike.writeUInt32LE(1024, 504)
    const ends = [
      Buffer.alloc(0),
      makeBlock([Buffer.alloc(5000)]).subarray(0, 1500),
      Buffer.alloc(700, 'text\n'),
      looksLike,
      Buffer.alloc(2048)
    ]
    for (const end of ends) {
      const bytes = Buffer.concat([...blocks, end])
      fs.writeFileSync(file, bytes)
      const source = await openSource({ path: file })
      expect(await tailStart(source, 40, 'shard')).toBe(2998 * 512)
      expect(await tailStart(source, 50_000, 'shard')).toBe(500 * 512)
      await source.close()
    }
  })
})
