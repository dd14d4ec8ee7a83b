/**
 * Reads a log's records in their order, from where a cursor says, over all that rotation makes of
 * its files, while they grow.
 */

import { isOfThisBoot, isOwnerAlive } from '../arena/arena-file'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { tailStart } from '../reader/follow'
import {
  type BlockItem,
  type FormatChoice,
  type LinesItem,
  type LogFormat,
  lineEnd,
  type Scanner
} from '../reader/items'
import { isWholeLine } from '../reader/lines'
import { arenaOfLog } from '../reader/log-place'
import { makeScanner, sourceFormat, stableEnd } from '../reader/open-log'
import { recoverLog } from '../reader/read-log'
import { performance } from '../timers'
import { Backlog, type Listing, type Upcoming } from './backlog'
import { FileMarks, headOf, inodeOf } from './marks'
import { fileAt, isInode, type LogFile, logFiles, OpenFile, type RotatedNames, rotatedNames } from './rotation'
import type { ShipRecord } from './sink'
import { type FileMark, newStream, PROOF_BYTES, type Proof, proofOf, type ShipState } from './state'

/** What is read at once of a file that may be long. */
const CHUNK_BYTES = 1024 * 1024
/** Of files that are shorter, no less than this. */
const SMALL_CHUNK_BYTES = 8 * 1024
/** How often the folder is looked through while the log's own file stays where it is. */
const LOOK_MS = 5_000
/** A rotated file's last line without newline is waited for so long. */
const TORN_MS = 5_000
/** How often the arena's owner is looked at. */
const OWNER_MS = 1_000
/** Marks of files that have gone are kept for so many: they may come back packed. */
const KEPT_GONE = 32
const NS_PER_MS = 1e6
const NEWLINE = 0x0a
const RETURN = 0x0d

/** A record, and the position behind it in its file. */
export interface ReadRecord extends ShipRecord {
  readonly at: number
  /** Entries of the block at `at` up to it; 0 in a text. */
  readonly skip: number
  /** Index in `data` of the position behind it, and that position; a block's differs from `at`. */
  readonly next: number
  readonly behind: number
}

/** A file that has been read, with another one behind it, and need not be delivered yet. */
export interface Passed {
  passed: FileMark
  /** Where reading goes on. */
  place: FileMark
}

export interface SourceOptions {
  /** The log, absolute. */
  log: string
  format: FormatChoice
  arenaDir: string | undefined
  /** Names of rotated files; null: what rotation usually makes of the log's name. */
  rotated: string | null
  /** Where to begin without a cursor: with rotated files, with the log's file, or behind it. */
  start: 'oldest' | 'beginning' | 'end'
  /** Recover what a dead process left in the arena after so many ms; 0: never. */
  recoverAfter: number
  /** For copies of what is packed. */
  folder: string
}

/** What could not be read. */
export interface SourceDamage {
  path: string
  offset: number
  length: number
  reason: string
  /** The bytes, where they are a line that was cut off. */
  bytes?: Buffer
}

export interface SourceEvents {
  damage(damage: SourceDamage): Promise<void>
  /** What goes wrong and is tried again. */
  problem(error: Error): void
}

/** The file that is being read. */
interface Reading {
  file: OpenFile
  format: LogFormat
  scanner: Scanner
  /** Behind the last record that `next` gave. */
  at: number
  skip: number
  /** Entries of the block at `at` that are not to be given again. */
  left: number
  /** Behind the last byte that was given: in a text `at`, in a block behind an entry. */
  given: number
  /** Bytes before that; the first ones if it is 0. */
  before: Buffer
  /** The first bytes; of a file of blocks, whose first one a recovery may complete, none. */
  head: Buffer
  atPath: boolean
  /** Another file goes on where this one ends. */
  succeeded: boolean
}

/** The last bytes of `before` with `more` behind them. */
function lastBytes(before: Buffer, more: Buffer): Buffer {
  if (more.length >= PROOF_BYTES) return Buffer.from(more.subarray(more.length - PROOF_BYTES))
  const all = Buffer.concat([before, more])
  return all.length <= PROOF_BYTES ? all : Buffer.from(all.subarray(all.length - PROOF_BYTES))
}

