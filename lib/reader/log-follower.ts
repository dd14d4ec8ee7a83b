import { stat } from 'node:fs/promises'
import { type ArenaFile, type ArenaState, isOfThisBoot, isOwnerAlive } from '../arena/arena-file'
import type { LogPlace } from '../arena/locate'
import { SECTOR_BYTES } from '../format/constants'
import { Shown, takeFromArena } from './arena-items'
import type { BlockItem, FormatChoice, LogFormat, ScanItem, Scanner } from './items'
import { arenaOfLog } from './log-place'
import { makeScanner, sourceFormat } from './open-log'
import { FileSource, readError } from './source'

function offsetOf(item: ScanItem): number {
  if (item.kind === 'damage') return item.damage.offset
  return item.kind === 'block' ? item.info.offset : item.offset
}

/**
 * What can be believed of items of blocks that were read while a flush began or ended. Blocks are
 * complete if their checksum says so, anything else is looked at again; and what lies behind
 * `limit` is being written now: it is still shown from the arena, and a recovery would cut it off.
 *
 * @param start where the first item was read
 * @param limit file offset of the flush under way; Infinity if none is
 * @returns what stands, and where to read again; null: nowhere
 */
function settledItems(
  items: readonly ScanItem[],
  start: number,
  limit: number
): { kept: BlockItem[]; again: number | null } {
  const kept: BlockItem[] = []
  for (const item of items) {
    if (item.kind !== 'block' || !item.info.hasTrailer || item.info.offset >= limit) {
      const offset = offsetOf(item)
      return { kept, again: kept.length === 0 ? start : offset - (offset % SECTOR_BYTES) }
    }
    kept.push(item)
  }
  return { kept, again: null }
}

/**
 * Whether an item may be another program's. What nothing vouches for, or is damaged otherwise, is a
 * write that was cut off.
 */
function isForeign(item: ScanItem): boolean {
  if (item.kind === 'damage') return item.damage.kind === 'foreign'
  return item.kind === 'lines' || (item.kind === 'block' && item.info.hasTrailer)
}

/**
 * Follows one log: what stands in the file, what its process still has in the arena, what is
 * appended later; each entry once, each producer's in order; over rotation and truncation. It has
 * no timer: somebody calls `round`.
 */
export class LogFollower {
  private source: FileSource | null = null
  private inode = 0n
  private scanner: Scanner | null = null
  /** Of the file that is followed now, or was before. */
  private format: LogFormat | null = null
  private arena: ArenaFile | null = null
  private readonly shown = new Shown()
  /** Why the arena beside the log cannot be read; null if it can, or there is none. */
  arenaError: Error | null = null
  /** The file is read behind the place where a process was writing when it died. */
  private lifted = false
  /** Size of the file when `isPast` saw its generation written; -1 before. */
  private pastEnd = -1
  /** Items to be delivered before anything else is read. */
  private queued: ScanItem[] = []
  private given: FileSource | null = null

  /**
   * @param start where to begin in the file that is there first: what `tailStart` says
   * @param follow there will be further rounds, for as long as somebody wants to know
   * @param keepsFiles what was read stays open, also of files that were replaced: whoever asks for
   *   it closes each `file`
   */
  constructor(
    readonly log: LogPlace,
    private readonly options: {
      salvage?: boolean
      start?: number
      format?: FormatChoice
      follow?: boolean
      keepsFiles?: boolean
    } = {}
  ) {}

  /** The file in which those items of the last round stand that are not of the arena. */
  get file(): FileSource | null {
    return this.given
  }

  /** Whether the file is text; false as long as nobody knows. */
  get isText(): boolean {
    return this.format === 'ndjson'
  }

  /**
   * The next items; an empty array if something changed under us, so that another round is due at
   * once; null: nothing now.
   */
  async round(): Promise<ScanItem[] | null> {
    if (this.queued.length > 0) return this.queued.splice(0)
    if (!this.scanner && !(await this.open(this.options.start ?? 0))) return this.roundWithoutFile()
    this.given = this.source
    // The size comes first: what it counts is complete if no flush is under way afterwards.
    const size = await this.source!.size()
    const arena = this.refreshArena()
    const before = arena?.state() ?? null
    const items = this.format === 'ndjson' ? await this.readText(before, size) : await this.readBlocks(before)
    if (items) return items
    if (await this.hasMoved()) return []
    if (!arena || !before) {
      this.shown.forgetOthers(null)
      return null
    }
    if (arena.state().written !== before.written || (await this.isBehind(before))) return []
    const waiting = this.waitingItems(arena, before)
    if (waiting === null && this.mayLift(arena, before)) {
      this.lifted = true
      return []
    }
    return waiting
  }

