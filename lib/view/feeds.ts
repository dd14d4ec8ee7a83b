/**
 * Where the events of each file come from: batches of pages, once from front to back, then what is
 * new.
 */

import fs, { createReadStream } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { createGunzip } from 'node:zlib'
import type { ShardlogError } from '../errors'
import { checkFollowed } from '../reader/follow'
import type { BlockItem, Damage, LinesItem, ScanItem, Scanner } from '../reader/items'
import { LogFollower } from '../reader/log-follower'
import { scanArena } from '../reader/log-place'
import { isArena, makeScanner, openLog, sourceFormat } from '../reader/open-log'
import { type Source, StreamSource } from '../reader/source'
import { isRing, readArenaCounts, readArenaFile, startOf } from '../recorder/arena'
import type { RecordedEvent } from '../recorder/decode'
import { isSnapshot, readEvents, readSnapshot, type Watermark } from '../recorder/snapshot'
import type { Clock } from './clock'
import type { LevelTable, ViewEvent, ViewSource } from './event'
import { decodeEvent, encodeEvent } from './event-line'
import { Batch, HeadReader, type Volume } from './page'
import { Spool, SpooledSource } from './spool'

/** What a line of a log says. */
export type DecodeLine = (text: string, source: ViewSource, before: bigint) => ViewEvent

/** What all feeds of a view share. */
export interface FeedContext {
  clock: Clock
  levels: LevelTable
  decodeLine: DecodeLine
  /** Numbers of the levels of logs. */
  logLevels: Readonly<Record<string, number>>
  /** Told of each damage that is found. */
  onDamage(damage: Damage): void
}

/** The events of one file. */
export interface Feed {
  readonly source: ViewSource
  /** Whether more may come after `next` has said null. */
  readonly canFollow: boolean
  /** How much of what was there at the start is read, from 0 to 1; null where nobody can tell. */
  readonly progress: number | null
  /** What comes next; null: nothing at present. */
  next(): Promise<Batch | null>
  close(): Promise<void>
}

const GZIP = Buffer.from([0x1f, 0x8b])
/** A log that grows as fast as it is read is read no further at the start. */
const MOST_ROUNDS = 50
/** So many events become a batch. */
const BATCH_EVENTS = 4096

/** What a feed writes, and the volumes that its pages lie in. */
abstract class BaseFeed implements Feed {
  abstract readonly canFollow: boolean
  get progress(): number | null {
    return null
  }

  protected spool: Spool | null = null
  protected readonly heads: HeadReader
  readonly #volumes = new Map<FileHandle, Volume[]>()

  constructor(
    readonly source: ViewSource,
    protected readonly context: FeedContext
  ) {
    this.heads = new HeadReader(context.clock, context.levels)
  }

  abstract next(): Promise<Batch | null>

  /** @throws ShardlogError `ERR_SHARDLOG_IO` */
  protected async spooled(): Promise<Spool> {
    this.spool ??= await Spool.create()
    return this.spool
  }

  protected volume(handle: FileHandle, form: Volume['form']): Volume {
    const { source, context } = this
    const volumes = this.#volumes.get(handle) ?? []
    this.#volumes.set(handle, volumes)
    const known = volumes.find(volume => volume.form === form && !volume.isGone)
    if (known !== undefined) return known
    const decode = (text: string, before: bigint): ViewEvent => context.decodeLine(text, source, before)
    const made: Volume = { handle, form, source, decode, isLog: true, isGone: false }
    volumes.push(made)
    return made
  }

