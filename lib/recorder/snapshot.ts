/** Snapshot files: docs/reference/snapshot-format.md. */

import fs from 'node:fs'
import path from 'node:path'
import { fromSystemError, ShardlogError } from '../errors'
import { setImmediate } from '../timers'
import { type About, type Arena, type DrainedRun, FIRST_OFFSET, overwrittenOf } from './arena'
import { codec } from './codec'
import { EventDecoder, type Parse, type RecordedEvent } from './decode'
import { asFileName } from './file-name'
import { parseWellFormed } from './json'
import { isLeft } from './left'
import type { ResolvedOptions, RetentionOptions } from './options'
import { marksIn, putMark, removeMarksOf, type UploadInfo, unmark } from './upload-mark'

export const FORMAT = 'shardlog-snapshot'
const VERSION = 1
/**
 * Events that are read or encoded in one go, between which the event loop does other things: some
 * milliseconds.
 */
const STEP_EVENTS = 2000
const NAME = /^shardlog-\d+-\d{17}-.*\.bin$/
const MODE = 0o600
/** Files of one name, but for a number, that are looked for a free one among. */
const MOST_OF_A_NAME = 10_000
const NS_PER_MS = 1_000_000n
/** LZ4 makes no more than so many bytes of one. */
const MOST_RATIO = 255

export interface SnapshotCounters {
  /** Events that were ever recorded. */
  recorded: number
  /** Of these, the ones that were overwritten before. */
  overwritten: number
  /** Of these, the ones that an earlier snapshot has taken out. */
  drained: number
  dropped: number
  truncated: number
  /** Entries of the ring that could not be read. */
  damaged: number
}

/** What a snapshot's file says. */
export interface Snapshot {
  service: string
  hostname: string
  pid: number
  reason: string
  /** ISO 8601, UTC. */
  created_at: string
  versions: Record<string, string>
  levels: Record<string, number>
  counters: SnapshotCounters
  events: RecordedEvent[]
}

/** Up to where each run has been told. */
export type Watermark = Map<number, number>

export interface Request {
  arena: Arena
  reason: string
  /** Leaves out events older than this, in ms; 0: none. */
  minAge: number
  /** Leaves out what was told before, and is moved on. */
  watermark?: Watermark | undefined
  /** Is given what has been read. */
  read?: DrainedRun[] | undefined
}

export interface Place extends Pick<ResolvedOptions, 'directory' | 'retention'> {
  /** What uploads them; null: nothing does. */
  upload?: ResolvedOptions['upload']
}

/** How a file gets its name: never another's. */
interface Naming {
  nameFor: (number: number) => string
  /** Of what is to be uploaded; null: it is not. */
  info: UploadInfo | null
}

interface Content {
  events: RecordedEvent[]
  counters: SnapshotCounters
}

const byTime = (a: RecordedEvent, b: RecordedEvent): number => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0)

function isSorted(events: readonly RecordedEvent[]): boolean {
  for (let i = 1; i < events.length; i++) if (events[i]!.time < events[i - 1]!.time) return false
  return true
}

/**
 * Decodes an arena, in the order of time; of one thread, in its own. Yields now and then.
 *
 * @param parse what JSON in it is parsed by; by default as it is
 */
export function* readEvents(
  { arena, minAge, watermark, read }: Omit<Request, 'reason'>,
  parse?: Parse
): Generator<void, Content> {
  const decoder = new EventDecoder(arena, parse)
  let events: RecordedEvent[] = []
  for (const run of arena.runs) {
    const before = decoder.read + decoder.damaged
    const told = watermark?.get(run.sequence) ?? run.start
    for (const event of decoder.eventsOf(run, Math.max(told, run.from))) {
      events.push(event)
      if (events.length % STEP_EVENTS === 0) yield
    }
    read?.push({
      sequence: run.sequence,
      end: run.end - run.start + FIRST_OFFSET,
      events: decoder.read + decoder.damaged - before
    })
  }
  if (!isSorted(events)) events.sort(byTime)
  const { dropped, truncated, drained, live } = arena
  const present = decoder.read + decoder.damaged
  // A kill may come between an event and its being counted; and what was overwritten while it was
  // copied is counted as live.
  const recorded = arena.recorded + Math.max(0, present - live)
  const overwritten = overwrittenOf({ ...arena, recorded, live: present })
  const counters = { recorded, overwritten, drained, dropped, truncated, damaged: decoder.damaged }
  if (watermark !== undefined) {
    watermark.clear()
    for (const run of arena.runs) watermark.set(run.sequence, run.end)
  }
  const last = events.at(-1)
  if (minAge > 0 && last !== undefined) {
    const oldest = last.time - BigInt(minAge) * NS_PER_MS
    events = events.filter(event => event.time >= oldest)
  }
  return { events, counters }
}

