import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { arenaPaths } from '../../lib/arena/locate'
import { type Damage, readLog, recoverLog, verifyLog } from '../../lib/reader'
import { prelude } from '../support/child'
import { makeBlock } from '../support/make-log'
import { packageRoot } from '../support/shardlog'
import { tempLog } from '../support/temp'
import { waitingEntries } from '../support/waiting'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
let file: string

beforeEach(() => {
  file = tempLog()
})

function run(...args: string[]) {
  const result = spawnSync(process.execPath, [main, ...args], { timeout: 30_000 })
  return { code: result.status, out: result.stdout.toString(), err: result.stderr.toString() }
}

/** Logs in a process that is killed in the end. */
function kill(script: string): void {
  const child = spawnSync(process.execPath, ['-e', `${prelude({})}${script}\nprocess.kill(process.pid, 'SIGKILL')`])
  expect(child.signal).toBe('SIGKILL')
}

/** Leaves `written` entries in a log of blocks and `waiting` in its arena. */
function killBlocks(written: number, waiting: number, options: object = {}): void {
  kill(`
    const logger = new Logger(${JSON.stringify({ logFilePath: file, engine: 'native', flushInterval: 0, ...options })})
    for (let i = 0; i < ${written}; i++) logger.log('entry ' + i)
    logger.flushSync()
    for (let i = ${written}; i < ${written + waiting}; i++) logger.log('entry ' + i)`)
}

/** The same of lines. */
function killLines(written: number, waiting: number): void {
  kill(`
    const destination = shardlog.destination({ dest: ${JSON.stringify(file)}, format: 'ndjson', flushInterval: 0 })
    const log = shardlog({ base: null, timestamp: false }, destination)
    for (let i = 0; i < ${written}; i++) log.info('entry ' + i)
    destination.flushSync()
    for (let i = ${written}; i < ${written + waiting}; i++) log.info('entry ' + i)`)
}

const entries = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `entry ${from + i}`)
const jsonLines = (from: number, to: number) => entries(from, to).map(msg => `{"level":30,"msg":"${msg}"}`)
const text = (lines: string[]) => lines.map(line => `${line}\n`).join('')

/** Where the arena lies. */
const arenaOf = (log: string): string => arenaPaths(log).find(place => fs.existsSync(place))!

async function readAll(log: string) {
  const texts: string[] = []
  const sources: string[] = []
  const damage: Damage[] = []
  for await (const entry of readLog(log, { onDamage: found => damage.push(found) })) {
    texts.push(entry.text.trimEnd())
    sources.push(entry.block.source)
  }
  return { texts, damage, sources }
}

