import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Damage, readLog } from '../../lib/reader'
import { lines, makeBlock, makePlainBlock } from '../support/make-log'
import { tempDir } from '../support/temp'

let file: string
let stop: AbortController

beforeEach(() => {
  file = path.join(tempDir(), 'a.log')
  stop = new AbortController()
})

afterEach(() => stop.abort())

/** Follows in the background; `until` resolves when an entry with that text has come. */
function follow(paths: string | string[] = file) {
  const texts: string[] = []
  const damage: Damage[] = []
  let wake = () => {}
  const done = (async () => {
    for await (const entry of readLog(paths, { follow: true, signal: stop.signal, onDamage: d => damage.push(d) })) {
      texts.push(entry.text)
      wake()
    }
  })()
  const until = async (text: string) => {
    while (!texts.includes(text)) {
      await new Promise<void>(resolve => {
        wake = resolve
      })
    }
  }
  return { texts, damage, done, until }
}

describe('readLog with follow', () => {
  it('shows what is there and what is appended, and ends without an error when told to', async () => {
    fs.writeFileSync(file, makeBlock(lines('a', 3)))
    const following = follow()
    await following.until('a 2')
    fs.appendFileSync(file, makeBlock(['b'], { sequence: 1n }))
    await following.until('b')
    stop.abort()
    await following.done
    expect(following.texts).toEqual(['a 0', 'a 1', 'a 2', 'b'])
    expect(following.damage).toEqual([])
  })

  it('waits for the rest of a block that is half written', async () => {
    const block = makeBlock([Buffer.alloc(3000, 'x').toString()], { sequence: 1n })
    fs.writeFileSync(file, Buffer.concat([makeBlock(['a']), block.subarray(0, 700)]))
    const following = follow()
    await following.until('a')
    fs.appendFileSync(file, block.subarray(700))
    fs.appendFileSync(file, makeBlock(['c'], { sequence: 2n }))
    await following.until('c')
    expect(following.texts.map(text => text.length)).toEqual([1, 3000, 1])
    expect(following.damage).toEqual([])
  })

  it('does not pass over zeros at the end, which may be space for blocks to come', async () => {
    const first = makeBlock(['a'])
    fs.writeFileSync(file, Buffer.concat([first, Buffer.alloc(8192)]))
    const following = follow()
    await following.until('a')
    const fd = fs.openSync(file, 'r+')
    fs.writeSync(fd, makeBlock(['b'], { sequence: 1n }), 0, 512, first.length)
    fs.closeSync(fd)
    await following.until('b')
    expect(following.texts).toEqual(['a', 'b'])
  })

  it('goes over to the file that takes its place, after the rest of the old one', async () => {
    fs.writeFileSync(file, makeBlock(['a']))
    const following = follow()
    await following.until('a')
    fs.renameSync(file, `${file}.1`)
    fs.appendFileSync(`${file}.1`, makeBlock(['b'], { sequence: 1n }))
    fs.writeFileSync(`${file}.new`, makeBlock(['c'], { sequence: 2n }))
    fs.renameSync(`${file}.new`, file)
    await following.until('c')
    expect(following.texts).toEqual(['a', 'b', 'c'])
    expect(following.damage).toEqual([])
  })

  it('begins anew where the file was cut, and says so', async () => {
    fs.writeFileSync(file, Buffer.concat([makeBlock(['a']), makeBlock(['b'], { sequence: 1n })]))
    const following = follow()
    await following.until('b')
    fs.truncateSync(file, 0)
    fs.appendFileSync(file, makeBlock(['c'], { stream: 7n }))
    await following.until('c')
    expect(following.texts).toEqual(['a', 'b', 'c'])
    expect(following.damage.map(found => found.kind)).toEqual(['replaced'])
  })

  it('steps over damage in the middle', async () => {
    const bad = makeBlock(['b'], { sequence: 1n })
    bad[12]! ^= 1
    fs.writeFileSync(
      file,
      Buffer.concat([makeBlock(['a']), bad, makePlainBlock(['c']), makeBlock(['d'], { sequence: 2n })])
    )
    const following = follow()
    await following.until('d')
    expect(following.texts).toEqual(['a', 'd'])
    expect(following.damage.map(found => found.kind)).toContain('bad-trailer')
  })

  it('follows several files', async () => {
    const other = `${file}.other`
    fs.writeFileSync(file, makeBlock(['a']))
    fs.writeFileSync(other, makeBlock(['b']))
    const following = follow([file, other])
    await following.until('b')
    fs.appendFileSync(file, makeBlock(['c'], { sequence: 1n }))
    await following.until('c')
    fs.appendFileSync(other, makeBlock(['d'], { sequence: 1n }))
    await following.until('d')
    expect(following.texts).toEqual(['a', 'b', 'c', 'd'])
  })

  it('wants its files to be there at the start', async () => {
    await expect(follow(`${file}.none`).done).rejects.toMatchObject({ code: 'ERR_SHARDLOG_READ', errno: 'ENOENT' })
  })
})
