import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Damage, readLog, recoverLog, verifyLog } from '../../lib/reader'
import { prelude } from '../support/child'
import { makeBlock } from '../support/make-log'
import { shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'
import { waitingEntries } from '../support/waiting'

let file: string
let stop: AbortController

beforeEach(() => {
  file = tempLog()
  stop = new AbortController()
})

afterEach(() => stop.abort())

/** Follows in the background; `until` resolves when `condition` holds of what has come. */
function follow() {
  const texts: string[] = []
  const sources = new Set<string>()
  const damage: Damage[] = []
  let wake = () => {}
  const done = (async () => {
    const onDamage = (found: Damage) => damage.push(found)
    for await (const entry of readLog(file, { follow: true, signal: stop.signal, onDamage })) {
      texts.push(entry.text)
      sources.add(entry.block.source)
      wake()
    }
  })()
  const until = async (condition: () => boolean) => {
    while (!condition()) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  return { texts, sources, damage, done, until, has: (text: string) => until(() => texts.includes(text)) }
}

const numbers = (texts: string[]) => texts.map(text => JSON.parse(text).i as number)
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i)

describe('following a text', () => {
  it('shows lines when they are whole, and ends when told to', async () => {
    fs.writeFileSync(file, '{"i":0}\n{"i":')
    const following = follow()
    await following.has('{"i":0}\n')
    fs.appendFileSync(file, '1}')
    fs.appendFileSync(file, '\n{"i":2}\n')
    await following.has('{"i":2}\n')
    stop.abort()
    await following.done
    expect(numbers(following.texts)).toEqual([0, 1, 2])
    expect(following.damage).toEqual([])
  })

  it.each([
    ['text', '{"i":0}\n'],
    ['blocks', makeBlock(['{"i":0}\n'])]
  ])('an empty file becomes what is written to it: %s', async (_, bytes) => {
    fs.writeFileSync(file, '')
    const following = follow()
    fs.appendFileSync(file, bytes)
    await following.has('{"i":0}\n')
    expect(following.texts).toHaveLength(1)
    expect(following.damage).toEqual([])
  })

  it('goes over to the file that takes its place, after the rest of the old one', async () => {
    fs.writeFileSync(file, '{"i":0}\n')
    const following = follow()
    await following.has('{"i":0}\n')
    fs.renameSync(file, `${file}.1`)
    fs.appendFileSync(`${file}.1`, '{"i":1}\n{"i":2}')
    fs.writeFileSync(file, '{"i":3}\n')
    await following.has('{"i":3}\n')
    expect(numbers(following.texts)).toEqual([0, 1, 2, 3])
  })

  it('begins anew where the file was cut, and says so', async () => {
    fs.writeFileSync(file, '{"i":0}\n{"i":1}\n')
    const following = follow()
    await following.has('{"i":1}\n')
    fs.truncateSync(file, 0)
    fs.appendFileSync(file, '{"i":2}\n')
    await following.has('{"i":2}\n')
    expect(numbers(following.texts)).toEqual([0, 1, 2])
    expect(following.damage.map(found => found.kind)).toEqual(['replaced'])
  })
})

describe('following a destination of lines', () => {
  it('shows its lines at once, and each only once when they are written', async () => {
    const destination = shardlog.destination({ dest: file, format: 'ndjson', flushInterval: 0 })
    const log = shardlog(destination)
    log.info({ i: 0 }, 'first')
    expect(waitingEntries(file)).toMatchObject({ entries: 1, ownerAlive: true })
    const following = follow()
    await following.until(() => following.texts.length === 1)
    expect(fs.statSync(file).size).toBe(0)
    expect([...following.sources]).toEqual(['arena'])
    log.info({ i: 1 }, 'second')
    await following.until(() => following.texts.length === 2)
    destination.flushSync()
    log.info({ i: 2 }, 'third')
    await following.until(() => following.texts.length === 3)
    destination.closeSync()
    fs.appendFileSync(file, '{"i":3}\n')
    await following.has('{"i":3}\n')
    expect(numbers(following.texts)).toEqual([0, 1, 2, 3])
    expect(following.texts.join('')).toBe(fs.readFileSync(file, 'utf8'))
  })

  it('counts lines that are the same', async () => {
    const destination = shardlog.destination({ dest: file, format: 'ndjson', flushInterval: 0 })
    const log = shardlog({ timestamp: false, base: null }, destination)
    const following = follow()
    for (let i = 0; i < 5; i++) log.info('same')
    await following.until(() => following.texts.length === 5)
    for (let i = 0; i < 5; i++) log.info('same')
    destination.flushSync()
    log.info('other')
    await following.until(() => following.texts.some(text => text.includes('other')))
    expect(following.texts.filter(text => text.includes('same'))).toHaveLength(10)
    destination.closeSync()
  })

  it('takes a text of several lines for several entries, as the file does', async () => {
    const destination = shardlog.destination({ dest: file, format: 'ndjson', flushInterval: 0 })
    const following = follow()
    destination.write('{"i":0}\n{"i":1}\n')
    await following.until(() => following.texts.length === 2)
    destination.flushSync()
    destination.write('{"i":2}\n')
    await following.until(() => following.texts.length === 3)
    destination.closeSync()
    fs.appendFileSync(file, '{"i":3}\n')
    await following.until(() => following.texts.length === 4)
    expect(numbers(following.texts)).toEqual([0, 1, 2, 3])
  })

  it('shows each line once and in order through many flushes', async () => {
    const config = { dest: file, format: 'ndjson', bufferSize: 1 << 20, numShards: 2, flushInterval: 30 }
    const script = `
      const destination = shardlog.destination({ ...config, blockTimeout: Infinity })
      const log = shardlog({ base: null }, destination)
      let i = 0
      const go = () => {
        for (let n = 0; n < 300; n++) log.info({ i: i++, pad: 'x'.repeat(i % 200) }, 'numbered')
        if (i < 30000) setTimeout(go, i % 3)
        else destination.closeSync()
      }
      go()`
    fs.writeFileSync(file, '')
    const following = follow()
    const child = spawn(process.execPath, ['-e', prelude(config) + script], { stdio: 'inherit' })
    expect((await once(child, 'exit'))[0]).toBe(0)
    await following.until(() => following.texts.length >= 30_000)
    fs.appendFileSync(file, '{"i":30000}\n')
    await following.has('{"i":30000}\n')
    expect(numbers(following.texts).findIndex((number, i) => number !== i)).toBe(-1)
    expect(following.texts).toHaveLength(30_001)
    expect([...following.sources]).toContain('file')
    expect(following.damage).toEqual([])
    expect(await verifyLog(file)).toMatchObject({ ok: true, format: 'ndjson', entries: 30_001 })
  })

  it('shows each line once over kills in the middle of flushes, and the recoveries after them', async () => {
    fs.writeFileSync(file, '')
    const following = follow()
    const script = `
      const { name, ...own } = config
      const log = shardlog({ base: null }, shardlog.destination({ ...own, blockTimeout: Infinity }))
      let i = 0
      const go = () => {
        for (let n = 0; n < 300; n++) log.info({ name, i: i++, pad: 'x'.repeat(i % 150) }, 'm')
        if (i === 9000) console.log('enough')
        setTimeout(go, i % 3)
      }
      go()`
    const base = { dest: file, format: 'ndjson', bufferSize: 1 << 20, numShards: 2, flushInterval: 5 }
    for (const name of ['a', 'b', 'c']) {
      const child = spawn(process.execPath, ['-e', prelude({ ...base, name }) + script])
      child.stdout.once('data', () => child.kill('SIGKILL'))
      expect((await once(child, 'exit'))[1]).toBe('SIGKILL')
    }
    await recoverLog(file)
    fs.appendFileSync(file, '{"last":true}\n')
    await following.has('{"last":true}\n')
    expect(following.texts.length).toBeGreaterThan(27_000)
    expect(following.texts.join('') === fs.readFileSync(file, 'utf8')).toBe(true)
    expect(following.damage).toEqual([])
  })

  it('goes over to the file that takes the place of a rotated one', async () => {
    const destination = shardlog.destination({ dest: file, format: 'ndjson', flushInterval: 0 })
    const log = shardlog({ base: null }, destination)
    const following = follow()
    for (let i = 0; i < 50; i++) {
      log.info({ i }, 'm')
      if (i % 10 === 3) destination.flushSync()
      if (i % 20 === 7) fs.renameSync(file, `${file}.${i}`)
      if (i % 10 === 0 || i % 10 === 9) await following.until(() => following.texts.length > i)
    }
    destination.closeSync()
    fs.appendFileSync(file, '{"i":50}\n')
    await following.has('{"i":50}\n')
    expect(numbers(following.texts)).toEqual(upTo(51))
  })
})
