import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Damage, readLog, verifyLog } from '../../lib/public'
import { makeBlock } from '../support/make-log'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')

let directory: string

beforeEach(() => {
  directory = tempDir()
})

const line = (i: number): string => `{"level":30,"time":${1_764_419_926_000 + i},"msg":"line ${i}"}\n`
const text = (from: number, to: number): string => Array.from({ length: to - from }, (_, i) => line(from + i)).join('')

function write(name: string, bytes: Buffer): string {
  const file = path.join(directory, name)
  fs.writeFileSync(file, bytes)
  return file
}

function shardlog(args: string[], input?: Buffer) {
  const options = { encoding: 'utf8', maxBuffer: 1 << 28 } as const
  return spawnSync(process.execPath, [main, ...args], input === undefined ? options : { ...options, input })
}

async function read(file: string): Promise<{ text: string; damage: Damage[] }> {
  const damage: Damage[] = []
  let all = ''
  for await (const entry of readLog(file, { onDamage: one => damage.push(one) })) all += entry.text
  return { text: all, damage }
}

describe('a gzipped log', () => {
  it('is read by its content, whatever it is called, all its members', async () => {
    const file = write('app.log', Buffer.concat([gzipSync(text(0, 1000)), gzipSync(''), gzipSync(text(1000, 1010))]))
    expect(await read(file)).toEqual({ text: text(0, 1010), damage: [] })
    expect(await verifyLog(file)).toMatchObject({ ok: true, format: 'ndjson', entries: 1010 })
    expect(shardlog(['cat', file])).toMatchObject({ status: 0, stdout: text(0, 1010), stderr: '' })
    expect(shardlog(['tail', '-n', '2', file])).toMatchObject({ status: 0, stdout: text(1008, 1010), stderr: '' })
    expect(shardlog(['view', file])).toMatchObject({ status: 0, stderr: '' })
    expect(shardlog(['view', file]).stdout).toContain('events    1,010')
    expect(shardlog(['cat', '-'], fs.readFileSync(file))).toMatchObject({ status: 0, stdout: text(0, 1010) })
  })

  it('of blocks is read too', async () => {
    const block = makeBlock([line(1), line(2)])
    const file = write('blocks.gz', gzipSync(Buffer.concat([block, makeBlock([line(3)], { sequence: 1n })])))
    expect(await read(file)).toEqual({ text: line(1) + line(2) + line(3), damage: [] })
  })

  it('shows what it holds where it is cut off, and says so', async () => {
    const whole = gzipSync(text(0, 5000))
    for (const length of [whole.length - 1, whole.length - 8, Math.floor(whole.length / 2), 12]) {
      const file = write('cut.gz', whole.subarray(0, length))
      const { text: found, damage } = await read(file)
      expect(text(0, 5000).startsWith(found)).toBe(true)
      expect(damage.at(-1)).toMatchObject({ kind: 'bad-gzip', offset: length })
      if (length >= whole.length - 8) expect(found).toBe(text(0, 5000))
      if (length > 1000) expect(found.length).toBeGreaterThan(text(0, 5000).length / 4)
      expect(shardlog(['cat', file])).toMatchObject({ status: 1, stdout: found })
      expect(shardlog(['view', file]).stderr).toContain('bad-gzip')
      expect(await verifyLog(file)).toMatchObject({ ok: false })
    }
  })

  it('shows what stands before damage, and what follows a member is no part of it', async () => {
    const bytes = Buffer.concat([gzipSync(text(0, 10)), gzipSync(text(10, 5000))])
    bytes.fill(0xff, bytes.length - 3000, bytes.length - 2000)
    const { text: found, damage } = await read(write('damaged.gz', bytes))
    expect(text(0, 5000).startsWith(found)).toBe(true)
    expect(damage.at(-1)).toMatchObject({ kind: 'bad-gzip' })
    const file = write('padded.gz', Buffer.concat([gzipSync(text(0, 10)), Buffer.alloc(512)]))
    expect(await read(file)).toEqual({ text: text(0, 10), damage: [] })
  })

  it('is no more than its beginning', async () => {
    const { text: found, damage } = await read(write('short.gz', gzipSync('x').subarray(0, 3)))
    expect(found).toBe('')
    expect(damage).toMatchObject([{ kind: 'bad-gzip' }])
    expect(await read(write('two.gz', Buffer.from([0x1f, 0x8b])))).toMatchObject({ text: '' })
  })

  it('cannot be followed', () => {
    const file = write('app.log.gz', gzipSync(line(1)))
    expect(shardlog(['tail', '-f', file])).toMatchObject({ status: 1, stderr: expect.stringContaining('not followed') })
  })

  it('takes no memory for what it claims to hold', () => {
    const bomb = gzipSync(Buffer.alloc(1 << 28, `${'x'.repeat(1023)}\n`))
    const file = write('bomb.gz', Buffer.concat(Array.from({ length: 4 }, () => bomb)))
    const measured = write(
      'measure.js',
      Buffer.from(`
      const { readLog } = require(${JSON.stringify(packageRoot)})
      void (async () => {
        let bytes = 0
        for await (const entries of readLog(${JSON.stringify(file)}).batches()) for (const e of entries) bytes += e.length
        console.log(JSON.stringify([bytes, process.resourceUsage().maxRSS]))
      })()`)
    )
    const { stdout } = spawnSync(process.execPath, [measured], { encoding: 'utf8' })
    const [bytes, kilobytes] = JSON.parse(stdout) as [number, number]
    expect(bytes).toBe(2 ** 30)
    expect(kilobytes).toBeLessThan(300_000)
  }, 60_000)
})