export class LogSource {
  private readonly names: RotatedNames
  private reading: Reading | null = null
  private started = false
  private looked = Number.NEGATIVE_INFINITY
  private ownerSeen = Number.NEGATIVE_INFINITY
  /** Rotated files that nothing has been read of, by inode. */
  private readonly waiting = new Map<string, LogFile>()
  /** The file that was read last has been cut: nothing of it is left to know it by. */
  private wasCut: FileMark | null = null
  /** When the owner of the log's arena was first seen to be dead. */
  private deadSince: number | null = null
  /** Files that begin as the log's own: copies of it, or the beginnings of such. */
  private readonly copies = new Map<string, LogFile>()
  private readonly marks: FileMarks
  private readonly backlog: Backlog

  constructor(
    private readonly options: SourceOptions,
    private readonly state: ShipState,
    private readonly events: SourceEvents
  ) {
    this.names = rotatedNames(options.log, options.rotated)
    this.marks = new FileMarks(state)
    this.backlog = new Backlog({
      list: () => this.files(),
      isDone: file => this.isBeingRead(file) || this.marks.isRead(file),
      judge: file => this.judge(file)
    })
  }

  /** Without a cursor: what is not to be shipped counts as read. */
  async prepare(): Promise<void> {
    const { log, start } = this.options
    if (this.state.saved !== 0) return
    if (start !== 'oldest') for (const file of (await this.files()).rotated) await this.markRead(file, file.size)
    if (start !== 'end') return
    const own = fileAt(log)
    const opened = own && (await this.openFile(own))
    if (!opened) return
    const end = await tailStart(opened.source, 0, await sourceFormat(opened.source, this.options.format))
    await opened.close()
    await this.markRead(own, end)
  }

  /**
   * The next records; that a file has been passed; 'switch' when another file follows the one that
   * was being read: what was given has to be delivered then, and `advance` called; null: nothing at
   * present.
   */
  async next(): Promise<readonly ReadRecord[] | Passed | 'switch' | null> {
    if (!this.started && !(await this.resume())) return this.nothing()
    for (;;) {
      const { reading } = this
      if (this.wasCut) return 'switch'
      if (!reading) return (await this.successor()) ? 'switch' : this.nothing()
      const step = await this.step(reading)
      if (step === null) return this.nothing()
      if (step === 'switch' && this.mayPass(reading)) return this.pass(reading)
      if (step === 'switch' || (step !== 'again' && step.length > 0)) return step
    }
  }

  private async step(reading: Reading): Promise<ReadRecord[] | 'switch' | 'again' | null> {
    if (reading.format === 'shard') reading.scanner.limit = await stableEnd(reading.file.source)
    const items = await reading.scanner.next()
    if (items === null) return this.atEnd(reading)
    if (!(await this.isStill(reading))) return this.cut(reading)
    const records: ReadRecord[] = []
    for (const item of items) {
      if (item.kind === 'lines') takeLines(reading, item, records)
      else if (item.kind === 'block') takeBlock(reading, item, records)
      else if (item.kind === 'damage') await this.events.damage({ ...item.damage, reason: item.damage.message })
    }
    if (reading.format === 'shard') reading.before = await bytesBefore(reading.file, reading.given)
    return records
  }

  /**
   * Goes over to the next file, to where it has not been read. All that was given has been
   * delivered. False if there is none to be read yet.
   */
  async advance(): Promise<boolean> {
    const left = await this.leave()
    this.state.ahead = []
    if (left) await this.judgeAgain(left)
    for (;;) {
      const file = await this.successor()
      if (this.backlog.uncertain) this.begin()
      this.backlog.uncertain = false
      const next = file && (this.backlog.take() ?? (await this.judge(file)))
      if (next === null || next === 'read') return false
      if (!(await this.read(next))) return false
      // The log's own file may have been copied and cut before it was open: the copy comes first.
      if (!this.reading!.atPath || !(await this.successor())) break
      await this.close()
      this.state.current = null
    }
    const { atPath, file } = this.reading!
    this.state.ahead = atPath ? [] : this.backlog.plan(file.file)
    return true
  }

  /** The cursor has been written as `advance` left it. */
  saved(): void {
    this.backlog.follow(this.state.ahead ?? [])
  }

