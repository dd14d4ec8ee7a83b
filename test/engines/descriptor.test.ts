import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from 'vitest'
import { killGroup } from '../support/descriptors'
import { engines } from '../support/engines'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

type EngineName = (typeof engines)[number]

/**
 * The start of each child's script: `open(fd, options)` gives a destination, `say` tells its
 * counters.
 */
const prelude = (engine: EngineName): string => `
  const fs = require('node:fs')
  const shardlog = require(${JSON.stringify(packageRoot)})
  const open = (fd, options) => {
    const base = { format: 'ndjson', engine: '${engine}', bufferSize: 262144, numShards: 1 }
    const destination = shardlog.destination({ dest: fd, ...base, ...options })
    const flush = () => new Promise((resolve, reject) => destination.flush(error => error ? reject(error) : resolve()))
    const close = () => new Promise((resolve, reject) => {
      destination.on('error', reject)
      destination.on('finish', resolve)
      destination.end()
    })
    return {
      log: line => destination.write(line),
      flush,
      close,
      flushSync: () => destination.flushSync(),
      closeSync: () => destination.closeSync(),
      stats: () => destination.getStatsSnapshot()
    }
  }
  const line = i => JSON.stringify({ i, pad: 'x'.repeat((i * 37) % 5000) }) + '\\n'
  const say = (engine, more) => {
    const { totalLogs, droppedLogs, writtenLogs, flushErrors, lastError } = engine.stats()
    const error = lastError && [lastError.code, lastError.errno]
    fs.writeSync(2, JSON.stringify({ totalLogs, droppedLogs, writtenLogs, flushErrors, error, ...more }))
  }
`

interface Said {
  totalLogs: number
  droppedLogs: number
  writtenLogs: number
  flushErrors: number
  error: [string, string | undefined] | null
}

const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) killGroup(child)
})

/**
 * Runs a script whose descriptor 1 is a socket, as Node's children have it, or through `shell`,
 * where `$NODE "$SCRIPT"` runs it.
 */
function start(engine: EngineName, script: string, shell?: string): ChildProcess {
  const source = prelude(engine) + script
  const env = { ...process.env, NODE: process.execPath, SCRIPT: source }
  const child =
    shell === undefined
      ? spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
      : spawn('sh', ['-c', shell.replaceAll('RUN', '"$NODE" -e "$SCRIPT"')], {
          stdio: ['ignore', 'pipe', 'pipe'],
          env,
          detached: true
        })
  children.push(child)
  return child
}

async function ended(child: ChildProcess): Promise<{ out: string; said: Said; code: number | null }> {
  const closed = once(child, 'close') as Promise<[number | null]>
  const [out, told, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), closed])
  return { out, said: JSON.parse(told.replace(/^shardlog: .*\n/m, '')) as Said, code }
}

