import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import zlib from 'node:zlib'
import { expect, onTestFinished } from 'vitest'
import { prelude } from '../support/child'
import { packageRoot, shardlog } from '../support/shardlog'

/**
 * What is logged: entries of `Logger`, or records of a structured logger to either kind of file.
 */
export type Kind = 'raw' | 'ndjson' | 'shard'
export const kinds: Kind[] = ['raw', 'ndjson', 'shard']

export interface Job {
  kind: Kind
  file: string
  /** Number of the first line. Each process of a log has numbers of its own. */
  first: number
  /**
   * How many lines are logged, and then the log is closed; without it, lines are logged until the
   * process is killed.
   */
  count?: number
  /**
   * Length of what all lines have in common; that of a record is bound to a child, and makes its
   * line long, not the record.
   */
  width?: number
  /** Of the Logger or the destination. */
  options?: object
}

/** Numbers that a process has logged: `promised` and all before it were accepted for certain. */
export interface Logged {
  first: number
  promised: number
}

const VICTIM = `
const fs = require('node:fs')
const { kind, file, first, count, width, options, ledger } = config
const told = Buffer.alloc(8)
const fd = fs.openSync(ledger, 'w')
const tell = n => { told.writeBigUInt64LE(BigInt(n)); fs.writeSync(fd, told, 0, 8, 0) }
const ctx = 'x'.repeat(width)
let destination, say
if (kind === 'raw') {
  destination = new Logger({ logFilePath: file, ...options })
  say = n => destination.log(JSON.stringify({ n, ctx }) + '\\n')
} else {
  destination = shardlog.destination({ dest: file, format: kind, ...options })
  const child = shardlog({ base: null }, destination).child({ ctx })
  say = n => child.info({ n }, 'm')
}
tell(first)
fs.writeSync(1, 'open\\n')
const end = count === undefined ? Infinity : first + count
for (let n = first; n < end; ) {
  for (let i = 0; i < 50 && n < end; i++) say(n++)
  tell(n)
}
destination.closeSync()
const { droppedLogs } = destination.getStatsSnapshot()
if (droppedLogs > 0) throw new Error(droppedLogs + ' dropped')
`

/** Sets that fill up in no time, and a logger that waits for room. */
const busy = {
  engine: 'native',
  bufferSize: 4 << 20,
  numShards: 2,
  flushInterval: 5,
  onFull: 'block',
  blockTimeout: 60_000
}

const STUCK_MS = 60_000

const sizeOf = (file: string): number => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0

/** A process that logs. */
export class Victim {
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown[]>
  readonly #job: Job
  readonly #ledger: string
  #before: number

  constructor(job: Job, ledger = `${job.file}.ledger-${job.first}`) {
    this.#job = job
    this.#ledger = ledger
    this.#before = sizeOf(job.file)
    const config = { width: 180, ...job, options: { ...busy, ...job.options }, ledger }
    this.#child = spawn(process.execPath, ['-e', prelude(config) + VICTIM], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#exited = once(this.#child, 'exit')
    onTestFinished(() => void this.#child.kill('SIGKILL'))
  }

  get #isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null
  }