  /** Whether the next file may be begun while records of this one are on their way. */
  private mayPass(reading: Reading): boolean {
    if (reading.atPath || this.wasCut || this.copies.size > 0) return false
    const { file } = reading.file
    return this.backlog.mayPass({ ...file, size: diskOf(reading.file).size })
  }

  private async pass(reading: Reading): Promise<Passed | 'switch'> {
    const passed = await this.markOfEnd(reading)
    if (await this.backlog.upcoming!.opened.isProvedBy(passed.proof!)) return 'switch'
    const next = this.backlog.take()!
    await this.close(false)
    this.marks.pass(passed)
    this.backlog.advance()
    const isOpen = await this.read(next, false)
    return { passed, place: isOpen ? this.place() : passed }
  }

  /** The file that comes next may be what has just been read, packed. */
  private async judgeAgain(left: FileMark): Promise<void> {
    const { upcoming } = this.backlog
    if (!upcoming || !(await upcoming.opened.isProvedBy(left.proof!))) return
    const verdict = await this.markFor(upcoming.opened.file, upcoming.opened)
    if (verdict === 'read') await this.backlog.take()!.opened.close()
    else upcoming.mark = verdict
  }

  /** What was passed has been delivered. */
  settle(passed: readonly FileMark[]): void {
    this.marks.settle(passed)
    this.state.counts.files += passed.length
  }

  private place(): FileMark {
    const reading = this.reading!
    const { file, at, skip } = reading
    return { ...markOf(file.file), offset: at, skip, proof: proofHere(reading) }
  }

  /** The mark of the file that is being read, as far as a record that `next` gave of it. */
  async markAt({ at, skip, data, start, next, behind }: ReadRecord): Promise<FileMark> {
    const { reading } = this
    const line = data.subarray(start, next)
    if (!reading) return { ...this.wasCut!, offset: at, skip, proof: proofOfLine(behind, line) }
    const bytes = await bytesBefore(reading.file, behind)
    const tail = line.subarray(-bytes.length)
    const same = bytes.length > 0 && bytes.subarray(-tail.length).equals(tail)
    // Else the file has been cut since.
    const proof = same ? proofOf(behind - bytes.length, bytes) : proofOfLine(behind, line)
    return { ...markOf(reading.file.file), offset: at, skip, proof }
  }

  /**
   * Notices files that are deleted before they were read: retention is what bounds the backlog. To
   * be called now and then, also while nothing is sent.
   */
  async observe(): Promise<void> {
    if (!this.started) return
    const { rotated, own } = await this.files()
    const all = own ? [...rotated, own] : rotated
    const there = new Set(all.map(inodeOf))
    const isRead = (file: LogFile): boolean => this.marks.of(file) !== undefined
    for (const [key, gone] of this.waiting) {
      if (there.has(key)) continue
      this.waiting.delete(key)
      const isPacked = all.some(file => file.packed && file.path.startsWith(gone.path))
      if (isPacked || isRead(gone) || this.isCurrent(gone)) continue
      this.state.counts.gaps++
      this.events.problem(new Error(`${gone.path} was deleted before its ${gone.size} bytes were shipped`))
    }
    for (const file of rotated) {
      if (!isRead(file) && !this.isCurrent(file) && !this.copies.has(file.path)) this.waiting.set(inodeOf(file), file)
      else this.waiting.delete(inodeOf(file))
    }
  }

  private isCurrent(file: LogFile): boolean {
    const { current } = this.state
    // The next one is open: deleted or not, it is read.
    const upcoming = this.backlog.upcoming?.opened.file
    return [this.reading?.file.file, upcoming, current].some(one => one && inodeOf(one) === inodeOf(file))
  }

  private isBeingRead(file: LogFile): boolean {
    return this.reading !== null && isInode(file, markOf(this.reading.file.file))
  }

  /** @param all whether the file that comes next is given up, too */
  async close(all = true): Promise<void> {
    if (all) await this.backlog.reset()
    await this.reading?.scanner.close()
    await this.reading?.file.close()
    this.reading = null
  }

  // Beginning.

