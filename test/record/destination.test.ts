import { once } from 'node:events'
import fs from 'node:fs'
import { Worker } from 'node:worker_threads'
import { describe, expect, it } from 'vitest'
import { runChild } from '../support/child'
import { packageRoot, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

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

describe.each(FORMATS)('a destination of format %s', format => {
  it('has every line of a logger and its children, as text destinations have them', async () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format })
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
      engine: 'native'
    })
    destination.closeSync()
  })

  it('appends over any number of flushes and openings', async () => {
    const dest = tempLog()
    for (let opening = 0; opening < 3; opening++) {
      const destination = shardlog.destination({ dest, format })
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

  it('loses nothing by a kill in the middle of a burst', async () => {
    const dest = tempLog()
    const script = `
      const log = shardlog(shardlog.destination(config))
      for (let i = 0; i < 50_000; i++) log.info({ i, name: 'n' + i }, 'message')
      require('node:fs').writeSync(1, 'said')
      process.kill(process.pid, 'SIGKILL')`
    const child = runChild(script, { config: { dest, format } })
    expect([child.signal, child.stdout]).toEqual(['SIGKILL', 'said'])
    shardlog.recoverLog(dest)
    const lines = await linesOf(dest, format)
    expect(lines.map(line => line.i)).toEqual(Array.from({ length: 50_000 }, (_, i) => i))
    expect(fs.existsSync(`${dest}.arena`)).toBe(false)
  })

  it('has the last lines however the process ends', async () => {
    for (const ending of ['process.exit(0)', "throw new Error('uncaught')", '']) {
      const dest = tempLog()
      const script = `
        const log = shardlog(shardlog.destination(config))
        process.on('exit', () => log.warn('last'))
        log.info('first')
        ${ending}`
      runChild(script, { config: { dest, format } })
      expect((await linesOf(dest, format)).map(line => line.msg)).toEqual(['first', 'last'])
    }
  })

  it('brings the lines of several threads into the order of their times', async () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format, flushInterval: 0 })
    const code = `
      const { workerData } = require('node:worker_threads')
      const shardlog = require(${JSON.stringify(packageRoot)})
      const log = shardlog(shardlog.destination(workerData.options))
      for (let i = 0; i < 2_000; i++) log.info({ thread: workerData.thread, i }, 'm')`
    const options = { dest, format, flushInterval: 0 }
    const workers = [0, 1, 2].map(thread => new Worker(code, { eval: true, workerData: { thread, options } }))
    await Promise.all(workers.map(worker => once(worker, 'exit')))
    destination.flushSync()
    const lines = await linesOf(dest, format)
    expect(lines).toHaveLength(6_000)
    const times = lines.map(line => line.time)
    expect(times).toEqual([...times].sort((a, b) => a - b))
    for (const thread of [0, 1, 2]) {
      expect(lines.filter(line => line.thread === thread).map(line => line.i)).toEqual(
        Array.from({ length: 2_000 }, (_, i) => i)
      )
    }
    destination.closeSync()
  })

  it('goes on in a new file when the old one has been moved away', async () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format })
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
    const destination = shardlog.destination({ dest, format, bufferSize })
    const log = shardlog(destination)
    for (let i = 0; i < 40_000; i++) log.info({ i, text: 'x'.repeat(30) }, 'a line')
    destination.flushSync()
    const { size, blocks } = fs.statSync(dest)
    expect(512 * blocks).toBeLessThanOrEqual(size + 2 * bufferSize)
    destination.closeSync()
  })

  it('takes lines that are text already', async () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format })
    expect(destination.write('{"msg":"by hand"}\n')).toBe(true)
    destination.closeSync()
    expect((await linesOf(dest, format)).map(line => line.msg)).toEqual(['by hand'])
    expect(destination.write('{"msg":"too late"}\n')).toBe(false)
  })
})

describe('a destination with a format', () => {
  it('an NDJSON file that ends within a line is ended first', async () => {
    const dest = tempLog()
    fs.writeFileSync(dest, '{"msg":"torn"}')
    const destination = shardlog.destination({ dest, format: 'ndjson' })
    shardlog(destination).info('next')
    destination.closeSync()
    expect((await linesOf(dest, 'ndjson')).map(line => line.msg)).toEqual(['torn', 'next'])
  })

  it('an unknown format is refused with what is allowed', () => {
    const options = { dest: tempLog(), format: 'xml' as never }
    expect(() => shardlog.destination(options)).toThrow(/option format must be one of 'ndjson', 'shard', got 'xml'/)
  })

  it('round-robin, which would not keep the order of lines, is refused', () => {
    const options = { dest: tempLog(), format: 'ndjson', shardSelection: 'round-robin' } as const
    expect(() => shardlog.destination(options)).toThrow(/option shardSelection must be 'affinity'/)
  })

  it('one file is not opened as two kinds of log', () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format: 'ndjson' })
    expect(() => new shardlog.Logger(dest)).toThrow(/is open in this process as a text file, not as a log of entries/)
    destination.closeSync()
  })

  it('the JavaScript engine writes the same lines to a shard file', async () => {
    const dest = tempLog()
    const destination = shardlog.destination({ dest, format: 'shard', engine: 'js' })
    shardlog({ base: null }, destination).info({ a: 1 }, 'm')
    destination.closeSync()
    expect(await linesOf(dest, 'shard')).toMatchObject([{ level: 30, a: 1, msg: 'm' }])
    expect(destination.getStatsSnapshot().engine).toBe('js')
  })
})