/** An arena whose process says of itself what UTF-8 can say. The key is looked for as it is. */
function wellFormed(arena: Arena): Arena {
  const about = parseWellFormed(JSON.stringify(arena.about)) as About
  return { ...arena, about: { ...about, messageKey: arena.about.messageKey } }
}

/** The head of a CBOR array. */
function arrayHead(length: number): Buffer {
  const head = Buffer.alloc(5)
  head[0] = 0x9a
  head.writeUInt32BE(length, 1)
  return head
}

/** Bytes of the head that the encoder gives an array. */
function headBytes(length: number): number {
  if (length < 24) return 1
  if (length < 0x100) return 2
  return length < 0x10000 ? 3 : 5
}

/**
 * The file's content before compression; null if there is nothing to tell that was not told before.
 * Yields now and then.
 */
function* encodeSteps(request: Request, created: Date): Generator<void, Buffer | null> {
  const { encode } = codec()
  const { reason } = request
  const arena = wellFormed(request.arena)
  const { about, pid } = arena
  const { events, counters } = yield* readEvents({ ...request, arena }, parseWellFormed)
  if (request.watermark !== undefined && events.length === 0) return null
  const head = {
    format: FORMAT,
    version: VERSION,
    service: about.service,
    hostname: about.hostname,
    pid,
    reason: Buffer.from(reason).toString(),
    created_at: created.toISOString(),
    versions: about.versions,
    levels: about.levels,
    counters
  }
  const names = Object.entries(head)
  const parts: Buffer[] = [Buffer.from([0xa0 + names.length + 1])]
  // What the encoder returns is its own memory only until the next call for large values: what is
  // kept is copied.
  for (const [name, value] of names) parts.push(Buffer.from(encode(name)), Buffer.from(encode(value)))
  parts.push(Buffer.from(encode('events')), arrayHead(events.length))
  for (let at = 0; at < events.length; at += STEP_EVENTS) {
    const some = events.slice(at, at + STEP_EVENTS)
    parts.push(Buffer.from(encode(some).subarray(headBytes(some.length))))
    yield
  }
  return Buffer.concat(parts)
}

function runAtOnce<Result>(steps: Generator<void, Result>): Result {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
  }
}

async function runInSteps<Result>(steps: Generator<void, Result>): Promise<Result> {
  for (;;) {
    const step = steps.next()
    if (step.done) return step.value
    await new Promise<void>(resolve => setImmediate(resolve))
  }
}

function nameOf(pid: number, created: Date, reason: string, number: number): string {
  const stamp = created.toISOString().replace(/\D/g, '')
  return `shardlog-${pid}-${stamp}-${asFileName(reason)}${number === 1 ? '' : `-${number}`}.bin`
}

function failure(error: unknown, file: string): ShardlogError {
  if (error instanceof ShardlogError) return error
  return fromSystemError('ERR_SHARDLOG_SNAPSHOT', `cannot write the snapshot ${file}`, error, file)
}

let temporaries = 0

/** A name in the directory that nobody else takes, while the file is not whole. */
function temporaryName(directory: string): string {
  return path.join(directory, `.shardlog-${process.pid}-${Date.now()}-${++temporaries}.tmp`)
}

const TEMPORARY = /^\.shardlog-(\d+)-\d+-\d+\.tmp$/

/** Removes what processes that are over had not written to the end. */
export function removeHalfWritten(directory: string): void {
  let names: string[]
  try {
    names = fs.readdirSync(directory)
  } catch {
    // There is nothing in it that could be in the way.
    return
  }
  for (const name of names) {
    const [, pid] = TEMPORARY.exec(name) ?? []
    const file = path.join(directory, name)
    if (pid !== undefined && isLeft(file, Number(pid))) fs.rmSync(file, { force: true })
  }
}

/** Gives a file that is whole its name, or that with a number; never another's. The name. */
function publish(temporary: string, directory: string, { nameFor, info }: Naming): string {
  for (let number = 1; ; number++) {
    const file = path.join(directory, nameFor(number))
    // The mark comes first: what a kill leaves without its file is removed at the next start.
    if (info !== null && !putMark(file, info, MODE)) {
      if (number < MOST_OF_A_NAME) continue
      throw new Error(`too many files are called ${file}`)
    }
    try {
      if (named(temporary, file, number)) return file
    } catch (error) {
      if (info !== null) unmark(file)
      throw error
    }
    if (info !== null) unmark(file)
  }
}

