import { BLOCK_HEADER_BYTES, blockStride, SECTOR_BYTES } from '../format/constants'
import type { BlockInfo, BlockItem, DamageKind, ScanItem, Scanner } from './items'
import { isPlausibleHeader, isZero, type ParsedBlock, parseBlock, zeroSectors } from './parse-block'
import { loadWholeEntries, type Problem, Resync, type SoundBlock, vetFile, vetPipe } from './resync'
import { CHUNK_BYTES, type Source, Window } from './source'

export interface SequenceRange {
  stream: bigint
  first: bigint
  last: bigint
  blocks: number
  holes: number
  repetitions: number
}

/** As many streams are watched; of more, those are forgotten that began first. */
const MAX_STREAMS = 1000

/** Watches the sequence numbers of the streams in one file (R9), in bounded memory. */
export class SequenceTracker {
  readonly streams = new Map<bigint, SequenceRange>()

  clone(): SequenceTracker {
    const copy = new SequenceTracker()
    for (const [stream, range] of this.streams) copy.streams.set(stream, { ...range })
    return copy
  }

  /** Takes the next block in file order; returns what is wrong with its place, or null. */
  add(info: BlockInfo): { kind: DamageKind; message: string } | null {
    const { stream, sequence } = info
    if (stream === undefined || sequence === undefined) return null
    const range = this.streams.get(stream)
    if (!range) return this.begin(stream, sequence)
    range.blocks++
    const expected = range.last + 1n
    if (sequence > range.last) range.last = sequence
    if (sequence === expected) return null
    const name = stream.toString(16)
    if (sequence < expected) {
      range.repetitions++
      return { kind: 'sequence-repeat', message: `block ${sequence} of stream ${name} stands here again` }
    }
    range.holes++
    return { kind: 'sequence-hole', message: `blocks ${expected} to ${sequence - 1n} of stream ${name} are missing` }
  }

  /**
   * The first stream of a file may have begun in the file before it (rotation); a later one begins
   * at 0.
   */
  private begin(stream: bigint, sequence: bigint): { kind: DamageKind; message: string } | null {
    const isFirst = this.streams.size === 0
    if (this.streams.size >= MAX_STREAMS) this.streams.delete(this.streams.keys().next().value!)
    this.streams.set(stream, { stream, first: sequence, last: sequence, blocks: 1, holes: 0, repetitions: 0 })
    if (isFirst || sequence === 0n) return null
    const message = `blocks 0 to ${sequence - 1n} of stream ${stream.toString(16)} are missing`
    return { kind: 'sequence-hole', message }
  }
}

/** Blocks larger than this are looked at before memory is spent on them. */
const LARGE_BLOCK_BYTES = 2 * CHUNK_BYTES
const MAX_BATCH_ITEMS = 4096

export interface ScannerOptions {
  /** Where to start, a multiple of 512. Default 0. */
  start?: number
  /** Let chunks be overwritten by later ones: views of a batch die with the next call of `next`. */
  reuse?: boolean
  /**
   * The file is growing: what looks cut off or empty at its end is not judged but tried again
   * later.
   */
  live?: boolean
  /** Deliver blocks with a bad checksum as far as their entries decode. */
  salvage?: boolean
  /** What is read at once. Default 4 MiB, and as much ahead; less where many files are open. */
  chunkBytes?: number
}

/** A block that may be none, or hide others, and its size, header included: `vet` decides. */
interface Claim {
  claimed: number
}

type Step = 'more' | 'end' | { need: number } | Claim | Problem

/**
 * Walks the blocks of one log from front to back, in memory that does not grow with the file (a few
 * chunks of 4 MiB, or the largest block if that is larger). What cannot be read is reported and
 * stepped over (D1 to D4); nothing throws but I/O.
 */
export class BlockScanner implements Scanner {
  /** Start of the next block to be read. */
  position: number
  /** Whether a block with a good trailer has been seen: then all blocks should have one (R8). */
  trailersSeen = false
  /** Bytes from this position on are not to be read yet. */
  limit = Number.POSITIVE_INFINITY
  private size = 0
  /** Position of the block that `vet` has let pass. */
  private vetted = -1
  private items: ScanItem[] = []
  private blocks = 0
  private readonly window: Window
  private readonly resync: Resync
  private sequences = new SequenceTracker()
  /** As the sequences were before the last call of `next`; only kept in a growing file. */
  private sequencesBefore: SequenceTracker | null = null
  /**
   * Of a growing file: the cut-off block at its end behind which nothing sound was found, and how
   * far.
   */
  private waiting = { position: -1, end: -1 }
  /** Blocks without trailer before the first one with a trailer. */
  private plain = { first: -1, count: 0, bytes: 0 }

