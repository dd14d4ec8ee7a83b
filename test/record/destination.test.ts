import { once } from 'node:events'
import fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { arenaOf } from '../support/arena-path'
import { runChild } from '../support/child'
import { engines } from '../support/engines'
import { packageRoot, shardlog } from '../support/shardlog'
import { tempDir, tempLog } from '../support/temp'

type Format = 'ndjson' | 'shard'
const FORMATS: Format[] = ['ndjson', 'shard']

interface Line {
  level: number
  time: number
  msg: string
  [key: string]: unknown
}

async function linesOf(dest: string, format: Format): Promise<Line[]> {
  const texts: string[] = []
  if (format === 'ndjson') {
    const text = fs.readFileSync(dest, 'utf8')
    expect(text === '' || text.endsWith('\n')).toBe(true)
    texts.push(...text.split('\n').slice(0, -1))
  } else {
    for await (const entry of shardlog.readLog(dest)) texts.push(entry.text)
  }
  return texts.map(text => JSON.parse(text) as Line)
}

const kinds = engines.flatMap(engine => FORMATS.map((format): [Format, typeof engine] => [format, engine]))

describe.each(kinds)('a destination of format %s, with the %s engine', (format, engine) => {
  it('has every line of a logger and its children, as text destinations have them', async () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format, engine })
    const log = shardlog({ base: { app: 'x' } }, destination)
    log.info({ userId: 5, ip: '10.0.0.1', ok: true, ms: 1.5 }, 'user login')
    log.child({ request: 'é' }).warn('of the child')
    log.error(new Error('failed'))
    log.debug('not on')
    destination.flushSync()
    const lines = await linesOf(dest, format)
    expect(lines).toMatchObject([
      { level: 30, app: 'x', userId: 5, ip: '10.0.0.1', ok: true, ms: 1.5, msg: 'user login' },
      { level: 40, app: 'x', request: 'é', msg: 'of the child' },
      { level: 50, app: 'x', err: { type: 'Error', message: 'failed' }, msg: 'failed' }
    ])
    expect(destination.getStatsSnapshot()).toMatchObject({
      totalLogs: 3,
      writtenLogs: 3,
      droppedLogs: 0,
      engine
    })
    destination.closeSync()
  })

  it('appends over any number of flushes and openings', async () => {
    const dest = tempLog()
    for (let opening = 0; opening < 3; opening++) {
      const destination = shardlog.destination({ dest, format, engine })
      const log = shardlog(destination)
      for (let i = 0; i < 200; i++) {
        log.info({ i: opening * 200 + i, pad: 'x'.repeat(i) }, 'numbered')
        if (i % 17 === 0) destination.flushSync()
      }
      const closed = once(destination, 'close')
      destination.end()
      await closed
    }
    expect((await linesOf(dest, format)).map(line => line.i)).toEqual(Array.from({ length: 600 }, (_, i) => i))
  })

  it('has texts of any length and script, also where a segment ends', async () => {
    const dest = tempLog()
    // Segments of 4 KiB.
    const destination = shardlog.destination({
      dest,
      format,
      engine,
      bufferSize: 256 * 1024,
      numShards: 2,
      onFull: 'block'
    })
    const log = shardlog({ base: null, timestamp: false }, destination)
    const characters = ['x', 'é', '€', '\u{1f600}', '"', '\n', '\u0001']
    const texts = Array.from({ length: 3000 }, (_, i) => `${characters[i % 7]!.repeat((i * 7) % 613)}end`)
    for (const text of texts) log.info({ text, behind: 1, nested: { text } }, text)
    const closed = once(destination, 'close')
    destination.end()
    await closed
    const lines = (await linesOf(dest, format)) as unknown as { text: string; nested: { text: string }; msg: string }[]
    expect(lines.map(line => [line.text, line.nested.text, line.msg])).toEqual(texts.map(text => [text, text, text]))
  })

  it.runIf(engine === 'native')('loses nothing by a kill in the middle of a burst', async () => {
    const dest = tempLog()
    const script = `
      const log = shardlog(shardlog.destination(config))
      for (let i = 0; i < 50_000; i++) log.info({ i, name: 'n' + i }, 'message')
      require('node:fs').writeSync(1, 'said')
      process.kill(process.pid, 'SIGKILL')`
    const child = runChild(script, { config: { dest, format, engine } })
    expect([child.signal, child.stdout]).toEqual(['SIGKILL', 'said'])
    shardlog.recoverLog(dest)
    const lines = await linesOf(dest, format)
    expect(lines.map(line => line.i)).toEqual(Array.from({ length: 50_000 }, (_, i) => i))
    expect(fs.existsSync(arenaOf(dest))).toBe(false)
  })

  it('has the last lines however the process ends', async () => {
    for (const ending of ['process.exit(0)', "throw new Error('uncaught')", '']) {
      const dest = tempLog()
      const script = `
        const log = shardlog(shardlog.destination(config))
        process.on('exit', () => log.warn('last'))
        log.info('first')
        ${ending}`
      runChild(script, { config: { dest, format, engine } })
      expect((await linesOf(dest, format)).map(line => line.msg)).toEqual(['first', 'last'])
    }
  })

  it('has the lines of several threads, each in its own order, and the native engine in that of their times', async () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format, engine, flushInterval: 0 })
    const code = `
      const { workerData } = require('node:worker_threads')
      const shardlog = require(${JSON.stringify(packageRoot)})
      const log = shardlog(shardlog.destination(workerData.options))
      for (let i = 0; i < 2_000; i++) log.info({ thread: workerData.thread, i }, 'm')`
    const options = { dest, format, engine, flushInterval: 0 }
    const workers = [0, 1, 2].map(thread => new Worker(code, { eval: true, workerData: { thread, options } }))
    await Promise.all(workers.map(worker => once(worker, 'exit')))
    destination.flushSync()
    const lines = await linesOf(dest, format)
    expect(lines).toHaveLength(6_000)
    const times = lines.map(line => line.time)
    if (engine === 'native') expect(times).toEqual([...times].sort((a, b) => a - b))
    for (const thread of [0, 1, 2]) {
      expect(lines.filter(line => line.thread === thread).map(line => line.i)).toEqual(
        Array.from({ length: 2_000 }, (_, i) => i)
      )
    }
    destination.closeSync()
  })

  it('goes on in a new file when the old one has been moved away', async () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format, engine })
    const log = shardlog(destination)
    log.info('before')
    destination.flushSync()
    fs.renameSync(dest, `${dest}.1`)
    destination.reopen()
    log.info('after')
    destination.flushSync()
    expect((await linesOf(`${dest}.1`, format)).map(line => line.msg)).toEqual(['before'])
    expect((await linesOf(dest, format)).map(line => line.msg)).toEqual(['after'])
    destination.closeSync()
  })

  it('reserves no more space ahead than a few sets take', () => {
    const dest = tempLog()
    const bufferSize = 8 * 1024 * 1024
    const destination = shardlog.destination({ dest, format, engine, bufferSize })
    const log = shardlog(destination)
    for (let i = 0; i < 40_000; i++) log.info({ i, text: 'x'.repeat(30) }, 'a line')
    destination.flushSync()
    const { size, blocks } = fs.statSync(dest)
    expect(512 * blocks).toBeLessThanOrEqual(size + 2 * bufferSize)
    destination.closeSync()
  })

  it('takes lines that are text already', async () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format, engine })
    expect(destination.write('{"msg":"by hand"}\n')).toBe(true)
    destination.closeSync()
    expect((await linesOf(dest, format)).map(line => line.msg)).toEqual(['by hand'])
    expect(destination.write('{"msg":"too late"}\n')).toBe(false)
  })
})

