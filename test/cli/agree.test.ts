import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { Recorder } from '../../lib/public'
import { makeBlock } from '../support/make-log'
import fc from '../support/random'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')
const LABELS: Record<string, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }
const START = 1_764_419_926_000

type Fields = Record<string, unknown>

/** What a command tells of a record. Times are ns; null: it tells none. */
interface Told {
  time: bigint | null
  level: string
  name: string
  msg: string
  fields: Fields
}

const text = fc.string({ unit: 'binary', maxLength: 12 })
const key = fc.oneof(
  { weight: 1, arbitrary: text },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      'a',
      'A',
      'b',
      'user',
      'file',
      'fields',
      'time_ns',
      'pid',
      'service',
      'thread',
      'it\'s "x"'
    )
  }
)
const value = fc.oneof(
  fc.jsonValue({ maxDepth: 2 }),
  fc.integer(),
  fc.boolean(),
  text,
  fc.constantFrom(2 ** 60, 1e21, 1.5e-9)
)
const fields = fc.dictionary(key, value, { maxKeys: 5 })

const record = fc
  .record(
    {
      level: fc.oneof(fc.constantFrom(10, 20, 30, 40, 50, 60, 35, 'info', 'custom')),
      time: fc.oneof(
        fc.nat(10_000_000).map(ms => START + ms),
        fc.nat(10_000_000).map(us => START + us / 1000),
        fc.nat(10_000_000).map(ms => new Date(START + ms).toISOString())
      ),
      name: text.filter(name => name !== ''),
      msg: fc.oneof({ weight: 4, arbitrary: text }, { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) }),
      fields
    },
    { requiredKeys: ['time', 'fields'] }
  )
  .map(({ fields: own, ...known }) => JSON.stringify({ ...own, ...known }))

/** Lines that other programs write, or that loggers write of keys that come twice. */
const odd = fc.oneof(
  text.filter(line => /^[^\s{[]/.test(line) && !/[\n\r]/.test(line) && line === line.trimEnd()),
  fc.constantFrom('{"a":1', '[1,2]', '"text"', '{"a":1} x', '{"time":"Mon, 05 Jan 2026 10:00:00 GMT","msg":"x"}'),
  fc.integer().map(n => `{"level":30,"time":${START},"user":1,"level":40,"user":${n}}`)
)
const lines = fc.array(fc.oneof({ weight: 8, arbitrary: record }, { weight: 1, arbitrary: odd }), {
  minLength: 1,
  maxLength: 60
})
const clean = fc.array(record, { minLength: 1, maxLength: 60 })

const isObject = (parsed: unknown): parsed is Fields =>
  typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)

function asText(given: unknown): string {
  if (typeof given === 'string') return given
  return given === undefined || given === null ? '' : JSON.stringify(given)
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

function nanoseconds(time: unknown): bigint | null {
  const ms = typeof time === 'string' ? Date.parse(time) : typeof time === 'number' ? time : Number.NaN
  if (!(ms > 0)) return null
  const whole = Math.floor(ms)
  return BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6))
}

/** What a line tells, by the lines that `cat` prints. */
function toldByLine(line: string): Told {
  const found = parsed(line)
  if (!isObject(found)) return { time: null, level: '', name: '', msg: line, fields: {} }
  const { level, time, name, msg, ...others } = found
  return {
    time: nanoseconds(time),
    level: LABELS[String(level)] ?? asText(level),
    name: asText(name),
    msg: asText(msg),
    fields: others
  }
}

function shardlog(...args: string[]): string {
  const { stdout, stderr, status } = spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    maxBuffer: 1 << 28
  })
  if (status !== 0) throw new Error(`${args.join(' ')}: ${stderr}`)
  return stdout
}

const jsonLines = (output: string): Fields[] =>
  output
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Fields)

/** Numbers of a message that is JSON may be printed in more ways than one. */
function canonical(msg: string): string {
  const found = parsed(msg)
  return found === null ? msg : JSON.stringify(found)
}

/** Records of each file, in an order that depends on nothing but them. */
function byFile<Row extends { file: string; told: Told }>(rows: readonly Row[]): Map<string, string[]> {
  const files = new Map<string, string[]>()
  for (const { file, told } of rows) {
    const sorted = Object.fromEntries(Object.entries(told.fields).sort(([a], [b]) => (a < b ? -1 : 1)))
    const line = JSON.stringify([String(told.time), told.level, told.name, canonical(told.msg), sorted])
    files.set(file, [...(files.get(file) ?? []), line])
  }
  for (const all of files.values()) all.sort()
  return files
}

/** ns of what `view` prints. */
function nsOfIso(iso: string): bigint {
  return BigInt(Date.parse(`${iso.slice(0, 19)}Z`)) * 1_000_000n + BigInt(iso.slice(20, 29))
}