  constructor(
    readonly source: Source,
    private readonly options: ScannerOptions = {}
  ) {
    this.position = options.start ?? 0
    const { reuse = false, live = false, chunkBytes } = options
    const readAhead = source.seekable && !live && chunkBytes === undefined
    this.window = new Window(source, { reuse, readAhead, ...(chunkBytes === undefined ? {} : { chunkBytes }) })
    this.resync = new Resync(source, this.window, () => this.end)
  }

  /**
   * The next blocks, fill and damage, in file order; null at the end. With `live`, null only means:
   * nothing more at present.
   */
  async next(): Promise<ScanItem[] | null> {
    this.items = []
    this.blocks = 0
    if (this.options.live) {
      await this.window.reset()
      await this.resync.reset()
      this.sequencesBefore = this.sequences.clone()
    }
    // What has grown behind a remnant of a sector is no block: those begin at sectors.
    const atSector = this.position % SECTOR_BYTES === 0
    if (this.options.live || (this.position >= this.size && atSector)) this.size = await this.source.size()
    for (;;) {
      const step = this.step()
      if (step === 'more') {
        if (this.items.length >= MAX_BATCH_ITEMS) return this.items
      } else if (step === 'end') {
        return this.finish()
      } else if (this.blocks > 0 && this.mayMove(step)) {
        return this.items
      } else if ('need' in step) {
        await this.load(step.need)
      } else if ('claimed' in step) {
        if (!(await this.vet(step.claimed))) return this.finish()
      } else if (!(await this.recover(step))) {
        return this.finish()
      } else if (this.items.length >= MAX_BATCH_ITEMS) {
        return this.items
      }
    }
  }

  /**
   * Takes back what the last call of `next` gave, but for the blocks `kept` from its start;
   * `position` is to be read next.
   */
  rewind(position: number, kept: readonly BlockItem[]): void {
    this.position = position
    if (this.sequencesBefore) this.sequences = this.sequencesBefore
    for (const { info } of kept) this.sequences.add(info)
  }

  /** Waits for a read under way. Does not close the source. */
  async close(): Promise<void> {
    await this.window.settle()
  }

  private get end(): number {
    return Math.min(this.size, this.limit)
  }

  /** Whether a step may move the window, in which the blocks of this batch lie. */
  private mayMove(step: Exclude<Step, string>): boolean {
    return !('kind' in step) || !this.source.seekable || this.mayKeep(step)
  }

  /** In a growing file, zeros at the end may be space that is reserved and not written yet. */
  private finish(): ScanItem[] | null {
    const last = this.items.at(-1)
    if (this.options.live && last?.kind === 'fill') {
      this.position = last.offset
      this.items.pop()
    }
    return this.items.length > 0 ? this.items : null
  }

  /** Takes one block out of the window, without waiting for anything. */
  private step(): Step {
    const at = this.position
    const rest = this.end - at
    if (rest <= 0) return 'end'
    const have = Math.min(rest, this.window.available(at))
    if (have < Math.min(rest, SECTOR_BYTES)) return { need: Math.min(rest, SECTOR_BYTES) }
    const bytes = this.window.buffer
    const index = this.window.index(at)
    if (have < BLOCK_HEADER_BYTES) return this.remnant(bytes, index, have)
    const capacity = bytes.readUInt32LE(index)
    const valid = bytes.readUInt32LE(index + 4)
    if (capacity === 0 && valid === 0) return this.fill(bytes, index, have)
    if (!isPlausibleHeader(capacity, valid)) return { kind: 'bad-header', message: 'bytes that are no block header' }
    const stride = blockStride(valid)
    if (stride > rest) return { kind: 'torn-tail', message: 'the last block is cut off' }
    const wanted = Math.min(rest, stride + SECTOR_BYTES)
    if (have >= wanted) return this.block(bytes, index, wanted)
    if (wanted > LARGE_BLOCK_BYTES && this.vetted !== at) return { claimed: wanted }
    return { need: wanted }
  }

  /** Loads `need` bytes; a source that turns out shorter than it said shortens the scan. */
  private async load(need: number): Promise<void> {
    const have = await this.window.load(this.position, need)
    if (have < need) this.size = this.position + have
  }

