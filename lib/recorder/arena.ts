/** Reading a recorder's arena: docs/reference/recorder-arena.md. */

import fs from 'node:fs'
import { fromSystemError, ShardlogError } from '../errors'

export const MAGIC = Buffer.from('SHLRECRD')
export const VERSION = 1
export const HEADER_BYTES = 4096
export const SEGMENT_BYTES = 4096
export const SLOT_BYTES = 64
export const FIRST_OFFSET = 8
export const LEAST_SEGMENTS = 64
export const MOST_SEGMENTS = 262_144
/** Segments of the longest lease but for one that a large event takes. */
export const MOST_RUN = 32

/** Places in the header. */
export const HEADER = {
  VERSION: 8,
  SEGMENTS: 12,
  FILE_BYTES: 16,
  SLOTS_AT: 24,
  DATA_AT: 32,
  SEGMENT_BYTES: 40,
  PID: 44,
  CREATED: 56,
  HEAD: 128,
  DROPPED: 192,
  TRUNCATED: 200,
  DRAINED: 208,
  NOWHERE: 256,
  ABOUT_BYTES: 320,
  ABOUT: 324
} as const
export const MOST_ABOUT_BYTES: number = HEADER_BYTES - HEADER.ABOUT

/** Places in a slot. */
export const SLOT = {
  OFFSET: 0,
  SPAN: 4,
  OWNER: 8,
  COUNTS: 16,
  PRODUCER: 24,
  THREAD: 28,
  DRAINED: 32,
  DRAINED_EVENTS: 40
} as const

/** A ring is read so often if all of it was overwritten meanwhile. */
const MOST_READS = 20

const SEQUENCE_SHIFT = 21n
const CLOSED = 1n << 20n
const EVENT_BITS = 24n
const EVENT_MASK = (1n << EVENT_BITS) - 1n
const OFFSET_MASK = 0x7fffffff
const AMOUNT_MASK = (1n << SEQUENCE_SHIFT) - 1n

/** What a recorder's process says of itself. */
export interface About {
  service: string
  hostname: string
  versions: Record<string, string>
  /** Names of levels and their numbers. */
  levels: Record<string, number>
  /** Key of the message in templates and lines. */
  messageKey: string
  /** Events that the ring is laid out for; 0 if it is laid out for bytes. */
  capacity: number
}

/** Events that one thread has written in a row. */
export interface Run {
  sequence: number
  thread: number
  /** Where its entries lie in the image. */
  start: number
  end: number
  /** Where those begin that nobody has drained, and how many are before it. */
  from: number
  drained: number
}

/** What has been read of a run by somebody who takes it out of the ring. */
export interface DrainedRun {
  sequence: number
  /** Offset behind the last entry, from the first segment's start. */
  end: number
  /** Events up to there, from the run's start. */
  events: number
}

/** How much of a run has been drained, of a word that is that of one sequence. */
export function drainedOf(word: bigint, sequence: bigint): number {
  return word >> SEQUENCE_SHIFT === sequence ? Number(word & AMOUNT_MASK) : 0
}

/** The word that says so. */
export const drainedWord = (sequence: number, amount: number): bigint =>
  (BigInt(sequence) << SEQUENCE_SHIFT) | BigInt(amount)

export interface Arena {
  image: Buffer
  about: About
  pid: number
  /** ns since the Unix epoch. */
  created: bigint
  /** In the order in which they were begun. */
  runs: Run[]
  dropped: number
  truncated: number
  /** Events that were ever drained. */
  drained: number
  /** Events ever recorded that the slots tell of. */
  recorded: number
  /** Of these, the ones that nobody has overwritten, be they drained. */
  live: number
}

/** How many of an arena's events were overwritten before anybody drained them. */
export function overwrittenOf({
  recorded,
  live,
  drained,
  runs
}: Pick<Arena, 'recorded' | 'live' | 'drained' | 'runs'>): number {
  const drainedLive = runs.reduce((sum, run) => sum + run.drained, 0)
  return Math.max(0, recorded - live - Math.max(0, drained - drainedLive))
}