  /** Finds the place of the cursor again. False if there is nothing to read yet. */
  private async resume(): Promise<boolean> {
    const { state } = this
    if (!state.current) {
      this.started = true
      return true
    }
    const { rotated, own } = await this.files()
    const files = own ? [...rotated, own] : rotated
    if (files.length === 0) return false
    const wanted = state.current
    files.sort((a, b) => Number(isInode(b, wanted)) - Number(isInode(a, wanted)))
    this.started = true
    for (const file of files) {
      if (!(await this.resumeIn(file, wanted))) continue
      this.goOnAsPlanned(wanted, { rotated, own })
      return true
    }
    state.counts.gaps++
    this.begin()
    this.events.problem(
      new Error(
        `the file that was being shipped, ${wanted.path}, has gone; what it had behind byte ${wanted.offset} may be missing`
      )
    )
    state.current = null
    return true
  }

  private async resumeIn(file: LogFile, wanted: FileMark): Promise<boolean> {
    const opened = await this.openFile(file)
    if (!opened) return false
    // Of blocks nothing need have been given yet.
    const isFresh = isInode(file, wanted) && wanted.proof?.bytes === 0
    const proved = isFresh || (wanted.proof !== null && (await opened.isProvedBy(wanted.proof)))
    if (!proved) {
      await opened.close()
      return false
    }
    // Of a copy nobody knows whether it has all that was sent: what follows could get ids that
    // records which it lacks have had.
    if (!isInode(file, wanted) && !file.packed) this.begin()
    return await this.read({ opened, mark: wanted })
  }

  /** The files behind the cursor's may have been sent: they come in the same order again. */
  private goOnAsPlanned(wanted: FileMark, listing: Listing): void {
    const { clean, ahead = [] } = this.state
    if (clean || ahead.length === 0) return
    const { file } = this.reading!.file
    const at = ahead.findIndex(planned => inodeOf(planned) === inodeOf(wanted))
    // What was written to it since has not got the ids that come next.
    const isSame = inodeOf(file) === inodeOf(wanted) ? file.size === ahead[at]?.size : file.packed
    if (at >= 0 && isSame) this.backlog.resume(ahead.slice(at + 1), listing)
    else this.begin()
  }

  /** New ids, unless it is known that none was given that is not written down. */
  private begin(): void {
    if (this.state.clean) return
    this.state.stream = newStream()
    this.state.sequence = 0
  }

  private async markRead(file: LogFile, offset: number): Promise<void> {
    const { path: place, dev, ino, size, mtime } = file
    const mark: FileMark = { path: place, dev, ino, offset, skip: 0, proof: null, end: offset, size, mtime }
    if (!file.packed) {
      const opened = await this.openFile(file)
      if (!opened) return
      const bytes = await bytesBefore(opened, offset)
      mark.proof = proofOf(offset - bytes.length, bytes)
      Object.assign(mark, withHead(await headOf(opened, offset)))
      await opened.close()
    }
    this.marks.add(mark)
  }

  // Reading.

  private files(): Promise<Listing> {
    return logFiles(this.names, this.options.log)
  }

  /** Null also for what is packed and cannot be unpacked: it is told, and holds nothing up. */
  private async openFile(file: LogFile): Promise<OpenFile | null> {
    try {
      return await OpenFile.open(file, this.options.folder, this.options.arenaDir)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (!file.packed || !/^(?:Z_|ERR_SHARDLOG_READ$|ZSTD_)/.test(code ?? '')) throw error
      // It may be that it is just being written.
      if (Date.now() - file.mtime < TORN_MS) return null
      const damage = { path: file.path, offset: 0, length: file.size, reason: (error as Error).message }
      await this.events.damage(damage)
      this.marks.add({ ...markOf(file), proof: null, size: file.size, mtime: file.mtime })
      return null
    }
  }