  /**
   * Whether what stands behind the place where the process was writing can be read as well: it has
   * died, and all that it left has been shown, so that its own will be recognised, also when a
   * recovery goes on with it.
   */
  private mayLift(arena: ArenaFile, state: ArenaState): boolean {
    const held = this.options.follow === true && !this.lifted && state.flushingAt !== null
    return held && state.logInode === this.inode && !isOwnerAlive(arena.owner)
  }

  /** What comes next out of the arena; as `round`. */
  private waitingItems(arena: ArenaFile, state: ArenaState): ScanItem[] | null {
    this.shown.forgetOthers(arena.stream)
    this.shown.forgetBelow(arena.stream, state.written)
    const waiting = takeFromArena(arena, state, this.log.path, this.shown)
    return waiting?.length === 0 ? null : (waiting ?? [])
  }

  /** As `round`, while there is no file, or none that tells what it is. */
  private roundWithoutFile(): ScanItem[] | null {
    const arena = this.refreshArena()
    return arena ? this.waitingItems(arena, arena.state()) : null
  }

  /**
   * The generation that its process was filling when this was called last; null where no arena
   * tells.
   */
  activeGeneration(): bigint | null {
    return this.refreshArena()?.state().active ?? null
  }

  /**
   * Whether all is shown that had been accepted while `generation` was being filled: it has been
   * written, and the file read as far as it reached when that was seen first.
   */
  async isPast(generation: bigint): Promise<boolean> {
    if (this.arena && this.arena.state().written <= generation) return false
    if (!this.scanner || !this.source) return true
    if (this.pastEnd < 0) this.pastEnd = await this.source.size()
    return this.queued.length === 0 && this.scanner.position >= this.pastEnd
  }

  /**
   * What stands in the file behind the place where a process that has died was writing, and is not
   * its own: all of that is in the arena. Nobody else has to be asked for it, but nothing tells
   * what is half of a line.
   */
  async foreignItems(): Promise<ScanItem[]> {
    const { arena, source, format } = this
    const base = arena?.state().flushingAt ?? null
    if (!arena || !source || !format || base === null || this.limitOf(arena.state()) !== base) return []
    if (isOwnerAlive(arena.owner)) return []
    // A line without end there is half of one of its own.
    const scanner = makeScanner(source, format, { start: base, live: format === 'ndjson' })
    const found: ScanItem[] = []
    for (let items = await scanner.next(); items; items = await scanner.next()) {
      found.push(...this.shown.filter(items.filter(isForeign)))
    }
    await scanner.close()
    return found
  }

  /** Whether the process that writes is alive; null where no arena tells. */
  ownerAlive(): boolean | null {
    return this.arena ? isOwnerAlive(this.arena.owner) : null
  }

  async close(): Promise<void> {
    this.arena?.close()
    this.arena = null
    await this.scanner?.close()
    this.scanner = null
    if (!this.options.keepsFiles || this.source !== this.given) await this.source?.close()
    this.source = null
  }

  private async open(start: number): Promise<boolean> {
    try {
      this.source = await FileSource.open(this.log)
      this.inode = (await this.source.handle.stat({ bigint: true })).ino
    } catch (error) {
      // Between the two steps of a rotation there is no file; it will come.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw readError(this.log.path, error)
    }
    const format = await this.formatOf(this.source)
    if (!format) {
      await this.source.close()
      this.source = null
      return false
    }
    this.format = format
    this.scanner = makeScanner(this.source, format, { live: true, salvage: this.options.salvage ?? false, start })
    return true
  }

  /**
   * What the file is; null while it is too short to tell. What takes the place of a file that was
   * followed is taken for the same if it does not look like anything.
   */
  private async formatOf(source: FileSource): Promise<LogFormat | null> {
    try {
      return await sourceFormat(source, this.options.format)
    } catch (error) {
      if (this.format) return this.format
      throw error
    }
  }