  /** Fewer bytes than a header at the end of the file. */
  private remnant(bytes: Buffer, index: number, length: number): Step {
    if (!isZero(bytes, index, index + length)) return { kind: 'torn-tail', message: 'the last block is cut off' }
    this.pushFill(length)
    return 'more'
  }

  /** Takes all the fill that lies in memory. */
  private fill(bytes: Buffer, index: number, have: number): Step {
    const sectors = zeroSectors(bytes, index, Math.floor(have / SECTOR_BYTES))
    if (sectors === 0 && have < SECTOR_BYTES && this.options.live) return 'end'
    const length = Math.min(have, SECTOR_BYTES)
    if (sectors > 0) {
      this.pushFill(sectors * SECTOR_BYTES)
    } else if (isZero(bytes, index, index + length)) {
      this.pushFill(length)
    } else {
      this.report('nonzero-padding', this.position, length, 'fill that is not zero; nothing is read from it')
      this.position += length
    }
    return 'more'
  }

  private pushFill(length: number): void {
    const last = this.items.at(-1)
    if (last?.kind === 'fill') last.length += length
    else this.items.push({ kind: 'fill', offset: this.position, length })
    this.position += length
  }

  private block(bytes: Buffer, index: number, available: number): Step {
    const place = { path: this.source.path, position: this.position }
    const parsed = parseBlock(place, bytes, index, available, this.trailersSeen)
    if (parsed.fatal) return parsed.agreed ? { ...parsed.fatal, extent: parsed.extent } : parsed.fatal
    if (parsed.suspect && this.vetted !== this.position) return { claimed: parsed.extent }
    this.deliver(parsed, bytes, index)
    this.position += parsed.extent
    return 'more'
  }

  private deliver(parsed: ParsedBlock, bytes: Buffer, index: number): void {
    for (const note of parsed.notes) this.report(note.kind, this.position + note.offset, note.length, note.message)
    if (parsed.info.hasTrailer) this.sawTrailer(parsed.info)
    else this.sawPlain(parsed.info, parsed.extent)
    const start = index + BLOCK_HEADER_BYTES
    const end = start + parsed.usable
    this.items.push({ kind: 'block', info: parsed.info, data: bytes, start, end, skipped: BLOCK_HEADER_BYTES })
    this.blocks++
  }

  private sawTrailer(info: BlockInfo): void {
    if (!this.trailersSeen && this.plain.count > 0) {
      const { first, count, bytes } = this.plain
      const blocks = count === 1 ? 'a block without trailer comes' : `${count} blocks without trailer come`
      this.report('missing-trailer', first, bytes, `${blocks} before the first one with a trailer; delivered unchecked`)
    }
    this.trailersSeen = true
    const found = this.sequences.add(info)
    if (found) this.report(found.kind, info.offset, 0, found.message)
  }

  private sawPlain(info: BlockInfo, extent: number): void {
    if (this.trailersSeen) {
      this.report(
        'missing-trailer',
        info.offset,
        extent,
        'block without trailer among blocks with; delivered unchecked'
      )
      return
    }
    if (this.plain.count === 0) this.plain.first = info.offset
    this.plain.count++
    this.plain.bytes = info.offset + extent - this.plain.first
  }

  private report(kind: DamageKind, offset: number, length: number, message: string): void {
    this.items.push({ kind: 'damage', damage: { kind, path: this.source.path, offset, length, message } })
  }

  /**
   * Steps over what could not be read, to the next sound block. False if that has to wait for a
   * growing file.
   */
  private async recover(problem: Problem): Promise<boolean> {
    const at = this.position
    if (this.options.live && (await this.mustWait(problem))) return false
    const next = await this.findNext(at, problem)
    const kept =
      this.mayKeep(problem) && (next === null || problem.kind !== 'torn-tail')
        ? await this.keepWhole(at, next ?? this.end)
        : 0
    if (next === null && !this.source.seekable) this.size = await this.source.size()
    const end = next ?? this.endOfLoss()
    this.reportLoss(problem, at, end, kept, next !== null)
    this.position = end
    return true
  }

  /**
   * Where reading goes on if nothing sound was found: in a growing file, where what is written now
   * may become a block.
   */
  private endOfLoss(): number {
    if (!this.options.live) return this.end
    const { firstCut } = this.resync
    return firstCut > this.position ? firstCut : this.end - (this.end % SECTOR_BYTES)
  }

