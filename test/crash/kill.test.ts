import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import pino, { type LoggerOptions } from 'pino'
import { expect, test } from 'vitest'

interface Sum {
  seed: number
  kills: number
  entries: number
  acknowledged: number
  lost: number
  torn: number
  twice: number
  disordered: number
  problems: string[]
}

type Found = Omit<Sum, 'seed' | 'kills'>

interface CrashTest {
  crashTest(options: { kills: number; seed?: number; kinds?: string[] }): Promise<Sum>
  check(files: string | string[], ackLogs: string): Found
  checkRecords(files: string | string[], ackLogs: string, format: 'ndjson' | 'shard', jobs: Map<number, object>): Found
  checkPiped(piped: string[], recovered: string, ackLogs: string, jobs: Map<number, object>): Found
}

const { crashTest, check, checkPiped, checkRecords } = require('../../crash-test/rounds') as CrashTest

interface Job {
  seed: number
  variant: number
  largest: number
}

interface Records {
  optionsOf(make: object, variant: number, round: number, thread: number): object
  Driver: new (log: object, seed: number, largest: number) => { say(number: number): void }
}

const { optionsOf, Driver } = require('../../crash-test/records') as Records

/** The long form is `node crash-test/main.js`. */
const KILLS = 10

test.each([
  ['entries of the raw logger', 'entries'],
  ['records in a file of lines', 'ndjson'],
  ['records in a shard file', 'shard'],
  ['records to a pipe', 'pipe'],
  ['records with long lines in a file of lines', 'long-ndjson'],
  ['records with long lines in a shard file', 'long-shard']
])(
  'a killed process loses nothing that was accepted, also if its recovery is killed: %s',
  {
    timeout: 300_000
  },
  async (_name, kind) => {
    const sum = await crashTest({ kills: KILLS, kinds: [kind] })
    expect(sum).toMatchObject({ lost: 0, torn: 0, twice: 0, disordered: 0, problems: [] })
    expect(sum.kills).toBeGreaterThanOrEqual(KILLS)
    expect(sum.entries).toBeGreaterThanOrEqual(sum.acknowledged)
    expect(sum.acknowledged).toBeGreaterThan(0)
  }
)

/** A block of the given payloads, without a trailer. */
function block(...payloads: string[]): Buffer {
  const entries = payloads.map(payload => {
    const entry = Buffer.alloc(4 + Buffer.byteLength(payload))
    entry.writeUInt32LE(entry.length - 4)
    entry.write(payload, 4)
    return entry
  })
  const valid = Buffer.concat(entries)
  const bytes = Buffer.alloc(Math.ceil((8 + valid.length) / 512) * 512)
  bytes.writeUInt32LE(4096)
  bytes.writeUInt32LE(valid.length, 4)
  valid.copy(bytes, 8)
  return bytes
}

/**
 * Has `use` look into a directory with a ackLog of `acknowledged` entries of thread 0 in round 0.
 */
function withLedger(acknowledged: number, use: (log: string, ackLogs: string) => void): void {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-check-'))
  try {
    const ackLogs = path.join(directory, 'ackLogs')
    const ackLog = Buffer.alloc(8)
    ackLog.writeBigUInt64LE(BigInt(acknowledged))
    fs.mkdirSync(ackLogs)
    fs.writeFileSync(path.join(ackLogs, '0-0'), ackLog)
    use(path.join(directory, 'log'), ackLogs)
  } finally {
    fs.rmSync(directory, { recursive: true })
  }
}

test.each([
  ['lost', ['0/0/0/e30c2799/f', '0/0/1/e40c292c/a'], 3, { lost: 1 }],
  ['twice', ['0/0/0/e40c292c/a', '0/0/0/e40c292c/a'], 1, { twice: 1 }],
  ['out of order', ['0/0/1/e40c292c/a'], 0, { disordered: 1 }],
  ['torn', ['0/0/0/e40c292c/b'], 0, { torn: 1 }]
])('the check of the crashTest sees an entry that is %s', (_name, payloads, acknowledged, expected) => {
  withLedger(acknowledged, (log, ackLogs) => {
    fs.writeFileSync(log, block(...payloads))
    expect(check(log, ackLogs)).toMatchObject(expected)
  })
})

/** Lines of pino for records 0 to `count` of a job. */
function linesOfPino(job: Job, count: number): string[] {
  const lines: string[] = []
  const log = pino(optionsOf(pino, job.variant, 0, 0) as LoggerOptions, { write: line => void lines.push(line) })
  const speaker = new Driver(log, job.seed, job.largest)
  for (let number = 0; number < count; number++) speaker.say(number)
  return lines
}

test.each([
  ['right', (lines: string[]) => lines, { lost: 0, torn: 0, twice: 0, disordered: 0, entries: 9 }],
  ['lost', (lines: string[]) => lines.slice(0, 8), { lost: 1 }],
  ['twice', (lines: string[]) => [...lines, lines[8]!], { twice: 1, lost: 0 }],
  ['out of order', (lines: string[]) => [lines[1]!, lines[0]!, ...lines.slice(2)], { disordered: 1 }],
  ['torn', (lines: string[]) => [lines[0]!.slice(0, -9), ...lines.slice(1)], { torn: 1 }],
  ['not what was logged', (lines: string[]) => [lines[0]!.replace('}', ',"x":1}'), ...lines.slice(1)], { torn: 1 }]
])('the check of the crashTest sees a record that is %s', (_name, spoil, expected) => {
  withLedger(9, (log, ackLogs) => {
    const job = { seed: 5, variant: 0, largest: 100 }
    fs.writeFileSync(log, spoil(linesOfPino(job, 9)).join(''))
    expect(checkRecords(log, ackLogs, 'ndjson', new Map([[0, { ...job, round: 0 }]]))).toMatchObject(expected)
  })
})

test.each([
  ['is in both, and cut off in the pipe', [0, 5], [4, 9], {}],
  ['is in one or the other', [0, 5], [5, 9], {}],
  ['is nowhere', [0, 5], [6, 9], { disordered: 1 }],
  ['is lost', [0, 5], [4, 8], { lost: 1 }]
])('the check of the crashTest sees a record to a pipe that %s', (_name, piped, left, expected) => {
  withLedger(9, (log, ackLogs) => {
    const job = { seed: 5, variant: 0, largest: 100 }
    const lines = linesOfPino(job, 9)
    fs.writeFileSync(`${log}.piped`, lines.slice(...piped).join('') + lines[piped[1]!]!.slice(0, 9))
    fs.writeFileSync(log, lines.slice(...left).join(''))
    const found = checkPiped([`${log}.piped`], log, ackLogs, new Map([[0, { ...job, round: 0 }]]))
    expect(found).toMatchObject({ lost: 0, torn: 0, twice: 0, disordered: 0, ...expected })
  })
})

test('the check of the crashTest sees a record that is recovered twice', () => {
  withLedger(3, (log, ackLogs) => {
    const job = { seed: 5, variant: 0, largest: 100 }
    const [first, second, third] = linesOfPino(job, 3)
    fs.writeFileSync(`${log}.piped`, `${first}${second}`)
    fs.writeFileSync(log, `${second}${second}${third}`)
    const found = checkPiped([`${log}.piped`], log, ackLogs, new Map([[0, { ...job, round: 0 }]]))
    expect(found).toMatchObject({ lost: 0, twice: 1 })
  })
})