function damaged(path: string, what: string): never {
  throw new ShardlogError('ERR_SHARDLOG_CORRUPT', `${path} is no recorder's arena: ${what}`, { path })
}

/** @throws ShardlogError `ERR_SHARDLOG_CORRUPT` */
function aboutOf(image: Buffer, path: string): About {
  const length = image.readUInt32LE(HEADER.ABOUT_BYTES)
  if (length > MOST_ABOUT_BYTES) damaged(path, 'what it says of itself is longer than its place')
  let about: Partial<About>
  try {
    about = JSON.parse(image.toString('utf8', HEADER.ABOUT, HEADER.ABOUT + length)) as Partial<About>
  } catch {
    return damaged(path, 'what it says of itself is no JSON')
  }
  const { service = '', hostname = '', versions = {}, levels = {}, messageKey = 'msg', capacity = 0 } = about
  return { service, hostname, versions, levels, messageKey, capacity }
}

interface Layout {
  segments: number
  slotsAt: number
  dataAt: number
  fileBytes: number
}

/** @throws ShardlogError `ERR_SHARDLOG_CORRUPT` */
function layoutOf(header: Buffer, path: string): Layout {
  if (header.length < HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC)) damaged(path, 'it has no header')
  const version = header.readUInt32LE(HEADER.VERSION)
  if (version !== VERSION) damaged(path, `version ${version} is not known`)
  const layout = layoutFor(header.readUInt32LE(HEADER.SEGMENTS))
  const isSame =
    header.readBigUInt64LE(HEADER.SLOTS_AT) === BigInt(layout.slotsAt) &&
    header.readBigUInt64LE(HEADER.DATA_AT) === BigInt(layout.dataAt) &&
    header.readBigUInt64LE(HEADER.FILE_BYTES) === BigInt(layout.fileBytes) &&
    header.readUInt32LE(HEADER.SEGMENT_BYTES) === SEGMENT_BYTES
  if (layout.segments < LEAST_SEGMENTS || layout.segments > MOST_SEGMENTS || !isSame)
    damaged(path, 'its sizes are wrong')
  return layout
}

/** Where everything lies in an arena of so many segments. */
export function layoutFor(segments: number): Layout {
  const slotsAt = HEADER_BYTES
  const dataAt = Math.ceil((slotsAt + segments * SLOT_BYTES) / SEGMENT_BYTES) * SEGMENT_BYTES
  return { segments, slotsAt, dataAt, fileBytes: dataAt + segments * SEGMENT_BYTES }
}

/** The owner words of a run's segments. */
function isWhole(image: Buffer, slotsAt: number, first: number, span: number, sequence: bigint): boolean {
  for (let i = 0; i < span; i++) {
    const owner = image.readBigUInt64LE(slotsAt + (first + i) * SLOT_BYTES + SLOT.OWNER)
    if (owner >> SEQUENCE_SHIFT !== sequence + BigInt(i)) return false
    if (((owner & CLOSED) !== 0n) !== i > 0) return false
  }
  return true
}

function runAt(image: Buffer, layout: Layout, segment: number, trustsOthers: boolean): Run | null {
  const { slotsAt, dataAt, segments } = layout
  const at = slotsAt + segment * SLOT_BYTES
  const owner = image.readBigUInt64LE(at + SLOT.OWNER)
  const sequence = owner >> SEQUENCE_SHIFT
  if (sequence === 0n || (owner & CLOSED) !== 0n) return null
  const span = image.readUInt32LE(at + SLOT.SPAN)
  const end = image.readUInt32LE(at + SLOT.OFFSET) & OFFSET_MASK
  if (span === 0 || span > segments - segment || end > span * SEGMENT_BYTES || end < FIRST_OFFSET) return null
  if (!trustsOthers && !isWhole(image, slotsAt, segment, span, sequence)) return null
  const start = dataAt + segment * SEGMENT_BYTES
  const from = drainedOf(image.readBigUInt64LE(at + SLOT.DRAINED), sequence)
  return {
    sequence: Number(sequence),
    thread: image.readUInt32LE(at + SLOT.THREAD),
    start: start + FIRST_OFFSET,
    end: start + end,
    from: start + Math.min(end, Math.max(from, FIRST_OFFSET)),
    drained: drainedOf(image.readBigUInt64LE(at + SLOT.DRAINED_EVENTS), sequence)
  }
}