describe.each([
  ['blocks', killBlocks, entries],
  ['lines', killLines, jsonLines]
] as const)('what a killed process left of a log of %s', (_kind, killed, expected) => {
  it('is shown or counted by all readers alike', async () => {
    killed(3, 4)
    expect(run('cat', file)).toMatchObject({ code: 0, out: text(expected(0, 7)) })
    expect(run('tail', '-n', '5', file)).toMatchObject({ code: 0, out: text(expected(2, 7)) })
    expect(run('cat', '--order', 'time', file).out).toBe(text(expected(0, 7)))
    expect(run('cat', '--json', file).out.match(/"waiting":true/g)).toHaveLength(4)
    const { texts, sources, damage } = await readAll(file)
    expect({ texts, damage }).toEqual({ texts: expected(0, 7), damage: [] })
    expect(sources.filter(source => source === 'arena')).toHaveLength(4)
    const report = await verifyLog(file)
    const arena = { entries: 4, ownerAlive: false, ofThisBoot: true, arenaPath: arenaOf(file), damagedRecords: 0 }
    expect(report).toMatchObject({ ok: true, entries: 3, arena, asides: [] })
    expect(JSON.parse(run('stats', '--json', file).out)).toMatchObject({ entries: 3, arena })
    expect(run('verify', file).out).toMatch(/waiting: 4 entries[\s\S]*dead[\s\S]*fine/)
    await recoverLog(file)
    expect(await readAll(file)).toMatchObject({ texts: expected(0, 7), damage: [] })
    expect(await verifyLog(file)).toMatchObject({ ok: true, entries: 7, arena: null })
  })

  it('is shown where the log has been deleted, or never was', async () => {
    killed(0, 4)
    fs.rmSync(file)
    expect(run('cat', file)).toMatchObject({ code: 0, out: text(expected(0, 4)) })
    expect(run('tail', '-n', '1', file).out).toBe(text(expected(3, 4)))
    expect((await readAll(file)).texts).toEqual(expected(0, 4))
    expect(await verifyLog(file)).toMatchObject({ ok: true, entries: 0, arena: { entries: 4 } })
    expect(run('stats', file).out).toMatch(/waiting: 4 entries/)
    for (const [name, ...rest] of [['cat'], ['tail'], ['tail', '-f'], ['verify'], ['stats']]) {
      expect(run(name!, ...rest, `${file}.none`)).toMatchObject({ code: 1, out: '' })
    }
  })

  it('is followed where the log has been deleted, and over its recovery', async () => {
    killed(0, 4)
    fs.rmSync(file)
    const tail = spawn(process.execPath, [main, 'tail', '-f', file])
    onTestFinished(() => void tail.kill('SIGKILL'))
    let out = ''
    const until = async (last: string) => {
      while (!out.includes(last)) out += (await once(tail.stdout, 'data'))[0]
    }
    await until('entry 3')
    await recoverLog(file)
    fs.appendFileSync(file, _kind === 'blocks' ? makeBlock(['the end'], { stream: 7n }) : 'the end\n')
    await until('the end')
    expect(out).toBe(`${text(expected(0, 4))}the end\n`)
  })

  it('is shown out of its arena, given by its name', async () => {
    killed(3, 4)
    const arena = arenaOf(file)
    expect(run('cat', arena)).toMatchObject({ code: 0, out: text(expected(3, 7)) })
    expect(run('tail', '-n', '2', arena)).toMatchObject({ code: 0, out: text(expected(5, 7)) })
    expect(run('verify', arena)).toMatchObject({ code: 0, out: expect.stringMatching(/waiting: 4 entries[\s\S]*fine/) })
    expect(run('stats', arena)).toMatchObject({ code: 0, out: expect.stringMatching(/waiting: 4 entries/) })
    expect(JSON.parse(run('stats', '--json', arena).out)).toMatchObject({ arena: { entries: 4, ownerAlive: false } })
    expect((await readAll(arena)).texts).toEqual(expected(3, 7))
    expect(await verifyLog(arena)).toMatchObject({ ok: true, arena: { entries: 4 } })
    const linked = `${file}.link`
    fs.symlinkSync(arena, linked)
    expect(run('cat', linked).out).toBe(text(expected(3, 7)))
    const shell = (command: string) => spawnSync('sh', ['-c', command, process.execPath, main, arena])
    expect(shell('"$0" "$1" cat - < "$2"').stdout.toString()).toBe(text(expected(3, 7)))
    expect(shell('cat "$2" | "$0" "$1" cat -')).toMatchObject({ status: 1, stdout: Buffer.alloc(0) })
  })

  it('is recovered by the name of its arena', async () => {
    killed(3, 4)
    const arena = arenaOf(file)
    const moved = `${file}.copy`
    fs.copyFileSync(arena, moved)
    expect(run('recover', moved)).toMatchObject({ code: 1, err: expect.stringContaining(`arena of ${file}`) })
    expect(run('cat', moved).out).toBe(text(expected(3, 7)))
    expect(run('recover', arena)).toMatchObject({ code: 0, out: expect.stringContaining('recovered 4 entries') })
    expect(fs.existsSync(arena)).toBe(false)
    expect((await readAll(file)).texts).toEqual(expected(0, 7))
  })

  it('of an earlier boot is said and not shown, and shown by name; set aside, it is named by all', async () => {
    killed(3, 4)
    const arena = arenaOf(file)
    const fd = fs.openSync(arena, 'r+')
    fs.writeSync(fd, Buffer.alloc(16, 7), 0, 16, 88)
    fs.closeSync(fd)
    expect(run('cat', file)).toMatchObject({ code: 0, out: text(expected(0, 3)) })
    expect(run('cat', file).err).toMatch(/4 entries in .* are of an earlier boot .*shardlog recover/)
    expect(await verifyLog(file)).toMatchObject({ ok: true, arena: { ofThisBoot: false } })
    const stop = new AbortController()
    const followed: string[] = []
    for await (const entry of readLog(file, { follow: true, signal: stop.signal })) {
      followed.push(entry.text.trimEnd())
      if (followed.length === 3) setTimeout(() => stop.abort(), 300)
    }
    expect(followed).toEqual(expected(0, 3))
    // Set aside it is only if nothing proves that the file is its log.
    const log = fs.readFileSync(file)
    fs.writeFileSync(file, '')
    expect(run('recover', file)).toMatchObject({ code: 1, out: expect.stringContaining('not recovered') })
    fs.writeFileSync(file, log)
    const { asides } = await verifyLog(file)
    expect(asides).toHaveLength(1)
    const [aside] = asides as [string]
    for (const command of ['cat', 'verify', 'stats', 'recover']) {
      const { out, err } = run(command, file)
      expect(out + err).toContain(aside)
    }
    expect(run('cat', aside).out).toBe(text(expected(3, 7)))
    expect(run('recover', aside)).toMatchObject({ out: expect.stringContaining('nothing to recover') })
    expect(run('recover', '--force', aside)).toMatchObject({ out: expect.stringContaining('recovered 4 entries') })
    expect((await readAll(file)).texts).toEqual(expected(0, 7))
  })
})

