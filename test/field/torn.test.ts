import fs from 'node:fs'
import { describe, expect, it } from 'vitest'
import { engines, small } from '../support/engines'
import { Logger, shardlog } from '../support/shardlog'
import { tempLog } from '../support/temp'

// A process without an arena was killed in the middle of a write; before the next opening another
// program has appended. More lengths of what it appends: `append_point_test.cc`.

const SECTOR = 512
const ENTRIES = [40, 700, 5, 1_600, 470, 130, 600].map((length, i) => `${i}`.repeat(length))

/** Of a block of ENTRIES and its carrier. */
const BLOCK_BYTES = 4_096
const tears = Array.from({ length: BLOCK_BYTES / SECTOR - 1 }, (_, i) => (i + 1) * SECTOR)

/** The shortest, those about a sector's end, and some in between. */
const LENGTHS = Array.from({ length: 20 * 1_024 }, (_, i) => i + 1).filter(length => {
  const fromSector = Math.abs(((length + SECTOR / 2) % SECTOR) - SECTOR / 2)
  return length < 4 || (fromSector < 2 && length < 5 * SECTOR) || length % 1_999 === 0
})

function note(length: number, isEnded: boolean): string {
  const text = `note of another program ${length} `.repeat(Math.ceil(length / 24)).slice(0, length)
  return isEnded ? `${text.slice(0, -1)}\n` : text
}

async function textsOf(file: string): Promise<string[]> {
  const texts: string[] = []
  for await (const entry of shardlog.readLog(file)) texts.push(entry.text)
  return texts
}

describe.each(engines)('%s engine', engine => {
  const options = { ...small('', engine), crashSafe: false } as const

  function append(logFilePath: string, ...texts: string[]): void {
    const logger = new Logger({ ...options, logFilePath })
    for (const text of texts) expect(logger.log(text)).toBe(true)
    logger.closeSync()
  }

  /** A sound block, and behind it one of ENTRIES. */
  function twoBlocks(): { sound: Buffer; torn: Buffer } {
    const file = tempLog()
    append(file, 'first')
    const { size } = fs.statSync(file)
    append(file, ...ENTRIES)
    const bytes = fs.readFileSync(file)
    expect(bytes).toHaveLength(size + BLOCK_BYTES)
    return { sound: bytes.subarray(0, size), torn: bytes.subarray(size) }
  }

  it.each(tears)('a block torn behind %i bytes: what others have appended stays, no entry is mixed', async at => {
    const { sound, torn } = twoBlocks()
    for (const [i, length] of LENGTHS.entries()) {
      const appended = note(length, i % 2 === 0)
      const file = tempLog()
      fs.writeFileSync(file, Buffer.concat([sound, torn.subarray(0, at), Buffer.from(appended)]))
      append(file, 'next')
      const start = sound.length + at
      expect(fs.readFileSync(file).toString('latin1', start, start + length)).toBe(appended)
      const texts = await textsOf(file)
      expect([texts[0], texts.at(-1)]).toEqual(['first', 'next'])
      const between = texts.slice(1, -1)
      expect(between).toEqual(ENTRIES.slice(0, between.length))
      fs.rmSync(file)
    }
  })

  it.each(tears)('a block torn behind %i bytes to which nobody has appended is cut to its whole entries', async at => {
    const { sound, torn } = twoBlocks()
    const file = tempLog()
    fs.writeFileSync(file, Buffer.concat([sound, torn.subarray(0, at)]))
    append(file, 'next')
    const ends = ENTRIES.map((_, i) => 8 + ENTRIES.slice(0, i + 1).reduce((sum, text) => sum + 4 + text.length, 0))
    const whole = ENTRIES.filter((_, i) => ends[i]! <= at)
    expect(await textsOf(file)).toEqual(['first', ...whole, 'next'])
  })

  it('half a line of a file of lines stays, and so does what others have appended to it', () => {
    const line = '{"level":30,"msg":"half a line"}\n'
    for (const cut of [1, 10, line.length - 1]) {
      for (const length of LENGTHS) {
        const file = tempLog()
        const before = line + line.slice(0, cut) + note(length, length % 2 === 0)
        fs.writeFileSync(file, before)
        const destination = shardlog.destination({
          dest: file,
          format: 'ndjson',
          engine,
          crashSafe: false,
          dsync: false
        })
        shardlog({ base: null, timestamp: false }, destination).info('next')
        destination.closeSync()
        const ended = before.endsWith('\n') ? before : `${before}\n`
        expect(fs.readFileSync(file, 'utf8')).toBe(`${ended}{"level":30,"msg":"next"}\n`)
        fs.rmSync(file)
      }
    }
  })
})
