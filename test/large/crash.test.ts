import { execFileSync, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { runChild } from '../support/child'
import { linesOf } from '../support/descriptors'
import { readTexts } from '../support/plain-reader'
import { packageRoot, shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

const LARGE = 300_000
const KILL = "process.kill(process.pid, 'SIGKILL')"
/** Shards of 256 KiB. */
const quiet = { bufferSize: 1 << 22, numShards: 8, flushInterval: 0, dsync: false }

/** Logs lines 0 to 9, every third of which is large, and dies. */
const LOG = `
  const destination = shardlog.destination(config.destination)
  const log = shardlog({ base: null }, destination)
  for (let i = 0; i < 10; i++) log.info({ i, body: 'x'.repeat(i % 3 === 0 ? ${LARGE} + i : 10) })
  ${KILL}`

interface Row {
  i: number
  body: string
}

const whole = Array.from({ length: 10 }, (_, i) => [i, i % 3 === 0 ? LARGE + i : 10])
const shape = (rows: Row[]): number[][] => rows.map(({ i, body }) => [i, body.length])

function run(status: number, ...args: string[]): string {
  const command = [path.join(packageRoot, 'dist', 'cli', 'main.js'), ...args]
  const ended = spawnSync(process.execPath, command, { encoding: 'utf8', maxBuffer: 1 << 26, timeout: 30_000 })
  expect(ended).toMatchObject({ status })
  return ended.stdout
}

const cli = (...args: string[]): string => run(0, ...args)

const rowsOf = (text: string): Row[] => linesOf(text) as unknown as Row[]
const spillsIn = (directory: string): string[] => fs.readdirSync(directory).filter(name => name.includes('.spill-'))

describe.each(['ndjson', 'shard'] as const)('lines larger than a shard of a killed process, format %s,', format => {
  function killed() {
    const directory = tempDir()
    const file = path.join(directory, 'app.log')
    const destination = { dest: file, format, ...quiet } as const
    expect(runChild(LOG, { config: { destination } }).signal).toBe('SIGKILL')
    const rows = (): Row[] =>
      format === 'shard' ? readTexts(file).map(line => JSON.parse(line) as Row) : rowsOf(fs.readFileSync(file, 'utf8'))
    return { directory, file, destination, rows }
  }

  it('lie beside the arena, for the owner alone, until they are recovered', () => {
    const { directory, file, rows } = killed()
    const spills = spillsIn(directory)
    expect(spills).toHaveLength(4)
    for (const name of spills) expect(fs.statSync(path.join(directory, name)).mode & 0o777).toBe(0o600)
    cli('recover', file)
    expect(shape(rows())).toEqual(whole)
    expect(fs.readdirSync(directory)).toEqual(['app.log'])
  })

  it('are recovered by the next start, before what that logs', () => {
    const { directory, destination, rows } = killed()
    const next = shardlog.destination({ ...destination })
    shardlog({ base: null }, next).info({ i: 10, body: '' })
    next.closeSync()
    expect(next.getStatsSnapshot().recoveredLogs).toBe(10)
    expect(shape(rows())).toEqual([...whole, [10, 0]])
    expect(fs.readdirSync(directory)).toEqual(['app.log'])
  })

  it('are shown by those who follow the log before that', async () => {
    const { file } = killed()
    const rows: Row[] = []
    for await (const entry of shardlog.readLog(file, { follow: true })) {
      rows.push(JSON.parse(entry.text) as Row)
      if (rows.length === whole.length) break
    }
    expect(shape(rows)).toEqual(whole)
  })

  it('cost nothing but themselves when a spill is lost or damaged', () => {
    const { directory, file, rows } = killed()
    const [lost, damaged] = spillsIn(directory).sort()
    fs.unlinkSync(path.join(directory, lost!))
    fs.writeFileSync(path.join(directory, damaged!), 'y'.repeat(fs.statSync(path.join(directory, damaged!)).size))
    run(1, 'recover', file)
    expect(shape(rows())).toEqual(whole.filter(([i]) => i !== 0 && i !== 3))
    expect(fs.readdirSync(directory)).toEqual(['app.log'])
  })

  it('leave nothing behind, also where no record tells of a spill, and nothing else is touched', () => {
    const { directory, file } = killed()
    const [spill] = spillsIn(directory)
    fs.writeFileSync(path.join(directory, spill!.replace(/\d+$/, '99')), 'of a call that did not return')
    const foreign = [spill!.replace(/spill-..../, 'spill-0000'), 'other.arena.spill-0123456789abcdef-1']
    for (const name of foreign) fs.writeFileSync(path.join(directory, name), 'not ours')
    cli('recover', file)
    expect(fs.readdirSync(directory).sort()).toEqual(['app.log', ...foreign].sort())
    // The first of them has the name of what a recovery that was killed may leave of an arena that
    // is gone.
    shardlog.destination({ dest: file, format, ...quiet }).closeSync()
    expect(fs.readdirSync(directory).sort()).toEqual(['app.log', foreign[1]])
  })

  it('stay with an arena that is set aside, and come with it when it is recovered after all', () => {
    const { directory, file, rows } = killed()
    const arena = path.join(directory, fs.readdirSync(directory).find(name => name.endsWith('.arena'))!)
    fs.renameSync(arena, `${arena}.aside-1`)
    const next = shardlog.destination({ dest: file, format, ...quiet })
    shardlog({ base: null }, next).info({ i: -1, body: 'x'.repeat(LARGE) })
    next.closeSync()
    expect(spillsIn(directory)).toHaveLength(4)
    cli('recover', '--force', file)
    expect(shape(rows())).toEqual([[-1, LARGE], ...whole])
    expect(fs.readdirSync(directory)).toEqual(['app.log'])
  })
})

describe('with recoverTo, lines larger than a shard that a pipe did not get', () => {
  it('are recovered to the file', () => {
    const directory = tempDir()
    const file = path.join(directory, 'left.ndjson')
    const pipe = path.join(directory, 'pipe')
    execFileSync('mkfifo', [pipe])
    const fd = fs.openSync(pipe, fs.constants.O_RDWR)
    const destination = { dest: 1, recoverTo: file, ...quiet }
    expect(runChild(LOG, { config: { destination }, stdout: fd }).signal).toBe('SIGKILL')
    fs.closeSync(fd)
    fs.unlinkSync(pipe)
    cli('recover', file)
    expect(shape(rowsOf(fs.readFileSync(file, 'utf8')))).toEqual(whole)
    expect(fs.readdirSync(directory)).toEqual(['left.ndjson'])
  })
})