describe('a destination with a format', () => {
  it.each(engines)('an NDJSON file that ends within a line is ended first, by the %s engine', async engine => {
    const dest = tempLog()
    fs.writeFileSync(dest, '{"msg":"torn"}')
    const destination = shardlog.destination({ dest, format: 'ndjson', engine })
    shardlog(destination).info('next')
    destination.flushSync()
    fs.appendFileSync(dest, '{"msg":"of another program"}')
    shardlog(destination).info('last')
    destination.closeSync()
    expect((await linesOf(dest, 'ndjson')).map(line => line.msg)).toEqual([
      'torn',
      'next',
      'of another program',
      'last'
    ])
  })

  it.each(engines)(
    'an NDJSON file has each line within a second, without being asked, with the %s engine',
    async engine => {
      const dest = tempLog()
      const destination = shardlog.destination({ dest, format: 'ndjson', engine })
      shardlog(destination).info('soon')
      while (fs.statSync(dest).size === 0) await new Promise(resolve => setTimeout(resolve, 20))
      expect((await linesOf(dest, 'ndjson')).map(line => line.msg)).toEqual(['soon'])
      destination.closeSync()
    }
  )

  it('an unknown format is refused with what is allowed', () => {
    const options = { dest: tempLog(), format: 'xml' as never }
    expect(() => shardlog.destination(options)).toThrow(/option format must be one of 'ndjson', 'shard', got 'xml'/)
  })

  it('round-robin, which would not keep the order of lines, is refused', () => {
    const options = { dest: tempLog(), format: 'ndjson', shardSelection: 'round-robin' } as const
    expect(() => shardlog.destination(options)).toThrow(/option shardSelection must be 'affinity'/)
  })

  it.each(engines)('one file is not opened as two kinds of log, with the %s engine', engine => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format: 'ndjson', engine })
    expect(() => new shardlog.Logger({ logFilePath: dest, engine })).toThrow(
      /is open in this process for a destination with format 'ndjson'; a Logger .*needs a file of its own/
    )
    destination.closeSync()
  })

  it.each(FORMATS)('without a native build the JavaScript engine writes format %s', async format => {
    const dest = tempLog()
    const script = `
      process.env.SHARDLOG_PREBUILD = ${JSON.stringify(tempDir())}
      const destination = shardlog.destination(config)
      shardlog({ base: null }, destination).info({ a: 1 }, 'm')
      console.log(destination.getStatsSnapshot().engine)`
    const { stdout, stderr } = runChild(script, { config: { dest, format } })
    expect(stdout).toBe('js\n')
    expect(stderr.match(/SHARDLOG_JS_ENGINE/g)).toHaveLength(1)
    expect(await linesOf(dest, format)).toMatchObject([{ level: 30, a: 1, msg: 'm' }])
  })
})
