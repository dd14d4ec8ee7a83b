import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { afterEach, describe, expect, it } from 'vitest'
import { ArenaFile } from '../../lib/arena/arena-file'
import { readLog, recoverLog, verifyLog } from '../../lib/reader'
import { arenaOf } from '../support/arena-path'
import { prelude } from '../support/child'
import { Logger } from '../support/shardlog'
import { tempLog } from '../support/temp'
import { waitingEntries } from '../support/waiting'

const stop: AbortController[] = []
const native = { engine: 'native', flushInterval: 0, dsync: false } as const

afterEach(() => {
  for (const controller of stop.splice(0)) controller.abort()
})

/** Collects a followed log's entries; `enough` resolves when there are as many. */
function collect(file: string) {
  const controller = new AbortController()
  stop.push(controller)
  const texts: string[] = []
  const sources = new Set<string>()
  let wake = () => {}
  const done = (async () => {
    for await (const entry of readLog(file, { follow: true, strict: true, signal: controller.signal })) {
      texts.push(entry.text)
      sources.add(entry.block.source)
      wake()
    }
  })()
  const enough = async (count: number) => {
    while (texts.length < count) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  return { texts, sources, done, enough }
}

describe('an arena beside the log', () => {
  it.each(['file', 'shm'] as const)(
    'shows its entries at once, and each only once when they are written (%s)',
    async crashSafe => {
      const file = tempLog()
      const logger = new Logger({ logFilePath: file, ...native, crashSafe })
      logger.log('first')
      const { texts, sources, enough } = collect(file)
      await enough(1)
      expect(fs.statSync(file).size).toBe(0)
      expect([...sources]).toEqual(['arena'])
      logger.log('second')
      await enough(2)
      await logger.flush()
      logger.log('third')
      await enough(3)
      await logger.close()
      const again = new Logger({ logFilePath: file, ...native, crashSafe })
      again.log('fourth')
      await enough(4)
      await again.close()
      expect(texts).toEqual(['first', 'second', 'third', 'fourth'])
    }
  )

  it('is followed through many flushes without a loss, a repetition or a change of order', async () => {
    const file = tempLog()
    const config = {
      logFilePath: file,
      ...native,
      bufferSize: 1 << 20,
      numShards: 2,
      flushInterval: 3,
      onFull: 'block'
    }
    const script = `
      const logger = new Logger({ ...config, blockTimeout: Infinity })
      let i = 0
      const go = () => {
        for (let n = 0; n < 500; n++) logger.log('entry ' + i++ + ' ' + 'x'.repeat(i % 200))
        if (i < 60000) setTimeout(go, i % 3)
        else logger.close()
      }
      go()`
    fs.writeFileSync(file, '')
    const { texts, sources, enough } = collect(file)
    const child = spawn(process.execPath, ['-e', prelude(config) + script], { stdio: 'inherit' })
    const [code] = await once(child, 'exit')
    expect(code).toBe(0)
    await enough(60_000)
    expect(texts.findIndex((text, i) => !text.startsWith(`entry ${i} `))).toBe(-1)
    expect(sources.has('file')).toBe(true)
  })

  it('of a killed process is counted, shown, recovered, and not shown again', async () => {
    const file = tempLog()
    const config = { logFilePath: file, ...native }
    const script = `
      const logger = new Logger(config)
      for (let i = 0; i < 100; i++) logger.log('entry ' + i)
      process.kill(process.pid, 'SIGKILL')`
    const child = spawn(process.execPath, ['-e', prelude(config) + script], { stdio: 'inherit' })
    await once(child, 'exit')
    const waiting = waitingEntries(file)
    expect(waiting).toMatchObject({ entries: 100, ownerAlive: false, ownerPid: child.pid })
    const { texts, enough } = collect(file)
    await enough(100)
    const logger = new Logger({ logFilePath: file, ...native })
    logger.log('next')
    await enough(101)
    await logger.close()
    expect(texts).toEqual([...Array.from({ length: 100 }, (_, i) => `entry ${i}`), 'next'])
    expect(waitingEntries(file)).toBeNull()
  })

  it('is followed over kills in the middle of flushes and the recoveries after them', async () => {
    const file = tempLog()
    fs.writeFileSync(file, '')
    const { texts, enough } = collect(file)
    const script = `
      const { name, ...own } = config
      const logger = new Logger({ ...own, blockTimeout: Infinity })
      let i = 0
      const go = () => {
        for (let n = 0; n < 500; n++) logger.log(name + ' ' + i++ + ' ' + 'x'.repeat(i % 150))
        if (i === 15000) console.log('enough')
        setTimeout(go, i % 3)
      }
      go()`
    const base = { logFilePath: file, ...native, bufferSize: 1 << 20, numShards: 2, flushInterval: 5, onFull: 'block' }
    for (const name of ['a', 'b', 'c']) {
      const child = spawn(process.execPath, ['-e', prelude({ ...base, name }) + script])
      child.stdout.once('data', () => child.kill('SIGKILL'))
      const [, signal] = await once(child, 'exit')
      expect(signal).toBe('SIGKILL')
    }
    await recoverLog(file)
    const expected: string[] = []
    for await (const entry of readLog(file, { strict: true })) expected.push(entry.text)
    await enough(expected.length)
    expect(expected.length).toBeGreaterThanOrEqual(45_000)
    expect(texts.findIndex((text, i) => text !== expected[i])).toBe(-1)
  })

  it('tells its owner, its log and its geometry', async () => {
    const file = tempLog()
    const logger = new Logger({ logFilePath: file, ...native, numShards: 4, bufferSize: 2 << 20 })
    logger.log('a')
    const arena = ArenaFile.open(arenaOf(file))
    expect(arena).not.toBeNull()
    expect(arena?.owner.pid).toBe(process.pid)
    expect(arena?.logPath).toBe(file)
    expect(arena?.geometry.numShards).toBe(4)
    expect(waitingEntries(file)).toMatchObject({ entries: 1, bytes: 1, ownerAlive: true })
    arena?.close()
    await logger.close()
  })

  it('keeps readers from what a flush is just writing', async () => {
    const file = tempLog()
    const logger = new Logger({ logFilePath: file, ...native })
    logger.log('first')
    await logger.flush()
    const base = fs.statSync(file).size
    logger.log('second')
    await logger.flush()
    const arena = fs.readFileSync(arenaOf(file))
    await logger.close()
    // As it was in the middle of the second flush: generation 1 is being written at `base`.
    arena.writeBigUInt64LE(1n, 448)
    arena.writeBigUInt64LE(1n, 384)
    arena.writeBigUInt64LE(BigInt(base), 392)
    fs.writeFileSync(arenaOf(file), arena)
    fs.truncateSync(file, base + 100)
    const texts: string[] = []
    for await (const entry of readLog(file, { strict: true })) texts.push(entry.text)
    expect(texts).toEqual(['first'])
    expect(await verifyLog(file)).toMatchObject({ ok: true, bytes: base })
    fs.rmSync(arenaOf(file))
    expect((await verifyLog(file)).ok).toBe(false)
  })

  it('that is none, damaged or of another version is told apart', async () => {
    const file = tempLog()
    const logger = new Logger({ logFilePath: file, ...native })
    const bytes = fs.readFileSync(arenaOf(file))
    await logger.close()
    const path = `${file}.other`
    expect(ArenaFile.open(path)).toBeNull()
    fs.writeFileSync(path, 'something else')
    expect(() => ArenaFile.open(path)).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_ARENA_CORRUPT' }))
    bytes.writeUInt32LE(3, 8)
    fs.writeFileSync(path, bytes.subarray(0, 4096))
    expect(() => ArenaFile.open(path)).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_ARENA_VERSION' }))
    bytes.writeUInt32LE(1, 8)
    bytes[20]! ^= 1
    fs.writeFileSync(path, bytes.subarray(0, 4096))
    expect(() => ArenaFile.open(path)).toThrow(expect.objectContaining({ code: 'ERR_SHARDLOG_ARENA_CORRUPT' }))
  })
})