/** Indexes of the lines, each of which is whole. */
function indexesOf(out: string): number[] {
  expect(out === '' || out.endsWith('\n')).toBe(true)
  return out
    .split('\n')
    .slice(0, -1)
    .map(entry => (JSON.parse(entry) as { i: number }).i)
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

/** What descriptor 1 leads to, and the shell that makes it so. */
const targets: [string, string | undefined][] = [
  ['a pipe', 'RUN | cat'],
  ['a socket', undefined]
]

const cases = engines.flatMap(engine =>
  targets.map(([name, shell]): [EngineName, string, string | undefined] => [engine, name, shell])
)

describe.each(cases)('the %s engine on %s', (engine, _name, shell) => {
  it('has every line, whole and in order, while there is room or calls wait for it', async () => {
    const script = `
      const engine = open(1, { onFull: 'block', blockTimeout: Infinity })
      for (let i = 0; i < 2000; i++) engine.log(line(i))
      engine.close().then(() => say(engine))`
    const { out, said } = await ended(start(engine, script, shell))
    expect(indexesOf(out)).toEqual(upTo(2000))
    expect(said).toMatchObject({ totalLogs: 2000, droppedLogs: 0, writtenLogs: 2000, error: null })
  })

  it('has each line soon after its call, without being asked', async () => {
    const child = start(
      engine,
      `const engine = open(1)
       engine.log(line(0))
       setInterval(() => {}, 1000)`,
      shell
    )
    const [first] = (await once(child.stdout!, 'data')) as [Buffer]
    expect(indexesOf(first.toString())).toEqual([0])
  })

  it('has the last lines however the process ends', async () => {
    for (const ending of ['process.exit(0)', 'Promise.reject(0)', '']) {
      const script = `
        const engine = open(1)
        process.on('exit', () => { engine.log(line(1)); say(engine) })
        process.on('unhandledRejection', () => process.exit(0))
        engine.log(line(0))
        ${ending}`
      expect(indexesOf((await ended(start(engine, script, shell))).out)).toEqual([0, 1])
    }
  })
})

/** Readers that take nothing until they are told to, by the end of their input or not at all. */
const stalled = `(while [ ! -e "$GO" ]; do sleep 0.05; done; cat)`

describe.each(engines)('the %s engine, when nobody reads', engine => {
  it('drops and counts what does not fit into its buffers, and goes on when somebody reads again', async () => {
    const go = path.join(tempDir(), 'go')
    const script = `
      const engine = open(1, { onFull: 'drop', blockTimeout: Infinity })
      for (let i = 0; i < 2000; i++) engine.log(line(i))
      const { droppedLogs } = engine.stats()
      fs.writeFileSync(${JSON.stringify(go)}, '')
      engine.flush().then(() => {
        engine.log(line(5000))
        return engine.close()
      }).then(() => say(engine, { earlier: droppedLogs }))`
    const { out, said } = await ended(start(engine, script, `GO=${go}; RUN | ${stalled}`))
    const indexes = indexesOf(out)
    const { earlier, ...counted } = said as Said & { earlier: number }
    expect(earlier).toBeGreaterThan(0)
    expect(counted).toMatchObject({ totalLogs: 2001, droppedLogs: earlier, writtenLogs: 2001 - earlier, error: null })
    expect(indexes).toHaveLength(counted.writtenLogs)
    expect(indexes).toEqual([...new Set(indexes)].sort((a, b) => a - b))
    expect(indexes.at(-1)).toBe(5000)
  })

  it('flush gives up after blockTimeout and close after exitTimeout, and what was not taken is counted', async () => {
    const go = path.join(tempDir(), 'go')
    const script = `
      const engine = open(1, { onFull: 'drop', blockTimeout: 30, exitTimeout: 30 })
      for (let i = 0; i < 2000; i++) engine.log(line(i))
      const codes = []
      const note = error => codes.push(error.code)
      engine.flush().catch(note).then(() => {
        try { engine.flushSync() } catch (error) { note(error) }
        return engine.close().catch(note)
      }).then(() => { say(engine, { codes }); fs.writeFileSync(${JSON.stringify(go)}, '') })`
    const { out, said } = await ended(start(engine, script, `GO=${go}; RUN | ${stalled}`))
    const { codes, ...counted } = said as Said & { codes: string[] }
    expect(codes).toEqual(['ERR_SHARDLOG_STALLED', 'ERR_SHARDLOG_STALLED', 'ERR_SHARDLOG_STALLED'])
    expect(counted.totalLogs - counted.droppedLogs).toBe(counted.writtenLogs)
    const lines = out.split('\n')
    expect(lines.slice(0, -1).map(entry => (JSON.parse(entry) as { i: number }).i)).toEqual(upTo(counted.writtenLogs))
  })

  it('the process ends after exitTimeout, and its handlers find counted what that cost', async () => {
    const go = path.join(tempDir(), 'go')
    const script = `
      const engine = open(1, { onFull: 'drop', blockTimeout: 30, exitTimeout: 30 })
      for (let i = 0; i < 2000; i++) engine.log(line(i))
      process.on('exit', () => { say(engine); fs.writeFileSync(${JSON.stringify(go)}, '') })`
    const { said } = await ended(start(engine, script, `GO=${go}; RUN | ${stalled}`))
    expect(said.droppedLogs).toBeGreaterThan(0)
  })

  it.each(targets)(
    'any more on %s: nothing is thrown, everything is counted, the error says why',
    async (name, shell) => {
      const script = `
      const engine = open(1, { onFull: 'block' })
      const gone = () => engine.stats().lastError !== null
      const timer = setInterval(() => {
        for (let i = 0; i < 50; i++) engine.log(line(i))
        if (!gone()) return
        clearInterval(timer)
        engine.log(line(0))
        engine.close().then(() => say(engine))
      }, 5)`
      const child = start(engine, script, shell === undefined ? undefined : 'RUN | true')
      if (shell === undefined) child.stdout!.destroy()
      const closed = once(child, 'close') as Promise<[number | null]>
      const said = JSON.parse(await text(child.stderr!)) as Said
      expect(await closed, name).toEqual([0, null])
      expect(said.totalLogs - said.droppedLogs).toBe(said.writtenLogs)
      expect(said).toMatchObject({ error: ['ERR_SHARDLOG_WRITE', 'EPIPE'], flushErrors: 0 })
    }
  )
})

describe.each(engines)('the %s engine on a descriptor', engine => {
  it('of a file goes on where others are in it', async () => {
    const file = path.join(tempDir(), 'out')
    const script = `
      const engine = open(1)
      fs.writeSync(1, line(0))
      engine.log(line(1))
      engine.flushSync()
      fs.writeSync(1, line(2))
      engine.log(line(3))
      engine.close().then(() => say(engine))`
    await ended(start(engine, script, `RUN > ${file}`))
    expect(indexesOf(fs.readFileSync(file, 'utf8'))).toEqual(upTo(4))
  })

  it('that several threads and processes write to has the lines of all of them whole', async () => {
    const thread = `
      const short = i => JSON.stringify({ i, pad: 'x'.repeat(i % 4000) }) + '\\n'
      const engine = open(1, { onFull: 'block', blockTimeout: Infinity })
      for (let i = 0; i < 300; i++) { engine.log(short(i)); engine.flushSync() }
      engine.closeSync()`
    const script = `
      const { Worker, isMainThread } = require('node:worker_threads')
      for (let i = 0; i < 2; i++) new Worker(${JSON.stringify(prelude(engine) + thread)}, { eval: true })
      ${thread}`
    const child = start(engine, script, '(RUN & RUN; wait) | (sleep 0.2; cat)')
    expect(indexesOf(await text(child.stdout!)).sort((a, b) => a - b)).toEqual(
      upTo(300).flatMap(i => new Array<number>(6).fill(i))
    )
  })

  it('has one log, whichever loggers of the thread share it, closed by the last of them', async () => {
    const script = `
      const [first, second] = [open(1), open(1)]
      first.log(line(0))
      first.closeSync()
      second.log(line(1))
      if (first.log(line(2))) throw new Error('closed')
      second.closeSync()
      say(second)`
    const { out, said } = await ended(start(engine, script))
    expect(indexesOf(out)).toEqual([0, 1])
    expect(said).toMatchObject({ totalLogs: 3, droppedLogs: 1, writtenLogs: 2 })
  })

  it('that cannot be written to is refused', async () => {
    const script = `
      const codes = [777, fs.openSync(process.execPath, 'r'), fs.openSync('/', 'r')].map(fd => {
        try { open(fd) } catch (error) { return [error.code, error.errno] }
      })
      fs.writeSync(2, JSON.stringify(codes))`
    const child = start(engine, script)
    expect(JSON.parse(await text(child.stderr!))).toEqual([
      ['ERR_SHARDLOG_IO', 'EBADF'],
      ['ERR_SHARDLOG_IO', 'EBADF'],
      ['ERR_SHARDLOG_IO', 'EBADF']
    ])
  })
})
