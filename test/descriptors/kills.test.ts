import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { arenaOf } from '../support/arena-path'
import { linesOf, loggingToPipe, upTo } from '../support/descriptors'
import { packageRoot, shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

const KILL = "process.kill(process.pid, 'SIGKILL')"

/** Logs `from` up to `to` into a pipe that nobody reads, and ends as told. */
function script(recoverTo: string, from: number, to: number, ending: string): string {
  return `
    const destination = shardlog.destination({ dest: 1, recoverTo: ${JSON.stringify(recoverTo)}, exitTimeout: 30 })
    const log = shardlog({ base: null }, destination)
    for (let i = ${from}; i < ${to}; i++) log.info({ i, pad: 'x'.repeat(i % 500) })
    say({ recovered: destination.getStatsSnapshot().recoveredLogs, crashSafe: destination.getStatsSnapshot().crashSafe })
    ${ending}`
}

/** Runs the script; what got through the pipe, and what it said. */
async function run(source: string): Promise<{ piped: number[]; said: unknown[]; code: unknown }> {
  const { logging, reader } = loggingToPipe(source)
  const { said, code } = await logging.end()
  return { piped: linesOf(await reader.rest()).map(line => line.i), said, code }
}

const indexesIn = (file: string): number[] => linesOf(fs.readFileSync(file, 'utf8')).map(line => line.i)

describe('lines that nobody has read when the process is killed', () => {
  it('are recovered, with recoverTo, by the next process: each is there or has gone through the pipe', async () => {
    const file = path.join(tempDir(), 'left.ndjson')
    const first = await run(script(file, 0, 5_000, `setTimeout(() => ${KILL}, 100)`))
    expect(first).toMatchObject({ code: 'SIGKILL', said: [{ recovered: 0, crashSafe: 'file' }] })
    expect(fs.existsSync(file)).toBe(false)
    const second = await run(script(file, 5_000, 5_010, 'destination.flushSync()'))
    expect(second.piped).toEqual(upTo(5_010).slice(5_000))
    const left = indexesIn(file)
    expect(second.said).toEqual([{ recovered: left.length, crashSafe: 'file' }])
    // Those of the generation that was going out may be in both.
    expect([...new Set([...first.piped, ...left])]).toEqual(upTo(5_000))
    expect(left).toEqual([...left].sort((a, b) => a - b))
    expect(fs.existsSync(arenaOf(file))).toBe(false)
  })

  it('are printed and recovered by the command line', async () => {
    const file = path.join(tempDir(), 'left.ndjson')
    await run(script(file, 0, 5_000, KILL))
    const cli = (...args: string[]): string =>
      execFileSync(process.execPath, [path.join(packageRoot, 'dist', 'cli', 'main.js'), ...args], {
        encoding: 'utf8',
        maxBuffer: 1 << 26
      })
    cli('recover', file)
    expect(indexesIn(file).at(-1)).toBe(4_999)
    expect(linesOf(cli('cat', file)).map(line => line.i)).toEqual(indexesIn(file))
  })

  it('stay for the next process where an end did not wait for them', async () => {
    const file = path.join(tempDir(), 'left.ndjson')
    const { piped, code } = await run(script(file, 0, 5_000, ''))
    expect(code).toBe(0)
    await shardlog.recoverLog(file)
    expect([...new Set([...piped, ...indexesIn(file)])]).toEqual(upTo(5_000))
  })

  it('are kept for their owner while it lives', async () => {
    const file = path.join(tempDir(), 'left.ndjson')
    const { said } = await run(
      script(
        file,
        0,
        10,
        `const fd = fs.openSync('/dev/null', 'w')
         try { shardlog.destination({ dest: fd, recoverTo: ${JSON.stringify(file)} }) } catch (error) { say(error.code) }`
      )
    )
    expect(said[1]).toBe('ERR_SHARDLOG_LOCKED')
  })
})

describe('the option recoverTo', () => {
  it.each([
    [{ dest: 1, crashSafe: 'file' }, "option crashSafe must be false for a descriptor without recoverTo, got 'file'"],
    [{ dest: 1, recoverTo: 'x', crashSafe: 'shm' }, "option crashSafe must be 'file' for a descriptor with recoverTo"],
    [{ dest: 'file', format: 'ndjson', recoverTo: 'x' }, "option recoverTo (value 'x' (string)) is for descriptors"],
    [{ dest: 1, recoverTo: '' }, "option recoverTo must be a non-empty string without NUL characters, got ''"]
  ])('is refused by name in %o', (options, message) => {
    expect(() => shardlog.destination(options as object)).toThrow(message)
  })

  it('names a file that can be made', () => {
    const open = (): unknown => shardlog.destination({ dest: 1, recoverTo: '/nowhere/left' })
    expect(open).toThrow('option recoverTo: directory /nowhere of /nowhere/left does not exist')
  })
})