  /** @param moves whether the cursor goes there: nothing given is still to be delivered */
  private async read({ opened, mark }: Upcoming, moves = true): Promise<boolean> {
    const format = await this.formatOf(opened)
    if (format === null) {
      await opened.close()
      return false
    }
    const { file } = opened
    const own = fileAt(this.options.log)
    const atPath = own !== null && inodeOf(own) === inodeOf(file)
    const { offset: at = 0, skip = 0, proof = null } = mark ?? {}
    const given = format === 'shard' && proof !== null ? proof.from + proof.bytes : at
    const head = await opened.bytes(0, format === 'ndjson' ? PROOF_BYTES : 0)
    const before = given === 0 ? head : await bytesBefore(opened, given)
    // A file that grows no more takes no more memory than it has bytes.
    const bytes = atPath ? CHUNK_BYTES : await opened.source.size()
    const chunkBytes = Math.min(CHUNK_BYTES, Math.max(SMALL_CHUNK_BYTES, bytes))
    const scanner = makeScanner(opened.source, format, { start: at, live: true, chunkBytes })
    const place = { at, skip, left: skip, given, before, head }
    this.reading = { file: opened, format, scanner, ...place, atPath, succeeded: false }
    if (moves) this.state.current = this.place()
    return true
  }

  /** Null: it is not to be read, or not yet. */
  private async formatOf({ file, source }: OpenFile): Promise<LogFormat | null> {
    try {
      const format = await sourceFormat(source, this.options.format)
      // Too few bytes to tell: of a rotated file no more will come.
      if (format !== null || file.path === this.options.log || Date.now() - file.mtime < TORN_MS) return format
      await this.giveUp(file, 'too short to be a log')
    } catch (error) {
      await this.giveUp(file, (error as Error).message)
    }
    return null
  }

  private async giveUp(file: LogFile, reason: string): Promise<void> {
    await this.events.damage({ path: file.path, offset: 0, length: file.size, reason })
    await this.markRead(file, file.size)
  }

  /** Whether what was just read belongs behind what was read before: the file has not been cut. */
  private async isStill({ file, atPath, before, given }: Reading): Promise<boolean> {
    if (!atPath) return true
    const from = given === 0 ? 0 : given - before.length
    return before.equals(await file.bytes(from, before.length))
  }

  // The end of a file.

  private async atEnd(reading: Reading): Promise<ReadRecord[] | 'switch' | 'again' | null> {
    const size = await reading.file.source.size()
    const position = reading.format === 'ndjson' ? reading.at : reading.scanner.position
    if (size < position) return this.cut(reading)
    const own = fileAt(this.options.log)
    const atPath = own !== null && isInode(own, markOf(reading.file.file))
    const moved = reading.atPath !== atPath
    reading.atPath = atPath
    if (atPath && !moved && !reading.succeeded && performance.now() - this.looked < LOOK_MS) return null
    this.looked = performance.now()
    if (!(await this.successor())) return null
    // What was written before the other file was has to be seen: the end is looked for once more.
    if (!reading.succeeded) {
      reading.succeeded = true
      return 'again'
    }
    reading.succeeded = false
    if (!atPath && size > position && reading.format === 'ndjson') return this.takeRest(reading, size)
    return 'switch'
  }

  /** A rotated file's last line, which has no newline. */
  private async takeRest(reading: Reading, size: number): Promise<ReadRecord[] | 'switch' | null> {
    const { file, at } = reading
    const rest = await file.bytes(at, size - at)
    if (rest.includes(NEWLINE)) return null
    const whole = isWholeLine(rest)
    if (!whole) {
      if (Date.now() - diskOf(file).mtime < TORN_MS || this.waitsInArena()) return null
      const reason = 'the last line of a file that is written no more is cut off'
      await this.events.damage({ path: file.file.path, offset: at, length: rest.length, reason, bytes: rest })
    }
    reading.before = lastBytes(at === 0 ? NOTHING : reading.before, rest)
    reading.at = size
    reading.given = size
    reading.scanner.position = size
    const { length } = rest
    return whole ? [{ data: rest, start: 0, end: length, next: length, at: size, skip: 0, behind: size }] : 'switch'
  }

  /**
   * The file at the log's path has been cut: a copy of what it was may hold what was not read yet.
   */
  private async cut(reading: Reading): Promise<'again' | 'switch'> {
    const { log } = this.options
    const { at } = reading
    await this.close()
    const wanted = proofHere(reading)
    let copied = reading.given === 0
    for (const file of (await this.files()).rotated) {
      if (this.marks.isRead(file)) continue
      const opened = await this.openFile(file)
      if (!opened) continue
      const isCopy = await opened.isProvedBy(wanted)
      const begins = await beginsAs(opened, reading.head)
      await opened.close()
      if (isCopy && (await this.goOnInCopy(file, reading, wanted))) return 'again'
      if (!begins) continue
      copied = true
      await this.markRead(file, file.size)
    }
    if (!copied) {
      this.state.counts.gaps++
      const lost = `${log} was cut, and there is no copy of what it was; what it had behind byte ${at} is missing`
      this.events.problem(new Error(lost))
    }
    this.copies.clear()
    this.wasCut = markOf(reading.file.file)
    return 'switch'
  }