/** What the header and the slots tell of an arena: all but its events. */
function parseControl(image: Buffer, layout: Layout, path: string, isCopy: boolean): Arena {
  const runs: Run[] = []
  let recorded = 0n
  let live = 0n
  for (let segment = 0; segment < layout.segments; segment++) {
    const slot = layout.slotsAt + segment * SLOT_BYTES
    const counts = image.readBigUInt64LE(slot + SLOT.COUNTS)
    const isClosed = (image.readBigUInt64LE(slot + SLOT.OWNER) & CLOSED) !== 0n
    // Of a segment that somebody was taking when the process was killed, events are over, though
    // not yet counted so.
    if (!isClosed) live += counts & EVENT_MASK
    recorded += (counts & EVENT_MASK) + (counts >> EVENT_BITS)
    const run = runAt(image, layout, segment, isCopy)
    if (run !== null) runs.push(run)
  }
  runs.sort((a, b) => a.sequence - b.sequence)
  return {
    image,
    about: aboutOf(image, path),
    pid: image.readUInt32LE(HEADER.PID),
    created: image.readBigUInt64LE(HEADER.CREATED),
    runs,
    dropped: Number(image.readBigUInt64LE(HEADER.DROPPED)),
    truncated: Number(image.readBigUInt64LE(HEADER.TRUNCATED)),
    drained: Number(image.readBigUInt64LE(HEADER.DRAINED)),
    recorded: Number(recorded),
    live: Number(live)
  }
}

/**
 * What an arena holds.
 *
 * @param image the bytes of its file
 * @param isCopy whether the addon has made it, and left the slots of runs that were whole alone
 * @throws ShardlogError `ERR_SHARDLOG_CORRUPT`
 */
export function parseArena(image: Buffer, path: string, isCopy = false): Arena {
  const layout = layoutOf(image, path)
  if (image.length < layout.fileBytes) damaged(path, 'it is cut off')
  return parseControl(image, layout, path, isCopy)
}

function readAll(fd: number, into: Buffer, from: number, to: number): void {
  for (let at = from; at < to; ) {
    const got = fs.readSync(fd, into, at, to - at, at)
    if (got === 0) break
    at += got
  }
}

/**
 * Takes the runs out of `image` that are no longer as it says, by the slots as they are now; and
 * those that were begun since `head`. Whether there were any.
 */
function dropChanged(image: Buffer, now: Buffer, { slotsAt, segments }: Layout, head: bigint): boolean {
  let changed = false
  for (let segment = 0; segment < segments; segment++) {
    const at = slotsAt + segment * SLOT_BYTES + SLOT.OWNER
    const before = image.readBigUInt64LE(at) >> SEQUENCE_SHIFT
    const after = now.readBigUInt64LE(at) >> SEQUENCE_SHIFT
    if (before === after && before <= head) continue
    image.writeBigUInt64LE(0n, at)
    changed = true
  }
  return changed
}

/** Opens the file, and closes it when `use` has read what it wants of it. */
function withFile<Result>(path: string, use: (fd: number) => Result): Result {
  let fd: number
  try {
    // A pipe that nobody writes to is not waited for.
    fd = fs.openSync(path, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0))
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot read ${path}`, error, path)
  }
  try {
    return use(fd)
  } catch (error) {
    if (error instanceof ShardlogError) throw error
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot read ${path}`, error, path)
  } finally {
    fs.closeSync(fd)
  }
}

const START_BYTES = 64

/**
 * The first bytes of a regular file, by which the kinds of files are told apart; none of a pipe,
 * which gives them once.
 *
 * @throws ShardlogError `ERR_SHARDLOG_IO`
 */
