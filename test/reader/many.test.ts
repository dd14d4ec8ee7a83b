import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { readLog, verifyLog } from '../../lib/reader'
import { scanByTime } from '../../lib/reader/scan-log'
import { makeBlock } from '../support/make-log'
import { packageRoot } from '../support/shardlog'
import { tempLog } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
/** An object for each line of the texts below would not find room in such a heap. */
const SMALL_HEAP = '--max-old-space-size=48'

function small(...args: string[]) {
  const result = spawnSync(process.execPath, [SMALL_HEAP, main, ...args], { timeout: 50_000, maxBuffer: 1 << 28 })
  return { code: result.status, out: result.stdout, err: result.stderr.toString() }
}

describe('a text of very many lines', () => {
  it.each([
    ['empty ones', '\n', 3_000_000],
    ['what only begins as JSON', '{\n', 2_000_000],
    ['NULs', '\0\n', 2_000_000],
    ['broken UTF-8', Buffer.from([0x22, 0xff, 0x22, 0x0a]), 1_000_000]
  ])('is verified in a small heap, the first thousand findings listed: %s', (_name, line, count) => {
    const file = tempLog()
    const bytes = Buffer.alloc(count * Buffer.from(line).length, line)
    fs.writeFileSync(file, bytes)
    const { code, out } = small('verify', '--json', '--format', 'ndjson', file)
    expect(code).toBe(1)
    const report = JSON.parse(out.toString())
    expect(report).toMatchObject({ entries: count, damageCount: count, damagedBytes: bytes.length, ok: false })
    expect(report.damage).toHaveLength(1000)
    expect(report.damage[999]).toMatchObject({ kind: 'bad-line', offset: 999 * Buffer.from(line).length })
  })

  it('is printed in every way in a small heap', () => {
    const file = tempLog()
    fs.writeFileSync(file, '5\n'.repeat(1_000_000))
    expect(small('cat', '--pretty', file).out.length).toBe(2_000_000)
    expect(small('cat', '--order', 'time', file).out.length).toBe(2_000_000)
    expect(small('tail', '-n', '100000', file).out.length).toBe(200_000)
    expect(small('cat', '--json', file).out.subarray(-30).toString()).toMatch(/"text":"5\\n"\}\n$/)
  })

  it('comes in batches of some thousand entries, as do blocks of tiny entries', async () => {
    const file = tempLog()
    const tiny = makeBlock(Array.from({ length: 50_000 }, () => 'x'))
    for (const bytes of [Buffer.alloc(200_000, 'x\n'), Buffer.concat([tiny, tiny])]) {
      fs.writeFileSync(file, bytes)
      let count = 0
      for await (const batch of readLog(file).batches()) {
        expect(batch.length).toBeLessThan(20_000)
        for (const entry of batch) if (entry.text.trimEnd() === 'x') count++
      }
      expect(count).toBe(100_000)
    }
  })

  it('of garbage of any kind is told in bounded memory', async () => {
    const file = tempLog()
    fs.writeFileSync(file, Buffer.alloc(3_000_000, Buffer.from([0xff, 0x0a, 0x00, 0x80])))
    const report = await verifyLog(file, { format: 'ndjson' })
    expect(report.damage).toHaveLength(1000)
    expect(report.damageCount).toBe(report.entries)
  })
})

describe('very many blocks', () => {
  const COUNT = 20_000

  function writeBlocks(file: string, stream: (i: number) => bigint): void {
    const blocks = Array.from({ length: COUNT }, (_, i) => {
      // Eight of a generation, of which the later ones stand first.
      const firstTime = BigInt(i ^ 7)
      return makeBlock([`${i ^ 7}`], { sequence: BigInt(i), generation: i >> 3, firstTime, stream: stream(i) })
    })
    fs.writeFileSync(file, Buffer.concat(blocks))
  }

  it('are merged by time in few batches, in order', async () => {
    const file = tempLog()
    writeBlocks(file, () => 1n)
    fs.copyFileSync(file, `${file}2`)
    let batches = 0
    for await (const items of scanByTime([{ path: file }, { path: `${file}2` }], {}))
      batches += items.length > 0 ? 1 : 0
    expect(batches).toBeLessThan(30)
    const printed = small('cat', '--order', 'time', file, `${file}2`).out.toString()
    expect(printed).toBe(Array.from({ length: COUNT }, (_, i) => `${i}\n${i}\n`).join(''))
  })

  it('each of a stream of its own are verified, the last thousand streams listed', async () => {
    const file = tempLog()
    writeBlocks(file, i => BigInt(i + 1))
    const report = await verifyLog(file)
    expect(report).toMatchObject({ blocks: COUNT, entries: COUNT, producers: COUNT })
    expect(report.streams).toHaveLength(1000)
    expect(report.streams.at(-1)?.stream).toBe(BigInt(COUNT))
    expect(report.damage).toHaveLength(1000)
  })
})