  /** What was given and not delivered yet keeps its ids: it lies in memory, and in the copy. */
  private async goOnInCopy(file: LogFile, { at, skip }: Reading, proof: Proof): Promise<boolean> {
    const mark = { ...markOf(file), offset: at, skip, proof }
    const opened = await this.openFile(file)
    if (!opened || !(await this.read({ opened, mark }, false))) return false
    this.copies.clear()
    const { current } = this.state
    if (current) this.state.current = { ...current, ...placeOf(file) }
    return true
  }

  /** Leaves the file that has been read, with a mark of how far. */
  private async leave(): Promise<FileMark | null> {
    const { reading, wasCut } = this
    if (wasCut) {
      this.marks.forget(wasCut)
      this.state.current = null
      this.wasCut = null
    }
    if (!reading) return null
    for (const { path: name } of this.copies.values()) {
      const copy = fileAt(name)
      if (copy && copy.size <= reading.at) await this.markRead(copy, copy.size)
      // What it has more will be missing in the log's own file if that is cut.
      else if (copy) this.marks.add({ ...this.place(), ...placeOf(copy), end: reading.at })
    }
    this.copies.clear()
    const mark = await this.markOfEnd(reading)
    await this.close(false)
    this.marks.add(mark)
    this.state.counts.files++
    this.state.current = null
    return mark
  }

  /** The mark of a file that has been read to its end. */
  private async markOfEnd({ file, given }: Reading): Promise<FileMark> {
    const { end, size, mtime } = diskOf(file)
    return { ...this.place(), ...withHead(await headOf(file, given)), end, size, mtime }
  }

  // Which file comes next.

  /** The oldest file that has something that was not read; not the one that is being read. */
  private async successor(): Promise<LogFile | null> {
    const rotated = await this.backlog.next()
    if (rotated) return rotated
    const { own, seen } = this.backlog
    const others = seen.filter(file => file !== own)
    // While there is one that is not known, it may be what one which has gone has become.
    const isKnown = (file: LogFile): boolean => this.isBeingRead(file) || this.marks.isRead(file)
    if (others.every(file => isKnown(file) || this.copies.has(file.path))) this.marks.prune(seen, KEPT_GONE)
    if (!own || own.size === 0 || this.isBeingRead(own) || this.marks.isRead(own)) return null
    const judged = await this.judge(own)
    if (judged === null || judged === 'read') return null
    // It is opened when it is its turn: it may be copied and cut before.
    await judged.opened.close()
    return own
  }

  /** Opens a file, with the mark from where it is to be read; 'read': there is nothing unread. */
  private async judge(file: LogFile): Promise<Upcoming | 'read' | null> {
    const opened = await this.openFile(file)
    if (!opened) return null
    let verdict: FileMark | 'read' | null = 'read'
    try {
      verdict = await this.markFor(file, opened)
    } finally {
      if (verdict === 'read') await opened.close()
    }
    return verdict === 'read' ? verdict : { opened, mark: verdict }
  }

  /** From where a file is to be read; null: from its start; 'read': there is nothing unread. */
  private async markFor(file: LogFile, opened: OpenFile): Promise<FileMark | 'read' | null> {
    const size = await opened.source.size()
    for (const mark of await this.marks.like(opened)) {
      if (mark.proof === null || mark.offset > size || !(await opened.isProvedBy(mark.proof))) continue
      if (size > (mark.end ?? mark.offset)) return mark
      // It is known when that is delivered.
      if (this.marks.isPassed(mark)) return 'read'
      // The same under another inode, or touched: it is known from now on.
      this.marks.add({ ...mark, ...placeOf(file), size: file.size, mtime: file.mtime })
      return 'read'
    }
    if (!this.reading?.atPath || file.path === this.options.log) return null
    if (!(await beginsAs(opened, this.reading.head))) return null
    this.copies.set(file.path, file)
    return 'read'
  }

