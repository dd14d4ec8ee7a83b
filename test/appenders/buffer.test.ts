import { describe, expect, it } from 'vitest'
import { BatchBuffer } from '../../lib/appenders/buffer'
import type { Appender } from '../../lib/appenders/kinds'

class Remote implements Appender {
  readonly batches: string[][] = []
  fails = 0
  flushes = 0
  closed = 0
  isAsync = true

  writeRaw(lines: readonly string[]): void | Promise<void> {
    const take = (): void => {
      if (this.fails > 0) {
        this.fails--
        throw new Error('away')
      }
      this.batches.push([...lines])
    }
    return this.isAsync ? new Promise<void>(resolve => setImmediate(resolve)).then(take) : take()
  }

  async flush(): Promise<void> {
    this.flushes++
  }

  async close(): Promise<void> {
    this.closed++
  }
}

function buffered(batchSize: number, flushInterval: number): { remote: Remote; buffer: BatchBuffer; errors: string[] } {
  const remote = new Remote()
  const errors: string[] = []
  const buffer = new BatchBuffer(remote, { batchSize, flushInterval, report: error => errors.push(error.message) })
  return { remote, buffer, errors }
}

const lines = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, n) => `${from + n}\n`)

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise(resolve => setTimeout(resolve, 2))
}

describe.each([true, false])('lines for an appender whose answer is a promise: %s', isAsync => {
  it('go by the batch, and the rest after the interval', async () => {
    const { remote, buffer } = buffered(10, 20)
    remote.isAsync = isAsync
    for (const line of lines(0, 35)) buffer.write(line)
    await until(() => remote.batches.flat().length === 35)
    expect(remote.batches.flat()).toEqual(lines(0, 35))
    expect(remote.batches.map(batch => batch.length)).toEqual([10, 10, 10, 5])
    await buffer.close()
  })

  it('go at their call where nothing is to be gathered', async () => {
    const { remote, buffer } = buffered(1, 1e6)
    remote.isAsync = isAsync
    for (const line of lines(0, 5)) buffer.write(line)
    await until(() => remote.batches.length === 5)
    await buffer.close()
  })

  it('are kept while none is taken, in their order, and told of once', async () => {
    const { remote, buffer, errors } = buffered(10, 5)
    remote.isAsync = isAsync
    remote.fails = 2
    for (const line of lines(0, 25)) buffer.write(line)
    await until(() => remote.batches.flat().length === 25)
    expect(remote.batches.flat()).toEqual(lines(0, 25))
    expect(errors).toEqual(['away'])
    expect(buffer.stats()).toMatchObject({ accepted: 25, delivered: 25, dropped: 0, waiting: 0, failures: 2 })
    await buffer.close()
    expect(remote.closed).toBe(1)
  })

  it('are flushed when asked, and a flush that fails keeps them', async () => {
    const { remote, buffer } = buffered(10, 1e6)
    remote.isAsync = isAsync
    buffer.write('a\n')
    remote.fails = 1
    await expect(buffer.flush()).rejects.toMatchObject({ code: 'ERR_SHARDLOG_WRITE' })
    await buffer.flush()
    expect(remote.batches).toEqual([['a\n']])
    buffer.write('b\n')
    await buffer.close()
    expect(remote.batches.flat()).toEqual(['a\n', 'b\n'])
    expect(buffer.write('c\n')).toBe(false)
    expect(buffer.stats()).toMatchObject({ accepted: 2, delivered: 2, dropped: 1 })
  })

  it('are counted beyond what can wait, and at a close that cannot deliver them', async () => {
    const { remote, buffer, errors } = buffered(1, 1e6)
    remote.isAsync = isAsync
    remote.fails = Number.POSITIVE_INFINITY
    for (const line of lines(0, 10_005)) buffer.write(line)
    expect(buffer.stats()).toMatchObject({ accepted: 10_000, dropped: 5 })
    await expect(buffer.close()).rejects.toMatchObject({ code: 'ERR_SHARDLOG_WRITE' })
    expect(buffer.stats()).toMatchObject({ accepted: 10_000, delivered: 0, dropped: 10_005, waiting: 0 })
    expect(errors).toContainEqual(expect.stringMatching(/later ones are dropped and counted/))
    expect(remote.closed).toBe(1)
  })
})
