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
import {
  fileAt,
  isInode,
  isUntouched,
  type LogFile,
  logFiles,
  OpenFile,
  type RotatedNames,
  rotatedNames
} from './rotation'
import type { ShipRecord } from './sink'
import { type FileMark, newStream, PROOF_BYTES, type Proof, proofOf, type ShipState } from './state'

/** What is read at once of a file that may be long. */
const CHUNK_BYTES = 1024 * 1024
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
  /** Index in `data` of the position behind it; of a text. */
  readonly next: number
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
  /** Bytes before `at`; the first ones if that is 0. */
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

  constructor(
    private readonly options: SourceOptions,
    private readonly state: ShipState,
    private readonly events: SourceEvents
  ) {
    this.names = rotatedNames(options.log, options.rotated)
  }

  /** Without a cursor: what is not to be shipped counts as read. */
  async prepare(): Promise<void> {
    const { log, start } = this.options
    if (this.state.saved !== 0) return
    if (start !== 'oldest') for (const file of (await this.files()).rotated) await this.markRead(file, file.size)
    if (start !== 'end') return
    const own = await fileAt(log)
    const opened = own && (await this.openFile(own))
    if (!opened) return
    const end = await tailStart(opened.source, 0, await sourceFormat(opened.source, this.options.format))
    await opened.close()
    await this.markRead(own, end)
  }

  /**
   * The next records; 'switch' when another file follows the one that was being read: what was
   * given has to be delivered then, and `advance` called; null: nothing at present.
   */
  async next(): Promise<readonly ReadRecord[] | 'switch' | null> {
    if (!this.started && !(await this.resume())) return this.nothing()
    for (;;) {
      const { reading } = this
      if (this.wasCut) return 'switch'
      if (!reading) return (await this.successor()) ? 'switch' : this.nothing()
      const step = await this.step(reading)
      if (step === null) return this.nothing()
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
    if (reading.format === 'shard') reading.before = await bytesBefore(reading.file, reading.at)
    return records
  }

  /**
   * Goes over to the next file, to where it has not been read. All that was given has been
   * delivered. False if there is none to be read yet.
   */
  async advance(): Promise<boolean> {
    await this.leave()
    for (;;) {
      const file = await this.successor()
      if (!file) return false
      const mark = await this.markFor(file)
      if (!(await this.open(file, mark === 'read' ? null : mark))) return false
      // The log's own file may have been copied and cut before it was open: the copy comes first.
      if (!this.reading!.atPath || !(await this.successor())) return true
      await this.close()
      this.state.current = null
    }
  }

  /** The mark of the file that is being read, as far as a record that `next` gave of it. */
  async markAt({ at, skip, data, start, next }: ReadRecord): Promise<FileMark> {
    const { reading } = this
    if (!reading) return { ...this.wasCut!, offset: at, skip, proof: proofOfLine(at, data.subarray(start, next)) }
    const { file, format } = reading
    const mark = { ...markOf(file.file), offset: at, skip }
    if (at === 0) return { ...mark, proof: proofOf(0, reading.head) }
    const bytes = await bytesBefore(file, at)
    const line = format === 'ndjson' ? data.subarray(start, next) : bytes
    const tail = line.subarray(-bytes.length)
    const same = bytes.length > 0 && bytes.subarray(-tail.length).equals(tail)
    // Else the file has been cut since.
    return { ...mark, proof: same ? proofOf(at - bytes.length, bytes) : proofOfLine(at, line) }
  }

  /**
   * Notices files that are deleted before they were read: retention is what bounds the backlog. To
   * be called now and then, also while nothing is sent.
   */
  async observe(): Promise<void> {
    if (!this.started) return
    const { rotated, own } = await this.files()
    const all = own ? [...rotated, own] : rotated
    const isRead = (file: LogFile): boolean => this.state.files.some(mark => isInode(file, mark))
    for (const [key, gone] of this.waiting) {
      if (all.some(file => keyOf(file) === key)) continue
      this.waiting.delete(key)
      const isPacked = all.some(file => file.packed && file.path.startsWith(gone.path))
      if (isPacked || isRead(gone) || this.isCurrent(gone)) continue
      this.state.counts.gaps++
      this.events.problem(new Error(`${gone.path} was deleted before its ${gone.size} bytes were shipped`))
    }
    for (const file of rotated) {
      if (!isRead(file) && !this.isCurrent(file) && !this.copies.has(file.path)) this.waiting.set(keyOf(file), file)
      else this.waiting.delete(keyOf(file))
    }
  }

  private isCurrent(file: LogFile): boolean {
    const { current } = this.state
    return (
      (this.reading !== null && isInode(file, markOf(this.reading.file.file))) ||
      (current !== null && isInode(file, current))
    )
  }

  async close(): Promise<void> {
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
      if (await this.resumeIn(file, wanted)) return true
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
    const proved = wanted.proof !== null && (await opened.isProvedBy(wanted.proof))
    await opened.close()
    if (!proved) return false
    // Of a copy nobody knows whether it has all that was sent: what follows could get ids that
    // records which it lacks have had.
    if (!isInode(file, wanted) && !file.packed) this.begin()
    return await this.open(file, wanted)
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
      await opened.close()
    }
    this.remember(mark)
  }

  private remember(mark: FileMark): void {
    this.state.files = [...this.state.files.filter(known => !(known.ino === mark.ino && known.dev === mark.dev)), mark]
  }

  // Reading.

  private files(): Promise<{ rotated: LogFile[]; own: LogFile | null }> {
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
      this.remember({ ...markOf(file), proof: null, size: file.size, mtime: file.mtime })
      return null
    }
  }

  /** @param moves whether the cursor goes there: nothing given is still to be delivered */
  private async open(file: LogFile, mark: FileMark | null, moves = true): Promise<boolean> {
    const opened = await this.openFile(file)
    if (!opened) return false
    let format: LogFormat | null
    try {
      format = await sourceFormat(opened.source, this.options.format)
    } catch (error) {
      await opened.close()
      const damage = { path: file.path, offset: 0, length: file.size, reason: (error as Error).message }
      await this.events.damage(damage)
      await this.markRead(file, file.size)
      return false
    }
    if (!format) {
      await opened.close()
      return false
    }
    const at = mark?.offset ?? 0
    const skip = mark?.skip ?? 0
    const head = await opened.bytes(0, format === 'ndjson' ? PROOF_BYTES : 0)
    const before = at === 0 ? head : await bytesBefore(opened, at)
    const scanner = makeScanner(opened.source, format, { start: at, live: true, chunkBytes: CHUNK_BYTES })
    const { dev, ino } = opened.file
    const own = await fileAt(this.options.log)
    const atPath = own !== null && own.dev === dev && own.ino === ino
    this.reading = { file: opened, format, scanner, at, skip, left: skip, before, head, atPath, succeeded: false }
    if (moves) this.state.current = { ...markOf(opened.file), offset: at, skip, proof: proofHere(this.reading) }
    return true
  }

  /** Whether what was just read belongs behind what was read before: the file has not been cut. */
  private async isStill({ file, atPath, before, at }: Reading): Promise<boolean> {
    if (!atPath) return true
    const from = at === 0 ? 0 : at - before.length
    return before.equals(await file.bytes(from, before.length))
  }

  // The end of a file.

  private async atEnd(reading: Reading): Promise<ReadRecord[] | 'switch' | 'again' | null> {
    const size = await reading.file.source.size()
    const position = reading.format === 'ndjson' ? reading.at : reading.scanner.position
    if (size < position) return this.cut(reading)
    const own = await fileAt(this.options.log)
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
      const { mtimeMs } = await file.source.handle.stat()
      if (Date.now() - mtimeMs < TORN_MS || this.waitsInArena()) return null
      const reason = 'the last line of a file that is written no more is cut off'
      await this.events.damage({ path: file.file.path, offset: at, length: rest.length, reason, bytes: rest })
    }
    reading.before = lastBytes(at === 0 ? NOTHING : reading.before, rest)
    reading.at = size
    reading.scanner.position = size
    return whole ? [{ data: rest, start: 0, end: rest.length, next: rest.length, at: size, skip: 0 }] : 'switch'
  }

  /**
   * The file at the log's path has been cut: a copy of what it was may hold what was not read yet.
   */
  private async cut(reading: Reading): Promise<'again' | 'switch'> {
    const { log } = this.options
    const { at } = reading
    await this.close()
    const wanted = proofHere(reading)
    let copied = at === 0
    for (const file of (await this.files()).rotated) {
      if (this.state.files.some(mark => isUntouched(file, mark))) continue
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
    if (!(await this.open(file, mark, false))) return false
    this.copies.clear()
    const { current } = this.state
    if (current) this.state.current = { ...current, ...placeOf(file) }
    return true
  }

  /** Leaves the file that has been read, with a mark of how far. */
  private async leave(): Promise<void> {
    const { reading, wasCut } = this
    if (wasCut) {
      this.state.files = this.state.files.filter(known => !(known.ino === wasCut.ino && known.dev === wasCut.dev))
      this.state.current = null
      this.wasCut = null
    }
    if (!reading) return
    const { file, at, skip } = reading
    for (const { path: name } of this.copies.values()) {
      const copy = await fileAt(name)
      if (copy && copy.size <= at) await this.markRead(copy, copy.size)
      // What it has more will be missing in the log's own file if that is cut.
      else if (copy) this.remember({ ...markOf(copy), offset: at, skip, proof: proofHere(reading), end: at })
    }
    this.copies.clear()
    const { size, mtimeNs } = await file.source.handle.stat({ bigint: true })
    const end = Number(size)
    const disk = file.file.packed ? file.file : { size: end, mtime: Number(mtimeNs) / NS_PER_MS }
    const mark = { ...markOf(file.file), offset: at, skip, proof: proofHere(reading) }
    await this.close()
    this.remember({ ...mark, end, size: disk.size, mtime: disk.mtime })
    this.state.counts.files++
    this.state.current = null
    await this.prune()
  }

  /** Forgets the marks of files that are there no more. */
  private async prune(): Promise<void> {
    const { rotated, own } = await this.files()
    const files = own ? [...rotated, own] : rotated
    // One that has just been packed lives on under another inode, which is not known yet.
    const kept = this.state.files.filter(mark => files.some(file => isInode(file, mark)))
    const gone = this.state.files.filter(mark => !kept.includes(mark)).slice(-KEPT_GONE)
    this.state.files = [...gone, ...kept]
  }

  // Which file comes next.

  /** The oldest file that has something that was not read; not the one that is being read. */
  private async successor(): Promise<LogFile | null> {
    const { rotated, own } = await this.files()
    for (const file of own && own.size > 0 ? [...rotated, own] : rotated) {
      if (this.reading && isInode(file, markOf(this.reading.file.file))) continue
      if (this.state.files.some(mark => isUntouched(file, mark))) continue
      if ((await this.markFor(file)) !== 'read') return file
    }
    return null
  }

  /** From where a file is to be read; null: from its start; 'read': there is nothing unread. */
  private async markFor(file: LogFile): Promise<FileMark | 'read' | null> {
    const opened = await this.openFile(file)
    if (!opened) return 'read'
    try {
      const size = await opened.source.size()
      const known = [...this.state.files].sort((a, b) => Number(isInode(file, b)) - Number(isInode(file, a)))
      for (const mark of known) {
        if (mark.proof === null || mark.offset > size || !(await opened.isProvedBy(mark.proof))) continue
        if (size > (mark.end ?? mark.offset)) return mark
        // The same under another inode, or touched: it is known from now on.
        this.remember({ ...mark, ...placeOf(file), size: file.size, mtime: file.mtime })
        return 'read'
      }
      if (!this.reading?.atPath || file.path === this.options.log) return null
      if (!(await beginsAs(opened, this.reading.head))) return null
      this.copies.set(file.path, file)
      return 'read'
    } finally {
      await opened.close()
    }
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

const keyOf = ({ dev, ino }: LogFile): string => `${dev} ${ino}`

const placeOf = ({ path, dev, ino }: LogFile): Pick<FileMark, 'path' | 'dev' | 'ino'> => ({ path, dev, ino })

const markOf = (file: LogFile): FileMark => ({ ...placeOf(file), offset: 0, skip: 0, proof: null })

function proofHere({ at, before, head }: Reading): Proof {
  return at === 0 ? proofOf(0, head) : proofOf(at - before.length, before)
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
    if (last > at) records.push({ data, start: at, end: last, next, at: offset + next - start, skip: 0 })
    at = next
  }
  reading.before = lastBytes(reading.at === 0 ? NOTHING : reading.before, data.subarray(start, end))
  reading.at = offset + end - start
}

/** The entries of a block as records; those that were given before the shipper ended are not. */
function takeBlock(reading: Reading, { data, info, start, end }: BlockItem, records: ReadRecord[]): void {
  const { left } = reading
  let done = 0
  for (let at = start; at < end; ) {
    const first = at + ENTRY_PREFIX_BYTES
    at = first + data.readUInt32LE(at)
    done++
    if (done <= left) continue
    let last = at
    if (last > first && data[last - 1] === NEWLINE) last--
    if (last > first) records.push({ data, start: first, end: last, next: at, at: info.offset, skip: done })
  }
  reading.left = 0
  reading.at = info.offset
  reading.skip = done
}

/** Bytes on the disk behind a cursor: what has not been delivered. */
export async function lagOf(
  state: Pick<ShipState, 'current' | 'files'>,
  log: string,
  rotated: string | null
): Promise<number> {
  const { rotated: files, own } = await logFiles(rotatedNames(log, rotated), log)
  let bytes = 0
  for (const file of own ? [...files, own] : files) {
    const { current } = state
    if (state.files.some(mark => isUntouched(file, mark))) continue
    const mark = current && isInode(file, current) ? current : state.files.find(known => isInode(file, known))
    bytes += Math.max(0, file.size - (mark?.offset ?? 0))
  }
  return bytes
}
