import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { prelude } from '../support/child'
import { engines } from '../support/engines'
import { readTexts } from '../support/plain-reader'
import { shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

type Format = 'ndjson' | 'shard'
type Line = { n: number }

const LOGGED = 30_000

/** Logs numbered records for as long as the test rotates its file, and closes it when told to. */
const SCRIPT = `
  const destination = shardlog.destination(config)
  const log = shardlog({ base: null }, destination)
  process.on('SIGHUP', () => destination.reopen())
  let n = 0
  function logOn() {
    for (let i = 0; i < 100; i++) log.info({ n: n++, nested: { text: 'é'.repeat(n % 60) } }, 'a line')
    if (n < ${LOGGED}) setTimeout(logOn, n % 3)
    else process.send('logged')
  }
  process.on('message', () => { destination.closeSync(); process.disconnect() })
  process.send('ready')
  logOn()`

function linesOf(file: string, format: Format): number[] {
  const texts = format === 'shard' ? readTexts(file) : fs.readFileSync(file, 'utf8').split(/(?<=\n)/)
  return texts
    .filter(text => text !== '')
    .map(text => {
      if (!text.endsWith('\n')) throw new Error(`a line without an end: ${text}`)
      return (JSON.parse(text) as Line).n
    })
}

/**
 * Calls `rotate` at any moments while a child logs. Returns the numbers of the lines in each file
 * that `rotate` moved away, then of the log's.
 */
async function rotated(
  config: { engine: string; format: Format; dsync: boolean },
  rotate: (log: string, spare: string, child: ChildProcess) => void
): Promise<number[][]> {
  const dest = tempLog()
  const options = { dest, flushInterval: 3, bufferSize: 1 << 21, numShards: 2, crashSafe: false, ...config }
  const script = prelude(options) + SCRIPT
  const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  await once(child, 'message')
  let goesOn = true
  const done = once(child, 'message').finally(() => {
    goesOn = false
  })
  const spares: string[] = []
  while (goesOn) {
    await new Promise(resolve => setTimeout(resolve, Math.random() * 20))
    const spare = path.join(path.dirname(dest), `spare.${spares.length}`)
    spares.push(spare)
    if (goesOn && fs.existsSync(dest)) rotate(dest, spare, child)
  }
  await done
  child.send('close')
  expect(await exited).toEqual([0, null])
  return [...spares, dest].filter(file => fs.existsSync(file)).map(file => linesOf(file, config.format))
}

const numbers = (from: number): number[] => Array.from({ length: LOGGED - from }, (_, i) => from + i)

const kinds = engines.flatMap(engine =>
  (['ndjson', 'shard'] as const).map(format => ({ engine, format, dsync: false }))
)

describe.each(kinds)('a log of records ($format, engine $engine) rotated from outside while it is written', config => {
  it('loses nothing when it is renamed', async () => {
    const files = await rotated(config, (log, spare) => fs.renameSync(log, spare))
    expect(files.length).toBeGreaterThan(2)
    expect(files.flat()).toEqual(numbers(0))
  })

  it('loses nothing when it is renamed and the process told by SIGHUP to reopen it', async () => {
    const files = await rotated(config, (log, spare, child) => {
      fs.renameSync(log, spare)
      child.kill('SIGHUP')
    })
    expect(files.flat()).toEqual(numbers(0))
  })

  it('loses nothing when it is renamed and another file put in its place', async () => {
    const files = await rotated(config, (log, spare) => {
      fs.renameSync(log, spare)
      try {
        fs.closeSync(fs.openSync(log, 'ax'))
      } catch {
        // The logger was quicker, and has made the file itself.
      }
    })
    expect(files.flat()).toEqual(numbers(0))
  })

  it('loses nothing but what was in it when it is deleted', async () => {
    const files = await rotated(config, log => fs.unlinkSync(log))
    const left = files.flat()
    expect(left).toEqual(numbers(left[0] ?? LOGGED))
  })

  it('loses nothing but what was in it when it is cut, and what comes then is at its beginning', async () => {
    const files = await rotated(config, log => fs.truncateSync(log, 0))
    const left = files.flat()
    expect(left).toEqual(numbers(left[0] ?? LOGGED))
  })

  it('loses nothing to copies that are complete when it is cut between flushes', () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, ...config } as never)
    const log = shardlog({ base: null }, destination)
    const copies: number[][] = []
    for (let n = 0; n < 300; n++) {
      log.info({ n }, 'a line')
      if (n % 50 !== 49) continue
      destination.flushSync()
      log.info({ n: n + 0.5 }, 'not flushed')
      copies.push(linesOf(dest, config.format))
      fs.truncateSync(dest, 0)
    }
    destination.closeSync()
    const expected = Array.from({ length: 300 }, (_, n) => (n % 50 === 49 ? [n, n + 0.5] : [n])).flat()
    expect([...copies.flat(), ...linesOf(dest, config.format)]).toEqual(expected)
  })
})