  /** What lay in the file is there no longer. */
  protected forget(handle: FileHandle): void {
    for (const volume of this.#volumes.get(handle) ?? []) volume.isGone = true
  }

  /**
   * Adds the records of an item that stand in `handle`, or in memory only, and then go to the
   * spool.
   */
  protected async addItem(batch: Batch, item: BlockItem | LinesItem, handle: FileHandle | null): Promise<void> {
    const { data, start, end } = item
    const form = item.kind === 'lines' ? 'lines' : 'entries'
    if (handle === null || (item.kind === 'block' && item.info.source === 'arena')) {
      const spool = await this.spooled()
      const offset = await spool.append(data.subarray(start, end))
      batch.addRecords(this.volume(spool.handle, form), this.heads, { data, start, end, offset })
      return
    }
    const offset = item.kind === 'lines' ? item.offset : item.info.offset + item.skipped
    batch.addRecords(this.volume(handle, form), this.heads, { data, start, end, offset })
  }

  /** Adds events that were decoded. */
  protected async addEvents(batch: Batch, events: readonly RecordedEvent[]): Promise<void> {
    const { source } = this
    const spool = await this.spooled()
    const data = Buffer.from(events.map(encodeEvent).join(''))
    const offset = await spool.append(data)
    const volume = this.volume(spool.handle, 'lines')
    Object.assign(volume, { isLog: false, decode: (text: string) => ({ ...decodeEvent(text), source }) })
    batch.addRecords(volume, this.heads, { data, start: 0, end: data.length, offset })
  }

  async close(): Promise<void> {
    for (const handle of this.#volumes.keys()) if (handle !== this.spool?.handle) await handle.close()
    await this.spool?.close()
  }
}

/** A log in a regular file, with what waits in its arena. */
class LogFeed extends BaseFeed {
  readonly canFollow = true
  readonly #follower: LogFollower
  /**
   * Where the last lines of the file ended, and what was taken behind it: a line without newline.
   */
  #end = 0
  #loose = -1
  /** Rounds left until the start is over, from when all is read that the file had at first. */
  #roundsLeft = MOST_ROUNDS
  #firstSize = -1

  constructor(source: ViewSource, context: FeedContext) {
    super(source, context)
    this.#follower = new LogFollower({ path: source.file }, { follow: true, keepsFiles: true })
  }

  override get progress(): number | null {
    return this.#firstSize > 0 ? Math.min(1, this.#end / this.#firstSize) : null
  }

  async next(): Promise<Batch | null> {
    for (;;) {
      if (this.#roundsLeft === 0) {
        this.#roundsLeft = -1
        return null
      }
      const items = await this.#follower.round()
      if (items === null) return this.#looseLine()
      if (this.#firstSize < 0) this.#firstSize = (await this.#follower.file?.size()) ?? 0
      if (this.#roundsLeft > 0 && this.#end >= this.#firstSize) this.#roundsLeft--
      const batch = new Batch()
      for (const item of items) await this.#add(batch, item)
      if (batch.count > 0) return batch
    }
  }

  async #add(batch: Batch, item: ScanItem): Promise<void> {
    const handle = this.#follower.file?.handle ?? null
    if (item.kind === 'damage') {
      if (item.damage.kind === 'replaced' && handle !== null) this.forget(handle)
      this.context.onDamage(item.damage)
    }
    if (item.kind !== 'block' && item.kind !== 'lines') return
    if (item.kind === 'block') {
      if (item.info.source === 'file') this.#end = item.info.offset + item.skipped + item.end - item.start
      await this.addItem(batch, item, handle)
      return
    }
    const { data, offset, start, end } = item
    const newline = offset === this.#loose ? data.indexOf('\n', start) : -1
    this.#loose = -1
    this.#end = offset + end - start
    // The line that was shown before its newline came.
    const from = newline < 0 || newline >= end ? start : newline + 1
    if (from < end) await this.addItem(batch, { ...item, offset: offset + from - start, start: from }, handle)
  }

  /**
   * A last line without newline: nothing tells whether it is whole, but that it is JSON, or never
   * was to be.
   */
  async #looseLine(): Promise<Batch | null> {
    const file = this.#follower.file
    if (!this.#follower.isText || file === null || this.#loose >= 0 || this.#follower.ownerAlive() === true) return null
    if ((await file.size()) <= this.#end) return null
    this.#roundsLeft = -1
    const scanner = makeScanner(file, 'ndjson', { start: this.#end })
    const batch = new Batch()
    this.#loose = this.#end
    await addAll(scanner, async item => {
      if (item.kind === 'damage') this.context.onDamage(item.damage)
      if (item.kind === 'lines') await this.addItem(batch, item, file.handle)
    })
    return batch.count > 0 ? batch : null
  }

  override async close(): Promise<void> {
    const file = this.#follower.file
    await this.#follower.close()
    if (file !== null) this.volume(file.handle, 'lines')
    await super.close()
  }
}

async function addAll(scanner: Scanner, add: (item: ScanItem) => Promise<void>): Promise<void> {
  for (let items = await scanner.next(); items !== null; items = await scanner.next()) {
    for (const item of items) await add(item)
  }
  await scanner.close()
}

/** What comes once. */
interface OpenItems {
  items: AsyncGenerator<ScanItem[], void>
  /** What is read goes to the spool, at the offsets that items tell. */
  isSpooled: boolean
  /** Ends a read that waits for somebody who may never write. */
  stop(): void
}

/** Told what broke a stream off, and where. */
type OnBreak = (message: string, offset: number) => void
type Opener = (spool: Spool, onBreak: OnBreak) => Promise<OpenItems>

/** What comes once, in items: a gzipped log, a pipe, the arena of a log. */
class StreamFeed extends BaseFeed {
  readonly canFollow = false
  #opened: OpenItems | null = null
  readonly #open: Opener
  #isClosed = false

  constructor(source: ViewSource, context: FeedContext, open: Opener) {
    super(source, context)
    this.#open = open
  }

  async next(): Promise<Batch | null> {
    const spool = await this.spooled()
    this.#opened ??= await this.#open(spool, (message, offset) => {
      const damage: Damage = { kind: 'torn-tail', path: this.source.file, offset, length: 0, message }
      if (!this.#isClosed) this.context.onDamage(damage)
    })
    const { items, isSpooled } = this.#opened
    for (;;) {
      const step = await items.next()
      if (step.done || this.#isClosed) return null
      const batch = new Batch()
      for (const item of step.value) {
        if (item.kind === 'damage') this.context.onDamage(item.damage)
        if (item.kind === 'block' || item.kind === 'lines') {
          await this.addItem(batch, item, isSpooled ? spool.handle : null)
        }
      }
      if (batch.count > 0) return batch
    }
  }

  override async close(): Promise<void> {
    this.#isClosed = true
    this.#opened?.stop()
    await this.#opened?.items.return()
    await super.close()
  }
}

/** Batches of a source that is read once. What breaks it off is damage: what came before stays. */
async function* streamed(source: Source, what: string, onBreak: OnBreak): AsyncGenerator<ScanItem[], void> {
  let scanner: Scanner | null = null
  try {
    const format = await sourceFormat(source)
    if (format === null) return
    scanner = makeScanner(source, format, {})
    for (let items = await scanner.next(); items !== null; items = await scanner.next()) yield items
  } catch (error) {
    if ((error as ShardlogError).code === 'ERR_SHARDLOG_FORMAT') throw error
    onBreak(`${what}: ${(error as Error).message}`, scanner?.position ?? 0)
  } finally {
    await scanner?.close()
    await source.close()
  }
}

function unpacked(file: string): Readable {
  const bytes = createReadStream(file)
  const stream = createGunzip()
  bytes.on('error', error => stream.destroy(error))
  stream.on('close', () => bytes.destroy())
  return bytes.pipe(stream)
}

/**
 * What comes out of a pipe or a device. A pipe is read as a socket, which can be let go of while
 * nobody writes; a read of a file cannot.
 */
async function piped(file: string): Promise<Readable> {
  if (!fs.statSync(file).isFIFO()) return createReadStream(file)
  const fd = await promisify(fs.open)(file, 'r')
  return new Socket({ fd, readable: true, writable: false })
}

function streamFeed(source: ViewSource, context: FeedContext, isGzip: boolean): Feed {
  const { file } = source
  return new StreamFeed(source, context, async (spool, onBreak) => {
    const stream = isGzip ? unpacked(file) : await piped(file)
    const spooled = new SpooledSource(new StreamSource(file, stream), spool)
    const what = isGzip ? 'the rest cannot be unpacked' : 'the rest cannot be read'
    return { items: streamed(spooled, what, onBreak), isSpooled: true, stop: () => stream.destroy() }
  })
}

/** Events that come decoded: of a snapshot, or of a recorder, also of one that runs. */
class EventFeed extends BaseFeed {
  readonly canFollow: boolean
  readonly #more: () => readonly RecordedEvent[]
  #events: readonly RecordedEvent[]
  #at = 0
  /** What was there at the start has been given. */
  #hasEnded = false

  /** @param more what is new; null if nothing can come */
  constructor(
    source: ViewSource,
    context: FeedContext,
    events: readonly RecordedEvent[],
    more: (() => readonly RecordedEvent[]) | null
  ) {
    super(source, context)
    this.#events = events
    this.canFollow = more !== null
    this.#more = more ?? (() => [])
  }

  async next(): Promise<Batch | null> {
    if (this.#at === this.#events.length) {
      this.#events = this.#hasEnded ? this.#more() : []
      this.#hasEnded = true
      this.#at = 0
      if (this.#events.length === 0) return null
    }
    const batch = new Batch()
    const events = this.#events.slice(this.#at, this.#at + BATCH_EVENTS)
    await this.addEvents(batch, events)
    this.#at += events.length
    return batch
  }
}

function damageOf(file: string, damaged: number): Damage {
  return { kind: 'bad-record', path: file, offset: 0, length: 0, message: `${damaged} entries could not be read` }
}

function snapshotFeed(file: string, context: FeedContext): Feed {
  const { service, hostname, pid, levels, counters, events } = readSnapshot(file)
  if (counters.damaged > 0) context.onDamage(damageOf(file, counters.damaged))
  return new EventFeed({ file, kind: 'snapshot', service, hostname, pid, levels }, context, events, null)
}

function ringFeed(file: string, context: FeedContext): Feed {
  const watermark: Watermark = new Map()
  const read = () => {
    const arena = readArenaFile(file)
    const steps = readEvents({ arena, minAge: 0, watermark })
    let step = steps.next()
    while (!step.done) step = steps.next()
    return { arena, ...step.value }
  }
  const { arena, events, counters } = read()
  if (counters.damaged > 0) context.onDamage(damageOf(file, counters.damaged))
  const { service, hostname, levels } = arena.about
  let { recorded } = readArenaCounts(file)
  const more = (): readonly RecordedEvent[] => {
    if (!fs.existsSync(file)) return [] // Its process has ended well, and removed it.
    const now = readArenaCounts(file).recorded
    if (now === recorded) return []
    recorded = now
    return read().events
  }
  return new EventFeed({ file, kind: 'recorder', service, hostname, pid: arena.pid, levels }, context, events, more)
}

/**
 * The feed of a file, whatever it is.
 *
 * @throws ShardlogError `ERR_SHARDLOG_IO`, `ERR_SHARDLOG_READ`, `ERR_SHARDLOG_CORRUPT`,
 *   `ERR_SHARDLOG_PACKAGE`, `ERR_SHARDLOG_FORMAT`
 */
export async function openFeed(file: string, context: FeedContext): Promise<Feed> {
  const source: ViewSource = {
    file,
    kind: 'log',
    service: null,
    hostname: null,
    pid: null,
    levels: context.logLevels
  }
  if (!fs.existsSync(file)) {
    await checkFollowed({ path: file })
    return new LogFeed(source, context)
  }
  const start = startOf(file)
  if (isSnapshot(start)) return snapshotFeed(file, context)
  if (isRing(start)) return ringFeed(file, context)
  const stats = fs.statSync(file)
  if (start.subarray(0, GZIP.length).equals(GZIP)) return streamFeed(source, context, true)
  if (!stats.isFile() && !stats.isDirectory()) return streamFeed(source, context, false)
  await checkFollowed({ path: file })
  const opened = await openLog({ path: file })
  if (opened === null) return new LogFeed(source, context)
  try {
    if (await isArena(opened)) {
      const items = scanArena(file)
      return new StreamFeed(source, context, async () => ({ items, isSpooled: false, stop: () => undefined }))
    }
    await sourceFormat(opened)
    return new LogFeed(source, context)
  } finally {
    await opened.close()
  }
}
