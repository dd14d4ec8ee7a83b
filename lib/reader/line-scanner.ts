import type { LinesItem, ScanItem, Scanner } from './items'
import { type Source, Window } from './source'

const NEWLINE = 0x0a
const OPENING = 0x7b // What lines of loggers begin with.
/** Longer lines are stepped over, so that memory stays bounded. */
const MAX_LINE_BYTES = 64 * 1024 * 1024
/** What is read at once where there is rarely much: of a pipe, of a file that grows. */
const SMALL_CHUNK_BYTES = 256 * 1024

export interface LineScannerOptions {
  /** Where to start: the beginning of a line. Default 0. */
  start?: number
  /** Let chunks be overwritten by later ones: views of a batch die with the next call of `next`. */
  reuse?: boolean
  /** The file is growing: a line without newline at its end is waited for. */
  live?: boolean
  /** Deliver a torn last line. */
  salvage?: boolean
  /** Deliver lines that are too long in pieces, instead of stepping over them. */
  pieces?: boolean
  /** What is read at once. Default 4 MiB, and as much ahead; less where there is rarely much. */
  chunkBytes?: number
}

/** Whether a last line without newline is whole: a JSON object, or text that never was to be one. */
function isWhole(line: Buffer): boolean {
  if (line[0] !== OPENING) return true
  try {
    JSON.parse(line.toString())
    return true
  } catch {
    return false // Cut off, as far as anybody can tell.
  }
}

/**
 * Walks the lines of a text, in memory that does not grow with it: a few chunks of 4 MiB, or the longest line, up to 64 MiB. Bytes are
 * delivered as they are, carriage returns, NUL and what is no UTF-8 included; nothing throws but I/O.
 */
export class LineScanner implements Scanner {
  position: number
  limit = Number.POSITIVE_INFINITY
  private readonly window: Window
  /** Start of the line that is being stepped over, or delivered in pieces; -1 if none is. */
  private long = -1
  /** Both as they were before the last call of `next`. */
  private before = { position: -1, long: -1 }
  /** As the last call of `next` left it: whether it found a newline, where, and how much there was. */
  private last = { position: -1, end: -1, waits: false }
  /** Of a file that does not grow, as it was at first: what is written later may begin in the middle of a line. */
  private size = -1

  constructor(
    readonly source: Source,
    private readonly options: LineScannerOptions = {}
  ) {
    this.position = options.start ?? 0
    const { reuse = false, live } = options
    const large = source.seekable && !live
    const chunkBytes = options.chunkBytes ?? (large ? undefined : SMALL_CHUNK_BYTES)
    const readAhead = chunkBytes === undefined
    this.window = new Window(source, { reuse, readAhead, ...(readAhead ? {} : { chunkBytes }) })
  }

  async next(): Promise<ScanItem[] | null> {
    const end = Math.min(await this.sourceSize(), this.limit)
    const { last } = this
    const moved = this.position !== last.position
    if (moved) this.long = -1
    this.before = { position: this.position, long: this.long }
    if (this.options.live) {
      if (last.waits && !moved && end === last.end) return null
      await this.window.reset()
    }
    const items = await this.read(end)
    this.last = { position: this.position, end, waits: items === null }
    return items
  }

  rewind(position: number): void {
    this.long = position === this.before.position ? this.before.long : -1
    this.position = position
    this.last = { position, end: -1, waits: false }
  }

  async close(): Promise<void> {
    await this.window.settle()
  }

  private async sourceSize(): Promise<number> {
    if (this.options.live || !this.source.seekable) return this.source.size()
    if (this.size < 0) this.size = await this.source.size()
    return this.size
  }

  private async read(end: number): Promise<ScanItem[] | null> {
    for (let need = 1; ; ) {
      const rest = end - this.position
      const wanted = Math.min(need, rest)
      const have =
        rest <= 0 ? 0 : Math.min(rest, await this.window.load(this.position, wanted, Math.min(2 * wanted, rest)))
      const ended = have < wanted || have === rest || have === 0
      const items = this.take(have, need - 1, ended)
      if (items) return items
      if (ended && have === 0) return null
      if (ended && this.options.live && this.long < 0) return null
      need = this.long < 0 ? have + 1 : 1
    }
  }

  /** What can be delivered of `have` bytes from the position on, the first `searched` without newline; null if more have to be read. */
  private take(have: number, searched: number, ended: boolean): ScanItem[] | null {
    const index = this.window.index(this.position)
    const bytes = this.window.buffer.subarray(index, index + have)
    if (this.long >= 0) return this.takeLong(bytes, ended)
    if (have > MAX_LINE_BYTES && !bytes.subarray(0, MAX_LINE_BYTES).includes(NEWLINE)) {
      this.long = this.position
      return this.takeLong(bytes, ended)
    }
    const newline = bytes.subarray(searched).lastIndexOf(NEWLINE)
    if (newline >= 0) return [this.lines(index, searched + newline + 1)]
    if (!ended || have === 0 || this.options.live) return null
    return this.unended(index, bytes)
  }

  /** Goes on with a line that is too long. */
  private takeLong(bytes: Buffer, ended: boolean): ScanItem[] | null {
    const newline = bytes.indexOf(NEWLINE)
    const done = newline >= 0 || (ended && !this.options.live)
    const length = newline >= 0 ? newline + 1 : bytes.length
    const index = this.window.index(this.position)
    const offset = this.long
    if (done) this.long = -1
    if (this.options.pieces) return length > 0 || done ? [{ ...this.lines(index, length), goesOn: !done }] : null
    this.position += length
    if (!done) return null
    const message = 'a line that is too long to be read; nothing of it is delivered'
    const { path } = this.source
    return [{ kind: 'damage', damage: { kind: 'long-line', path, offset, length: this.position - offset, message } }]
  }

  /** A last line without newline. */
  private unended(index: number, bytes: Buffer): ScanItem[] {
    if (isWhole(bytes)) return [this.lines(index, bytes.length)]
    const { path } = this.source
    const offset = this.position
    const kept = this.options.salvage ?? false
    const message = `the last line is cut off; ${kept ? 'it is' : 'nothing of it is'} delivered`
    const lines = this.lines(index, bytes.length)
    const damage = { kind: 'torn-tail', path, offset, length: bytes.length, message } as const
    return [{ kind: 'damage', damage }, ...(kept ? [lines] : [])]
  }

  private lines(index: number, length: number): LinesItem {
    const offset = this.position
    this.position += length
    return {
      kind: 'lines',
      path: this.source.path,
      offset,
      data: this.window.buffer,
      start: index,
      end: index + length
    }
  }
}
