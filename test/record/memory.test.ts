import { execFileSync } from 'node:child_process'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../support/shardlog'

interface Memory {
  heapUsed: number
  arrayBuffers: number
  /** What no file is behind: the native heap, too. */
  anonymous: number
}

interface Figures {
  before: Memory
  after: Memory
  droppedLogs: number
}

const MIB = 1 << 20
/** The long form is `node scripts/record-memory.js`. */
const COUNT = 200_000

/** Memory after a tenth of the records and after all of them. */
function measure(scenario: string, count: number, format: string): Figures {
  const script = path.join(packageRoot, 'scripts', 'record-memory.js')
  const args = ['--expose-gc', script, scenario, String(count), format]
  const figures = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', timeout: 110_000 })) as Figures
  expect(figures.droppedLogs).toBe(0)
  return figures
}

const total = ({ heapUsed, arrayBuffers }: Memory): number => heapUsed + arrayBuffers

describe.runIf(process.platform === 'linux')('memory of a structured logger', () => {
  it.each([
    'ever new keys',
    'ever new messages',
    'ever new keys and messages',
    'messages now new, now known',
    'ever new bindings of children',
    'ever new keys of children’s bindings',
    'ever new level texts of children',
    'ever new events'
  ])('has a bound, whatever is logged: %s', { timeout: 120_000 }, scenario => {
    const { before, after } = measure(scenario, COUNT, 'ndjson')
    expect(total(after) - total(before)).toBeLessThan(8 * MIB)
    // Native memory settles 10 to 40 MiB higher, from run to run; after 1,000,000 records it is no
    // more.
    expect(after.anonymous - before.anonymous).toBeLessThan(96 * MIB)
  })

  it('of a child is small', { timeout: 120_000 }, () => {
    const count = COUNT / 10
    const { before, after } = measure('live children', count, 'ndjson')
    expect(total(after) - total(before)).toBeLessThan(count * 3_000)
  })

  it.each(['ndjson', 'shard'])('of enormous lines is given back: %s', { timeout: 120_000 }, format => {
    const { before, after } = measure('enormous lines at last', 2_000, format)
    expect(total(after) - total(before)).toBeLessThan(8 * MIB)
    expect(after.anonymous - before.anonymous).toBeLessThan(48 * MIB)
  })
})