describe('a log whose process is alive', () => {
  it('is read as far as was accepted, while it logs', async () => {
    const script = `
      const logger = new Logger({ logFilePath: ${JSON.stringify(file)}, engine: 'native', flushInterval: 3, bufferSize: 1 << 20,
        numShards: 2, onFull: 'block', blockTimeout: Infinity })
      let i = 0
      const go = () => {
        for (let n = 0; n < 300; n++) logger.log('entry ' + i++)
        if (i === 3000) console.log('up')
        setTimeout(go, 1)
      }
      go()`
    const owner = spawn(process.execPath, ['-e', `${prelude({})}${script}`])
    onTestFinished(() => void owner.kill('SIGKILL'))
    await once(owner.stdout, 'data')
    let last = 0
    for (let round = 0; round < 8; round++) {
      const { texts, damage } = await readAll(file)
      expect(damage).toEqual([])
      expect(texts.length).toBeGreaterThanOrEqual(Math.max(last, 3000))
      expect(texts.findIndex((entry, i) => entry !== `entry ${i}`)).toBe(-1)
      last = texts.length
    }
  })
})

describe('what lies at the place of an arena', () => {
  const places: [string, (place: string) => void][] = [
    ['a pipe', place => void spawnSync('mkfifo', [place])],
    ['a folder', place => fs.mkdirSync(place)],
    ['a link to a device', place => fs.symlinkSync('/dev/zero', place)],
    ['a link to nothing', place => fs.symlinkSync('/nowhere', place)],
    ['a link to itself', place => fs.symlinkSync(place, place)],
    ['text', place => fs.writeFileSync(place, 'some text\n')],
    ['nothing', place => fs.writeFileSync(place, '')],
    ['the beginning of an arena', place => fs.writeFileSync(place, 'SHLARENA')]
  ]

  it.each(places)('is %s: the log is read, and it is said', async (_name, make) => {
    fs.writeFileSync(file, makeBlock(['a', 'b']))
    make(arenaPaths(file)[0]!)
    const { texts, damage } = await readAll(file)
    expect(texts).toEqual(['a', 'b'])
    expect(damage.map(found => found.kind)).toEqual(['bad-arena'])
    for (const command of ['cat', 'tail']) {
      const { code, out, err } = run(command, file)
      expect({ code, out }).toEqual({ code: 1, out: 'a\nb\n' })
      expect(err).toContain('bad-arena')
    }
    expect(run('verify', file)).toMatchObject({ code: 1, out: expect.stringContaining('2 entries') })
    expect(run('stats', file)).toMatchObject({ code: 1, out: expect.stringContaining('2 entries') })
  })

  it('is an arena with made-up words: nothing hangs, nothing throws, memory is bounded', async () => {
    killBlocks(2, 3)
    const place = arenaOf(file)
    const sound = fs.readFileSync(place)
    const rounds: [number, Buffer][] = [
      [256, Buffer.from('ffffffffffffff7f', 'hex')],
      [448, Buffer.from('ffffffffffffff7f', 'hex')],
      [384, Buffer.from('0000000000000000ffffffffffffffff', 'hex')],
      [4096, Buffer.alloc(2048, 0xff)],
      [4096, Buffer.alloc(65_536, 0x55)],
      [64, Buffer.alloc(8, 1)]
    ]
    for (const [at, bytes] of rounds) {
      const changed = Buffer.from(sound)
      bytes.copy(changed, at)
      fs.writeFileSync(place, changed)
      expect((await readAll(file)).texts.slice(0, 2)).toEqual(entries(0, 2))
      await verifyLog(file)
      expect(waitingEntries(file)).not.toBeNull()
    }
    const data = sound.indexOf('entry 3') - 4
    const changed = Buffer.from(sound)
    changed.writeUInt32LE(0x7fff_ffff, data)
    fs.writeFileSync(place, changed)
    const { texts, damage } = await readAll(file)
    expect(texts).toEqual(entries(0, 3))
    expect(damage).toMatchObject([{ kind: 'bad-entry', path: place }])
    expect((await verifyLog(file)).ok).toBe(false)
  })
})