  /** The arena that lies beside the log now; the one before it is given up. */
  private refreshArena(): ArenaFile | null {
    const found = this.findArena()
    if (found && this.arena && found.inode === this.arena.inode && found.stream === this.arena.stream) {
      found.close()
      return this.arena
    }
    this.arena?.close()
    this.arena = found
    this.lifted = false
    return found
  }

  /**
   * An arena that may not or cannot be read is as good as none: what is in it shows when it is
   * written. So is one of an earlier boot, whose pages may be of different times.
   */
  private findArena(): ArenaFile | null {
    try {
      this.arenaError = null
      const arena = arenaOfLog(this.log)
      if (!arena || isOfThisBoot(arena.owner)) return arena
      arena.close()
    } catch (error) {
      this.arenaError = error as Error
    }
    return null
  }

  /**
   * The file's next lines. Nothing tells a half-written one from others, so that none is read that
   * may be.
   */
  private async readText(before: ArenaState | null, size: number): Promise<ScanItem[] | null> {
    const scanner = this.scanner!
    const known = before !== null && before.logInode === this.inode
    const limit = this.lifted ? size : (before?.flushingAt ?? size)
    scanner.limit = known ? Math.min(limit, size) : Number.POSITIVE_INFINITY
    const items = await scanner.next()
    return items && this.shown.filter(items)
  }

  /** Whether a text has not been read as far as its arena says that it is written. */
  private async isBehind(state: ArenaState): Promise<boolean> {
    if (this.format !== 'ndjson' || state.logInode !== this.inode) return false
    return this.scanner!.limit < (state.flushingAt ?? (await this.source!.size()))
  }

  /**
   * The file's next blocks. While a flush is writing, only those in front of it, so that nothing
   * half-written is judged.
   */
  private async readBlocks(before: ArenaState | null): Promise<ScanItem[] | null> {
    const scanner = this.scanner!
    const start = scanner.position
    scanner.limit = this.limitOf(before)
    const items = await scanner.next()
    if (!items) return null
    const after = this.arena?.state() ?? null
    const same = before?.written === after?.written && before?.flushingAt === after?.flushingAt
    return this.shown.filter(same ? items : this.settledPart(items, start, this.limitOf(after)))
  }

  /**
   * Where the file must not be read yet. An arena whose log was replaced speaks of the former file.
   */
  private limitOf(state: ArenaState | null): number {
    if (!state || this.lifted || state.flushingAt === null || state.logInode !== this.inode) {
      return Number.POSITIVE_INFINITY
    }
    return state.flushingAt
  }

  /** A flush came in between: what it is writing is looked at again. */
  private settledPart(items: ScanItem[], start: number, limit: number): ScanItem[] {
    const { kept, again } = settledItems(items, start, limit)
    if (again !== null) this.scanner!.rewind(again, kept)
    return kept
  }

  /** Notices that the file was replaced or cut short, once the old one has been read to its end. */
  private async hasMoved(): Promise<boolean> {
    const own = await this.source!.handle.stat({ bigint: true })
    const there = await stat(this.log.path, { bigint: true }).catch(() => null)
    const scanner = this.scanner!
    if (there && (there.ino !== own.ino || there.dev !== own.dev)) {
      await this.finishOld(Number(own.size))
      return true
    }
    if (Number(own.size) >= scanner.position) return false
    const message = `the file was cut to ${own.size} bytes; reading begins anew`
    const { path } = this.log
    this.queued.push({ kind: 'damage', damage: { kind: 'replaced', path, offset: 0, length: 0, message } })
    scanner.position = 0
    return true
  }

  /**
   * Reads what is left of a file that has been replaced, with nothing held back, and goes over to
   * the new one.
   */
  private async finishOld(size: number): Promise<void> {
    const start = this.scanner!.position
    await this.scanner!.close()
    const source = this.source!
    this.scanner = null
    this.source = null
    if (size > start) {
      const rest = makeScanner(source, this.format!, { start, salvage: this.options.salvage ?? false })
      for (let items = await rest.next(); items; items = await rest.next()) {
        this.queued.push(...this.shown.filter(items))
      }
      await rest.close()
    }
    if (!this.options.keepsFiles) await source.close()
    await this.open(0)
  }
}