/** False if there is a file of that name. */
function named(temporary: string, file: string, number: number): boolean {
  try {
    fs.linkSync(temporary, file)
    fs.unlinkSync(temporary)
    return true
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST' && number < MOST_OF_A_NAME) return false
    // A file system without links.
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'ENOSYS' && code !== 'EMLINK') throw error
  }
  if (fs.existsSync(file)) return false
  fs.renameSync(temporary, file)
  return true
}

/** Whether a directory may be written to and not be read: it can neither be synced nor listed. */
const isUnreadable = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EACCES'

function syncDirectory(directory: string): void {
  let fd: number
  try {
    fd = fs.openSync(directory, 'r')
  } catch (error) {
    if (isUnreadable(error)) return
    throw error
  }
  try {
    fs.fsyncSync(fd)
  } finally {
    fs.closeSync(fd)
  }
}

function writeFileSync(bytes: Buffer, place: Place, naming: Naming): string {
  const { directory } = place
  fs.mkdirSync(directory, { recursive: true })
  const temporary = temporaryName(directory)
  try {
    const fd = fs.openSync(temporary, 'wx', MODE)
    try {
      for (let at = 0; at < bytes.length; ) at += fs.writeSync(fd, bytes, at)
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
    const file = publish(temporary, directory, naming)
    syncDirectory(directory)
    return file
  } catch (error) {
    fs.rmSync(temporary, { force: true })
    throw error
  }
}

async function writeFile(bytes: Buffer, place: Place, naming: Naming): Promise<string> {
  const { directory } = place
  await fs.promises.mkdir(directory, { recursive: true })
  const temporary = temporaryName(directory)
  try {
    const handle = await fs.promises.open(temporary, 'wx', MODE)
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    const file = publish(temporary, directory, naming)
    const folder = await fs.promises.open(directory, 'r').catch((error: unknown) => {
      if (isUnreadable(error)) return null
      throw error
    })
    await folder?.sync().finally(() => folder.close())
    return file
  } catch (error) {
    await fs.promises.rm(temporary, { force: true })
    throw error
  }
}

function namingOf({ arena, reason }: Request, created: Date, { upload }: Place): Naming {
  const { pid, about } = arena
  const { service, hostname } = about
  return {
    nameFor: number => nameOf(pid, created, reason, number),
    info: upload === undefined || upload === null ? null : { service, hostname, pid, reason }
  }
}

/**
 * Writes a snapshot before it returns.
 *
 * @returns its file; null if there is nothing to tell that was not told before
 * @throws ShardlogError `ERR_SHARDLOG_SNAPSHOT`, `ERR_SHARDLOG_PACKAGE`
 */
export function writeSnapshotSync(request: Request, place: Place): string | null {
  const created = new Date()
  try {
    const content = runAtOnce(encodeSteps(request, created))
    if (content === null) return null
    const bytes = codec().compressSync(content)
    const file = writeFileSync(bytes, place, namingOf(request, created, place))
    retain(place)
    return file
  } catch (error) {
    throw failure(error, place.directory)
  }
}

/** As `writeSnapshotSync`, in steps of some milliseconds. Rejects as that throws. */
export async function writeSnapshot(request: Request, place: Place): Promise<string | null> {
  const created = new Date()
  try {
    const content = await runInSteps(encodeSteps(request, created))
    if (content === null) return null
    const bytes = await codec().compress(content)
    const file = await writeFile(bytes, place, namingOf(request, created, place))
    retain(place)
    return file
  } catch (error) {
    throw failure(error, place.directory)
  }
}

interface Kept {
  file: string
  time: number
  bytes: number
}

/** Snapshots of this user in the directory, the latest first. */
function ownSnapshots(directory: string): Kept[] {
  const user = process.getuid?.()
  const kept: Kept[] = []
  let names: string[]
  try {
    names = fs.readdirSync(directory)
  } catch (error) {
    if (isUnreadable(error)) return []
    throw error
  }
  for (const name of names) {
    if (!NAME.test(name)) continue
    const file = path.join(directory, name)
    const stat = fs.lstatSync(file, { throwIfNoEntry: false })
    if (!stat?.isFile() || (user !== undefined && stat.uid !== user)) continue
    kept.push({ file, time: stat.mtimeMs, bytes: stat.size })
  }
  return kept.sort((a, b) => b.time - a.time || (a.file < b.file ? 1 : -1))
}

function isTooMuch(index: number, age: number, bytes: number, limits: RetentionOptions): boolean {
  const {
    files = Number.POSITIVE_INFINITY,
    age: most = Number.POSITIVE_INFINITY,
    bytes: all = Number.POSITIVE_INFINITY
  } = limits
  // The latest stays, however large it is.
  return index > 0 && (index >= files || age > most || bytes > all)
}

/** Removes the oldest snapshots, as the options say. */
function retain({ directory, retention }: Place): void {
  if (Object.values(retention).every(limit => limit === undefined)) return
  const now = Date.now()
  let sum = 0
  const marks = marksIn(directory)
  for (const [i, { file, time, bytes }] of ownSnapshots(directory).entries()) {
    sum += bytes
    if (!isTooMuch(i, now - time, sum, retention)) continue
    fs.rmSync(file, { force: true })
    removeMarksOf(file, marks)
  }
}

/** Whether a file's first bytes are those of a snapshot. */
export function isSnapshot(start: Buffer): boolean {
  return start.subarray(0, 64).includes(FORMAT)
}

function corrupt(file: string, what: string, cause?: unknown): ShardlogError {
  return new ShardlogError('ERR_SHARDLOG_CORRUPT', `${file} is no snapshot: ${what}`, { path: file, cause })
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** No time of an event is as late, in ns. */
const TIMES_END = 2n ** 63n

const textOr = (value: unknown): string => (typeof value === 'string' ? value : '')

function toEvent(value: unknown, file: string): RecordedEvent {
  if (!isObject(value)) throw corrupt(file, 'an event is not a map')
  const { time, level, target, message, thread, fields } = value
  if (typeof time !== 'bigint' && typeof time !== 'number') throw corrupt(file, 'an event has no time')
  const ns = BigInt(Number.isInteger(time) || typeof time === 'bigint' ? time : 0)
  return {
    time: ns > 0n && ns < TIMES_END ? ns : 0n,
    level: String(level ?? ''),
    target: String(target ?? ''),
    message: String(message ?? ''),
    thread: typeof thread === 'number' ? thread : 0,
    fields: isObject(fields) ? fields : {}
  }
}

const COUNTERS = ['recorded', 'overwritten', 'drained', 'dropped', 'truncated', 'damaged'] as const

/** The numbers of a map, if it is one. */
function numbersOf(value: unknown): Record<string, number> {
  const entries = isObject(value) ? Object.entries(value) : []
  return Object.fromEntries(entries.filter((entry): entry is [string, number] => typeof entry[1] === 'number'))
}

/** What is there for each key but `events`, whatever a file says that somebody else made. */
function toHead(content: Record<string, unknown>): Omit<Snapshot, 'events'> {
  const { service, hostname, pid, reason, created_at, versions, levels, counters } = content
  const counted = numbersOf(counters)
  return {
    service: textOr(service),
    hostname: textOr(hostname),
    pid: typeof pid === 'number' ? pid : 0,
    reason: textOr(reason),
    created_at: textOr(created_at),
    versions: (isObject(versions) ? versions : {}) as Record<string, string>,
    levels: numbersOf(levels),
    counters: Object.fromEntries(COUNTERS.map(name => [name, counted[name] ?? 0])) as unknown as SnapshotCounters
  }
}

/**
 * What a snapshot's file says.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CORRUPT`, `ERR_SHARDLOG_IO`, `ERR_SHARDLOG_PACKAGE`
 */
export function readSnapshot(file: string): Snapshot {
  let bytes: Buffer
  try {
    bytes = fs.readFileSync(file)
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot read ${file}`, error, file)
  }
  const { uncompressSync, decode } = codec()
  if (bytes.length < 4 || bytes.readUInt32LE(0) > bytes.length * MOST_RATIO) throw corrupt(file, 'its length is wrong')
  let content: unknown
  try {
    content = decode(uncompressSync(bytes))
  } catch (error) {
    throw corrupt(file, (error as Error).message, error)
  }
  if (!isObject(content) || content.format !== FORMAT)
    throw corrupt(file, `it does not say that its format is ${FORMAT}`)
  if (content.version !== VERSION) throw corrupt(file, `version ${String(content.version)} is not known`)
  const { events } = content
  if (!Array.isArray(events)) throw corrupt(file, 'it has no events')
  return { ...content, ...toHead(content), events: events.map(event => toEvent(event, file)) }
}