  /** Waits until the log is open. */
  async opened(): Promise<void> {
    await Promise.race([once(this.#child.stdout!, 'data'), this.#exited])
    expect(this.#isOver).toBe(false)
    this.#before = sizeOf(this.#job.file)
  }

  /** Waits until the log has grown by so many bytes since it was opened. */
  async grown(bytes: number): Promise<void> {
    const deadline = Date.now() + STUCK_MS
    while (sizeOf(this.#job.file) < this.#before + bytes && !this.#isOver && Date.now() < deadline) await pause(1)
    expect(this.#isOver).toBe(false)
  }

  async kill(): Promise<Logged> {
    this.#child.kill('SIGKILL')
    await this.#exited
    expect(this.#child.signalCode).toBe('SIGKILL')
    return this.#logged()
  }

  /** Waits until it has logged and closed. */
  async end(): Promise<Logged> {
    const [code] = await this.#exited
    expect(code).toBe(0)
    return this.#logged()
  }

  #logged(): Logged {
    const told = fs.readFileSync(this.#ledger)
    // Nothing was told if it died before its first line.
    const promised = told.length === 8 ? Number(told.readBigUInt64LE()) : this.#job.first
    fs.rmSync(this.#ledger)
    return { first: this.#job.first, promised }
  }
}

/**
 * Logs until the file has grown since it was opened, and is killed shortly afterwards, which is
 * nearly always in the middle of a flush.
 */
export async function killed(job: Job, grown = 1 << 20): Promise<Logged> {
  const victim = new Victim(job)
  await victim.opened()
  await victim.grown(grown)
  await pause(Math.random() * 30)
  return victim.kill()
}

/** Opens the log, which recovers it, logs some lines and closes. */
export const restarted = (job: Job): Promise<Logged> => new Victim({ count: 500, ...job }).end()

/** `shardlog recover`; returns its status. */
export function recover(file: string, ...options: string[]): { status: number | null; output: string } {
  const args = [path.join(packageRoot, 'dist', 'cli', 'main.js'), 'recover', ...options, file]
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: STUCK_MS })
  return { status, output: stdout + stderr }
}

/** @param isLeft whether recovery could not go on with the file: it may end within a line then */
async function* textsOf(file: string, kind: Kind, isLeft: boolean): AsyncGenerator<string> {
  if (kind !== 'ndjson') {
    for await (const { text } of shardlog.readLog(file, { format: 'shard' })) yield text.trimEnd()
    return
  }
  const content = fs.readFileSync(file)
  const bytes = file.endsWith('.gz') ? zlib.gunzipSync(content) : content
  // Line by line: the whole may be more than a string can hold.
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0x0a, at)
    if (end < 0 && isLeft) return
    if (end < 0) throw new Error(`${file} ends within a line`)
    if (end > at) yield bytes.toString('latin1', at, end)
    at = end + 1
  }
}

/**
 * What other programs append; also to the half of a line of ours, which a failed write or a kill
 * has left at the end of the file.
 */
const NOTE = /^(\{.*)?(a note|note) [ -z]*$/

/** The rest of a line of ours, which was on its way when others appended behind the half of it. */
const REST = /^[^{].*"(n|msg)":("m"|\d+)\}$/

/** What some files hold together. */
export interface Found {
  /** How often each number is there. */
  times: Map<number, number>
  /** Lines that are neither ours nor notes of others. */
  torn: string[]
}

/** @param left those of the files that recovery could not go on with */
export async function find(files: string[], kind: Kind, left: string[] = []): Promise<Found> {
  const found: Found = { times: new Map(), torn: [] }
  for (const file of files) {
    for await (const text of textsOf(file, kind, left.includes(file))) {
      const n = numberOf(text)
      if (n === undefined) {
        if (!NOTE.test(text)) found.torn.push(text)
      } else found.times.set(n, (found.times.get(n) ?? 0) + 1)
    }
  }
  return found
}

function numberOf(line: string): number | undefined {
  try {
    return (JSON.parse(line) as { n?: number }).n
  } catch {
    return undefined // A line of somebody else, or one that is torn.
  }
}

/** What is wrong: by figures, and the first few of each. */
export function faults({ times, torn }: Found, logged: Logged[]): object {
  const all = [...times.keys()]
  const twice = all.filter(n => times.get(n)! > 1)
  const lost: number[] = []
  for (const { first, promised } of logged) {
    const next = Math.min(...logged.map(other => other.first).filter(start => start > first), Number.MAX_SAFE_INTEGER)
    const last = all.reduce((most, n) => (n < next && n > most ? n : most), promised - 1)
    for (let n = first; n <= last; n++) if (!times.has(n)) lost.push(n)
  }
  const some = (list: unknown[]) => ({ count: list.length, some: list.slice(0, 3) })
  return { twice: some(twice), lost: some(lost), torn: some(torn.map(text => text.slice(0, 80))) }
}

const none = { count: 0, some: [] }

/**
 * Each accepted line is in one of the files, once and whole. Others' lines end in a newline, and
 * are not JSON.
 * @param rests how many lines of a text may have been divided by what others appended, and are
 *   there whole as well
 * @param left those of the files that may end within a line of text
 */
export async function expectOnce(
  files: string[],
  kind: Kind,
  logged: Logged[],
  rests = 0,
  left: string[] = []
): Promise<void> {
  const found = await find(files, kind, left)
  const divided = found.torn.filter(text => REST.test(text)).slice(0, rests)
  found.torn = found.torn.filter(text => !divided.includes(text))
  expect(faults(found, logged)).toEqual({ twice: none, lost: none, torn: none })
}

/**
 * As `expectOnce`, but the rotated files are where recovery does not find them: what was on its way
 * to them ends anywhere, and is repeated whole in the log.
 */
export async function expectNothingLost(rotated: string[], log: string, kind: Kind, logged: Logged[]): Promise<void> {
  const found = await find([...rotated, log], kind, rotated)
  expect(faults(found, logged)).toMatchObject({ lost: none, torn: none })
}

/** Files of the directory that are neither the log nor one that was made of it. */
export const leftBeside = (file: string): string[] =>
  fs.readdirSync(path.dirname(file)).filter(name => /arena|spill|ledger/.test(name))