  // Arenas of the dead.

  private waitsInArena(): boolean {
    try {
      const arena = arenaOfLog({ path: this.options.log, arenaDir: this.options.arenaDir })
      arena?.close()
      return arena !== null && isOfThisBoot(arena.owner) && !isOwnerAlive(arena.owner)
    } catch {
      return false // One that cannot be read promises nothing.
    }
  }

  /** There is nothing to read: what a dead process left is written into its log. */
  private async nothing(): Promise<null> {
    const { log, arenaDir, recoverAfter } = this.options
    const now = performance.now()
    if (recoverAfter === 0 || now - this.ownerSeen < OWNER_MS) return null
    this.ownerSeen = now
    if (!this.waitsInArena()) {
      this.deadSince = null
      return null
    }
    this.deadSince ??= now
    if (now - this.deadSince < recoverAfter) return null
    this.deadSince = null
    try {
      await recoverLog(log, arenaDir === undefined ? {} : { arenaDir })
    } catch (error) {
      this.events.problem(error as Error)
    }
    return null
  }
}

const NOTHING = Buffer.alloc(0)

const placeOf = ({ path, dev, ino }: LogFile): Pick<FileMark, 'path' | 'dev' | 'ino'> => ({ path, dev, ino })

const markOf = (file: LogFile): FileMark => ({ ...placeOf(file), offset: 0, skip: 0, proof: null })

const withHead = (head: Proof | undefined): { head?: Proof } => (head ? { head } : {})

function proofHere({ given, before, head }: Reading): Proof {
  return given === 0 ? proofOf(0, head) : proofOf(given - before.length, before)
}

/** A file as it is on the disk now, and the bytes of its content. */
function diskOf({ file, source }: OpenFile): { end: number; size: number; mtime: number } {
  const { size, mtimeNs } = source.stat()
  const end = Number(size)
  return file.packed
    ? { end, size: file.size, mtime: file.mtime }
    : { end, size: end, mtime: Number(mtimeNs) / NS_PER_MS }
}

function proofOfLine(at: number, line: Buffer): Proof {
  const bytes = line.subarray(-PROOF_BYTES)
  return proofOf(at - bytes.length, bytes)
}

function bytesBefore(file: OpenFile, at: number): Promise<Buffer> {
  const from = Math.max(0, at - PROOF_BYTES)
  return file.bytes(from, at - from)
}

async function beginsAs(file: OpenFile, head: Buffer): Promise<boolean> {
  const bytes = await file.bytes(0, head.length)
  return bytes.length > 0 && bytes.equals(head.subarray(0, bytes.length))
}

/** The lines of an item as records; empty ones are none. */
function takeLines(reading: Reading, { data, offset, start, end }: LinesItem, records: ReadRecord[]): void {
  for (let at = start; at < end; ) {
    const next = lineEnd(data, at, end)
    let last = next
    if (last > at && data[last - 1] === NEWLINE) last--
    if (last > at && data[last - 1] === RETURN) last--
    if (last > at) {
      const behind = offset + next - start
      records.push({ data, start: at, end: last, next, at: behind, skip: 0, behind })
    }
    at = next
  }
  reading.before = lastBytes(reading.at === 0 ? NOTHING : reading.before, data.subarray(start, end))
  reading.at = offset + end - start
  reading.given = reading.at
}

/** The entries of a block as records; those that were given before the shipper ended are not. */
function takeBlock(reading: Reading, { data, info, start, end, skipped }: BlockItem, records: ReadRecord[]): void {
  const { left } = reading
  const place = info.offset + skipped - start
  let done = 0
  for (let at = start; at < end; ) {
    const first = at + ENTRY_PREFIX_BYTES
    at = first + data.readUInt32LE(at)
    done++
    if (done <= left) continue
    let last = at
    if (last > first && data[last - 1] === NEWLINE) last--
    if (last > first) {
      records.push({ data, start: first, end: last, next: at, at: info.offset, skip: done, behind: place + at })
    }
  }
  reading.left = 0
  reading.at = info.offset
  reading.skip = done
  reading.given = place + end
}