  /**
   * Whether what cannot be read may become a block when the file has grown: nothing sound follows
   * it.
   */
  private async mustWait({ kind, extent = SECTOR_BYTES }: Problem): Promise<boolean> {
    const { position, end } = this
    if (kind !== 'torn-tail') return position + extent >= end
    if (this.waiting.position === position && this.waiting.end === end) return true
    const waits = (await this.resync.findTrailed(position + SECTOR_BYTES)) === null
    this.waiting = { position, end }
    return waits
  }

  /** Whether whole entries at the start of what cannot be read are delivered. */
  private mayKeep({ kind }: Problem): boolean {
    if (kind === 'torn-tail') return true
    return kind === 'bad-entry' ? !this.trailersSeen : kind === 'bad-trailer' && this.options.salvage === true
  }

  /** Decides whether the block at the position is one. Returns as `recover`. */
  private async vet(claimed: number): Promise<boolean> {
    const { window, resync, source } = this
    const at = this.position
    await window.load(at, Math.min(claimed, CHUNK_BYTES))
    const vetted = {
      at,
      valid: window.buffer.readUInt32LE(window.index(at) + 4),
      salvage: this.options.salvage ?? false
    }
    const problem = await (source.seekable ? vetFile(resync, vetted) : vetPipe(resync, window, vetted))
    if (problem) return this.recover(problem)
    this.vetted = at
    return true
  }

  /** Where to go on behind a block that cannot be read, or null if nothing sound follows. */
  private async findNext(at: number, problem: Problem): Promise<number | null> {
    const { source, resync } = this
    const { seekable } = source
    const from = at + (problem.extent ?? SECTOR_BYTES)
    let found: SoundBlock | null = null
    if (problem.extent !== undefined && !this.trailersSeen) found = await resync.soundAt(from, 'any')
    if (!seekable && problem.kind === 'torn-tail') {
      // All that is left lies in memory, and whole entries of the block may be wanted afterwards.
      const position = await resync.findLoaded(from, this.end)
      if (position !== null) this.trailersSeen = true
      return position
    }
    if (!found && (this.trailersSeen || seekable)) {
      const position = await resync.findTrailed(from)
      found = position === null ? null : { position, hasTrailer: true }
    }
    if (!found && !this.trailersSeen) found = await resync.find(from, this.end, seekable ? 'plain' : 'any')
    if (found?.hasTrailer) this.trailersSeen = true
    return found?.position ?? null
  }

  /**
   * Delivers the whole entries at the start of a block that is cut off or breaks off, as far as
   * `end`.
   * @returns bytes kept, header included
   */
  private async keepWhole(at: number, end: number): Promise<number> {
    // A pipe's bytes may have passed by while the next sound block was looked for.
    if (!this.source.seekable && this.window.available(at) === 0) return 0
    const whole = await loadWholeEntries(this.window, at, end - at)
    if (whole.count === 0) return 0
    const { path } = this.source
    const index = this.window.index(at)
    const valid = this.window.buffer.readUInt32LE(index + 4)
    const start = index + BLOCK_HEADER_BYTES
    this.items.push({
      kind: 'block',
      info: { path, offset: at, source: 'file', valid, entries: whole.count, hasTrailer: false, recovered: false },
      data: this.window.buffer,
      start,
      end: start + whole.bytes,
      skipped: BLOCK_HEADER_BYTES
    })
    this.blocks++
    return BLOCK_HEADER_BYTES + whole.bytes
  }

  private reportLoss(problem: Problem, at: number, end: number, kept: number, resumed: boolean): void {
    const after = resumed ? `reading goes on at ${end}` : 'nothing readable follows'
    const some = kept > 0 ? 'the whole entries before the damage are delivered' : 'nothing of it is delivered'
    let { kind, message } = problem
    if (kind === 'torn-tail' && resumed) {
      kind = 'bad-header'
      message = 'a block header that claims more bytes than the file has'
    }
    if (kept === 0 && (kind === 'bad-header' || kind === 'torn-tail') && this.looksLikeText(at)) {
      kind = 'foreign'
      message = 'text of another program'
    }
    this.report(kind, at + kept, end - at - kept, `${message}; ${some}, ${after}`)
  }

  private looksLikeText(at: number): boolean {
    const have = Math.min(64, this.window.available(at), this.end - at)
    if (have <= 0) return false
    const index = this.window.index(at)
    return this.window.buffer
      .subarray(index, index + have)
      .every(byte => (byte >= 32 && byte !== 127) || (byte >= 9 && byte <= 13))
  }
}