const viewed = (files: readonly string[]): { file: string; told: Told }[] =>
  jsonLines(shardlog('view', '--json', ...files)).map(row => ({
    file: row.file as string,
    told: {
      time: row.time === null ? null : nsOfIso(row.time as string),
      level: row.level as string,
      name: row.target as string,
      msg: row.message as string,
      fields: row.fields as Fields
    }
  }))

const NS = /"time_ns":(\d+)/

function queried(files: readonly string[]): { file: string; told: Told; row: Fields }[] {
  return shardlog('query', '--json', 'from logs', ...files)
    .split('\n')
    .filter(line => line !== '')
    .map(line => {
      const row = JSON.parse(line) as Fields
      const time = NS.exec(line)?.[1]
      return {
        file: row.file as string,
        row,
        told: {
          time: time === undefined ? null : BigInt(time),
          level: asText(row.level),
          name: asText(row.name),
          msg: asText(row.msg),
          fields: row.fields as Fields
        }
      }
    })
}

/** Whether a column has the value of a field: some are text because other values of the key are. */
function isSame(column: unknown, field: unknown): boolean {
  if (field === null || field === undefined) return column === null || column === undefined
  if (typeof column === 'string' && typeof field !== 'string') return isSame(parsed(column), field)
  return JSON.stringify(column) === JSON.stringify(field)
}

function writeLogs(directory: string, content: readonly string[]): string[] {
  const file = (name: string, bytes: string | Buffer): string => {
    const place = path.join(directory, name)
    fs.writeFileSync(place, bytes)
    return place
  }
  const whole = `${content.join('\n')}\n`
  const half = Math.floor(content.length / 2)
  const blocks = [content.slice(0, half), content.slice(half)].filter(entries => entries.length > 0)
  return [
    file('plain.log', whole),
    file("it's [a] *.log", `${content.join('\r\n')}\r\n`),
    file('zipped', gzipSync(whole)),
    file(
      'blocks.log',
      Buffer.concat(
        blocks.map((entries, i) =>
          makeBlock(
            entries.map(line => `${line}\n`),
            { sequence: BigInt(i) }
          )
        )
      )
    )
  ]
}

it.each([
  ['loggers', clean],
  ['loggers and others', lines]
])(
  'view, query and cat tell the same of every line of %s',
  (_, arbitrary) => {
    const root = tempDir()
    fc.assert(
      fc.property(arbitrary, content => {
        const directory = fs.mkdtempSync(path.join(root, 'run-'))
        const files = writeLogs(directory, content)
        const printed = jsonLines(shardlog('cat', '--json', ...files)).map(row => ({
          file: row.path as string,
          told: toldByLine((row.text as string).trimEnd())
        }))
        expect(printed).toHaveLength(files.length * content.length)
        const rows = queried(files)
        expect(byFile(rows)).toEqual(byFile(printed))
        for (const { row, told } of rows) {
          for (const [name, field] of Object.entries(told.fields)) {
            if (/^[a-z]$|user/.test(name) && name in row) expect([name, isSame(row[name], field)]).toEqual([name, true])
          }
        }
        // A line without a time has that of the line before it.
        for (const file of files) {
          let before: bigint | null = null
          for (const { told, file: of } of printed) {
            if (of !== file) continue
            told.time ??= told.fields.time === undefined ? before : null
            before = told.time
          }
        }
        expect(byFile(viewed(files))).toEqual(byFile(printed))
      }),
      { numRuns: 8, endOnFailure: true }
    )
  },
  240_000
)

it('view and query tell the same of every event of a snapshot and of a recorder', async () => {
  const root = tempDir()
  const event = fc.record({
    us: fc.nat(10_000_000),
    level: fc.constantFrom('trace', 'debug', 'info', 'warn', 'error'),
    target: text,
    message: text,
    fields
  })
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 60 }), async events => {
      const directory = fs.mkdtempSync(path.join(root, 'run-'))
      const recorder = new Recorder({ directory, service: 'shop', onCrash: false, onFatal: false })
      try {
        for (const { us, ...others } of events) {
          recorder.add({ ...others, timestampNanos: BigInt(START) * 1_000_000n + BigInt(us) * 1_001n })
        }
        const files = [await recorder.snapshot('test'), path.join(directory, '.shop.recorder')]
        const rows = queried(files)
        expect(rows).toHaveLength(2 * events.length)
        expect(byFile(rows)).toEqual(byFile(viewed(files)))
        for (const { row, told } of rows) {
          expect(isSame(row.pid, told.fields.pid ?? process.pid)).toBe(true)
          if (told.fields.service === undefined) expect(row.service).toBe('shop')
        }
      } finally {
        recorder.close()
      }
    }),
    { numRuns: 6, endOnFailure: true }
  )
}, 240_000)