export function startOf(path: string): Buffer {
  // A pipe is not opened: who writes to it would take us for the one that reads it.
  if (fs.statSync(path, { throwIfNoEntry: false })?.isFile() === false) return Buffer.alloc(0)
  return withFile(path, fd => {
    const start = Buffer.alloc(START_BYTES)
    return start.subarray(0, fs.readSync(fd, start, 0, START_BYTES, 0))
  })
}

/** Whether a file that begins so is a recorder's arena. */
export const isRing = (start: Buffer): boolean => start.subarray(0, MAGIC.length).equals(MAGIC)

function readLayout(fd: number, path: string): Layout {
  const header = Buffer.alloc(HEADER_BYTES)
  readAll(fd, header, 0, HEADER_BYTES)
  return layoutOf(header, path)
}

/**
 * The arena in a file, whose recorder may be running: what is overwritten while it is read is left
 * out.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CORRUPT`, `ERR_SHARDLOG_IO`
 */
export function readArenaFile(path: string): Arena {
  return withFile(path, fd => {
    const layout = readLayout(fd, path)
    const image = Buffer.alloc(layout.fileBytes)
    const again = Buffer.alloc(layout.dataAt)
    for (let left = MOST_READS; ; left--) {
      // The slots before what they speak of, then again: a run that has the same sequence both
      // times did not change in between.
      readAll(fd, image, 0, layout.dataAt)
      const head = image.readBigUInt64LE(HEADER.HEAD)
      readAll(fd, image, layout.dataAt, layout.fileBytes)
      readAll(fd, again, 0, layout.dataAt)
      const changed = dropChanged(image, again, layout, head)
      const arena = parseArena(image, path)
      // Into memory that has been used it is read quicker than the ring goes round.
      if (arena.runs.length > 0 || !changed || left === 1) return arena
    }
  })
}

/** Bytes of runs, as the recorder itself counts them: but for what was drained. */
export function usedBytesOf({ runs }: Pick<Arena, 'runs'>): number {
  return runs.reduce((sum, run) => sum + run.end - (run.drained === 0 ? run.start - FIRST_OFFSET : run.from), 0)
}

/** What is counted of an arena in a file. */
export interface ArenaCounts
  extends Pick<Arena, 'about' | 'pid' | 'created' | 'recorded' | 'live' | 'dropped' | 'truncated' | 'drained'> {
  overwritten: number
  /** Bytes of events, and of the ring. */
  usedBytes: number
  bytes: number
  /** Whether the process that made it holds it open. */
  isOwned: boolean
}

/** Whether there is a process with the pid, be it another user's. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/**
 * Whether the process that made an arena still has its lock. The lock is looked up, not tried: a
 * recorder that is being opened would find it taken. Where the kernel does not tell of locks,
 * whether there is a process with the pid.
 */
function isOwned(pid: number, fd: number): boolean {
  let locks: string
  try {
    locks = fs.readFileSync('/proc/locks', 'utf8')
  } catch {
    return isRunning(pid)
  }
  const { ino } = fs.fstatSync(fd, { bigint: true })
  const own = new RegExp(`\\bFLOCK\\s+\\S+\\s+WRITE\\s+${pid} \\S+:${ino} `)
  return own.test(locks)
}

/**
 * The counters of the arena in a file, whose recorder may be running. Its events are not read.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CORRUPT`, `ERR_SHARDLOG_IO`
 */
export function readArenaCounts(path: string): ArenaCounts {
  return withFile(path, fd => {
    const layout = readLayout(fd, path)
    if (fs.fstatSync(fd).size < layout.fileBytes) damaged(path, 'it is cut off')
    const image = Buffer.alloc(layout.dataAt)
    readAll(fd, image, 0, layout.dataAt)
    const arena = parseControl(image, layout, path, false)
    const { about, pid, created, recorded, live, dropped, truncated, drained } = arena
    const bytes = layout.segments * SEGMENT_BYTES
    const used = { usedBytes: usedBytesOf(arena), bytes, overwritten: overwrittenOf(arena) }
    return { about, pid, created, recorded, live, dropped, truncated, drained, ...used, isOwned: isOwned(pid, fd) }
  })
}
