/** Verifying a log: its lines and blocks are checked, and a report adds up what was found. */

import { isUtf8 } from 'node:buffer'
import { FORMAT_NDJSON } from '../arena/arena-file'
import { asideArenas, type LogPlace } from '../arena/locate'
import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { type SequenceRange, SequenceTracker } from './block-scanner'
import {
  type BlockItem,
  type Damage,
  damageError,
  type FormatChoice,
  type LinesItem,
  type LogFormat,
  lineEnd,
  type ScanItem,
  type Scanner
} from './items'
import { JsonChecker, msOfValue, timeFromMs } from './lines'
import {
  arenaFacts,
  checkedPath,
  checkFormat,
  checkNames,
  countWaiting,
  type LogPath,
  openArena,
  resolveArenaDir,
  scanArena,
  type WaitingReport
} from './log-place'
import { formatOfArena, isArena, makeScanner, openLog, sourceFormat, stableEnd } from './open-log'
import { resumePosition, scanWaiting } from './scan-log'
import { gzipDamage, readError, type Source } from './source'

/** Called with what is wrong with a line, and where it stands in the file. */
type OnBadLine = (offset: number, length: number, message: string) => void

const isBlank = (line: Buffer): boolean => line.every(byte => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d))

function problemOf(line: Buffer, isJson: boolean): string {
  if (isJson) return 'a line that is not UTF-8'
  if (isBlank(line)) return 'an empty line'
  return line.includes(0) ? 'a line with NUL bytes' : 'a line that is no JSON'
}

/**
 * Checks that each line is JSON, whatever of, in memory and time that do not depend on how many are
 * not.
 */
class LineChecker {
  /** Lines so far; those of them that are no JSON, or not UTF-8, and their bytes. */
  lines = 0
  badLines = 0
  badBytes = 0
  /** Earliest and latest time that any of them tells, ms since the epoch; undefined if none did. */
  firstMs: number | undefined
  lastMs: number | undefined
  private readonly json = new JsonChecker()

  /** @param most how many bad lines `onBadLine` is told of */
  constructor(
    private readonly most: number,
    private readonly onBadLine: OnBadLine
  ) {}

  add(item: LinesItem): void {
    const { data, end } = item
    const { json } = this
    const sound = isUtf8(data.subarray(item.start, end))
    for (let start = item.start; start < end; ) {
      const next = lineEnd(data, start, end)
      this.lines++
      const isJson = json.check(data, start, next)
      if (isJson && json.timeStart >= 0) this.tell(msOfValue(data, json.timeStart, json.timeEnd))
      if (!isJson || (!sound && !isUtf8(data.subarray(start, next)))) {
        this.badLines++
        this.badBytes += next - start
        if (this.badLines <= this.most)
          this.report(data.subarray(start, next), item.offset + start - item.start, isJson)
      }
      start = next
    }
  }

  private report(line: Buffer, offset: number, isJson: boolean): void {
    this.onBadLine(offset, line.length, problemOf(line, isJson))
  }

  private tell(ms: number | undefined): void {
    if (ms === undefined) return
    if (this.firstMs === undefined || ms < this.firstMs) this.firstMs = ms
    if (this.lastMs === undefined || ms > this.lastMs) this.lastMs = ms
  }
}

/**
 * More damage than this is counted, not listed, so that a report on a ruined file stays readable.
 */
const MAX_LISTED_DAMAGE = 1000
/** As many producers are told apart, so that memory stays bounded. */
const MAX_PRODUCERS = 65_536

export interface VerifyReport {
  /**
   * The log; where an arena was given by its name, that of the arena: then `arena` alone tells what
   * is there.
   */
  path: string
  /** null: the file is empty, and no arena tells what it will be. */
  format: LogFormat | null
  /** No damage of any kind. */
  ok: boolean
  /** Bytes read: the size of the file, or less while a process is writing at its end. */
  bytes: number
  blocks: number
  /** Of a text, its lines. */
  entries: number
  /** Payloads, without length prefixes. */
  payloadBytes: number
  /** Blocks whose checksum was found right. */
  checkedBlocks: number
  /** Blocks without trailer, whose content nothing vouches for. */
  uncheckedBlocks: number
  recoveredBlocks: number
  fillBytes: number
  /** Bytes that were not delivered as entries: damage of all kinds but holes. */
  damagedBytes: number
  /** Earliest and latest time of any block, or that any line tells, ns since the epoch. */
  firstTime?: bigint
  lastTime?: bigint
  /** Distinct producers, over all streams; 65,536 stands for as many or more. */
  producers: number
  /** One per opening of the log, in file order: the last thousand. */
  streams: SequenceRange[]
  /**
   * What waits in the log's arena: accepted, not in the file yet, and not counted above. null:
   * there is no arena that can be read.
   */
  arena: WaitingReport | null
  /** Arenas of the log that were set aside, since they could not be trusted. */
  asides: string[]
  damageCount: number
  /** The first thousand. */
  damage: Damage[]
}

/** A report on nothing yet. */
function emptyReport(path: string, format: LogFormat | null): VerifyReport {
  return {
    path,
    format,
    ok: true,
    bytes: 0,
    blocks: 0,
    entries: 0,
    payloadBytes: 0,
    checkedBlocks: 0,
    uncheckedBlocks: 0,
    recoveredBlocks: 0,
    fillBytes: 0,
    damagedBytes: 0,
    producers: 0,
    streams: [],
    arena: null,
    asides: [],
    damageCount: 0,
    damage: []
  }
}

/** Adds up what a scanner finds. */
class ReportBuilder {
  private readonly sequences = new SequenceTracker()
  private readonly producers = new Set<string>()
  private readonly report: VerifyReport
  private readonly lines = new LineChecker(MAX_LISTED_DAMAGE, (offset, length, message) => {
    this.listDamage({ kind: 'bad-line', path: this.report.path, offset, length, message })
  })
  /** Of what waits in the arena. */
  private readonly waiting = { entries: 0, bytes: 0, damagedRecords: 0 }

  /** @param onDamage called with each damage at once; may throw */
  constructor(
    path: string,
    private readonly onDamage: (damage: Damage) => void = () => undefined
  ) {
    this.report = emptyReport(path, null)
  }

  set format(format: LogFormat | null) {
    this.report.format = format
  }

  add(item: ScanItem): void {
    if (item.kind === 'damage') this.addDamage(item.damage)
    else if (item.kind === 'fill') this.report.fillBytes += item.length
    else if (item.kind === 'lines') {
      this.report.payloadBytes += item.end - item.start
      this.lines.add(item)
    } else if (item.info.source === 'arena') this.addWaiting(item)
    else this.addBlock(item.info, item.end - item.start)
  }

  /** @param arena what is known of the arena, if there is one; what waits in it has been added */
  finish(bytes: number, arena: WaitingReport | null, asides: string[]): VerifyReport {
    const { report, lines } = this
    report.entries += lines.lines
    report.damageCount += lines.badLines
    report.damagedBytes += lines.badBytes
    if (lines.firstMs !== undefined) this.addTimes(timeFromMs(lines.firstMs), timeFromMs(lines.lastMs!))
    report.bytes = bytes
    report.arena = arena && { ...arena, ...this.waiting }
    report.asides = asides
    report.ok = report.damageCount === 0
    report.producers = this.producers.size
    report.streams = [...this.sequences.streams.values()]
    return report
  }

  private addDamage(damage: Damage): void {
    const { report } = this
    report.damageCount++
    if (damage.kind === 'bad-record') this.waiting.damagedRecords++
    else if (damage.kind !== 'missing-trailer') report.damagedBytes += damage.length
    this.listDamage(damage)
  }

  private listDamage(damage: Damage): void {
    const { report } = this
    if (report.damage.length < MAX_LISTED_DAMAGE) report.damage.push(damage)
    this.onDamage(damage)
  }

  private addWaiting({ info, start, end }: BlockItem): void {
    this.waiting.entries += info.entries
    this.waiting.bytes += end - start - ENTRY_PREFIX_BYTES * info.entries
  }

  private addTimes(first: bigint | undefined, last: bigint | undefined): void {
    const { report } = this
    if (first !== undefined && (report.firstTime === undefined || first < report.firstTime)) report.firstTime = first
    if (last !== undefined && (report.lastTime === undefined || last > report.lastTime)) report.lastTime = last
  }

  private addBlock(info: BlockItem['info'], usable: number): void {
    const { report } = this
    report.blocks++
    report.entries += info.entries
    report.payloadBytes += usable - ENTRY_PREFIX_BYTES * info.entries
    if (info.hasTrailer) report.checkedBlocks++
    else report.uncheckedBlocks++
    if (info.recovered) report.recoveredBlocks++
    this.sequences.add(info)
    if (info.producer !== undefined && this.producers.size < MAX_PRODUCERS) {
      this.producers.add(`${info.stream}/${info.producer}`)
    }
    this.addTimes(info.firstTime, info.lastTime)
  }
}

export interface VerifyProgress {
  bytes: number
  /** Infinity on a pipe. */
  totalBytes: number
}

export interface VerifyOptions {
  /** Called after each few MiB. */
  onProgress?: (progress: VerifyProgress) => void
  /** Throw ERR_SHARDLOG_CORRUPT at the first damage. Default false. */
  strict?: boolean
  /** As in `readLog`. Default 'auto'. */
  format?: FormatChoice
  /** As in `readLog`. */
  arenaDir?: string | URL | undefined
}

/** The options without the place of the arena, which a log or source has itself. */
export type VerifyChoices = Omit<VerifyOptions, 'arenaDir'>

function builderFor(path: string, { strict = false }: VerifyChoices): ReportBuilder {
  if (!strict) return new ReportBuilder(path)
  return new ReportBuilder(path, damage => {
    throw damageError(damage)
  })
}

/**
 * Adds what stands in a source, and closes it. Returns where it was read to, and where reading may
 * go on.
 */
async function addSource(
  source: Source,
  builder: ReportBuilder,
  options: VerifyChoices
): Promise<{ bytes: number; resume: number }> {
  let scanner: Scanner | null = null
  try {
    const format = await sourceFormat(source, options.format)
    builder.format = format
    scanner = makeScanner(source, format ?? 'shard', { reuse: true })
    scanner.limit = await stableEnd(source)
    const totalBytes = Math.min(await source.size(), scanner.limit)
    for (let items = await scanner.next(); items !== null; items = await scanner.next()) {
      for (const item of items) builder.add(item)
      options.onProgress?.({ bytes: scanner.position, totalBytes })
    }
    for (const item of gzipDamage(source)) builder.add(item)
    return { bytes: scanner.position, resume: resumePosition(scanner, format ?? 'shard') }
  } catch (error) {
    throw readError(source.path, error)
  } finally {
    await scanner?.close()
    await source.close()
  }
}

/** Verifies what a pipe holds, and closes it. */
export async function verifySource(source: Source, options: VerifyChoices = {}): Promise<VerifyReport> {
  const builder = builderFor(source.path, options)
  const { bytes } = await addSource(source, builder, options)
  return builder.finish(bytes, null, [])
}

/** Verifies an arena that is given by its name. */
async function verifyArena(path: string, options: VerifyChoices): Promise<VerifyReport> {
  const arena = openArena(path)
  const builder = builderFor(arena.path, options)
  const facts = countWaiting(arena)
  builder.format = arena.format === FORMAT_NDJSON ? 'ndjson' : 'shard'
  arena.close()
  for await (const items of scanArena(path)) for (const item of items) builder.add(item)
  return builder.finish(0, facts, [])
}

/** As `verifyLog`, its arguments checked. */
export async function verifyFile(log: LogPlace, options: VerifyChoices): Promise<VerifyReport> {
  const source = await openLog(log)
  if (source && (options.format ?? 'auto') === 'auto' && (await isArena(source))) {
    await source.close()
    return verifyArena(log.path, options)
  }
  const builder = builderFor(log.path, options)
  const { bytes, resume } = source ? await addSource(source, builder, options) : { bytes: 0, resume: 0 }
  if (!source) builder.format = formatOfArena(log)
  if (source?.seekable === false) return builder.finish(bytes, null, [])
  const facts = arenaFacts(log)
  for await (const items of scanWaiting(log, resume, { format: options.format ?? 'auto' })) {
    for (const item of items) builder.add(item)
  }
  return builder.finish(bytes, facts, asideArenas(log))
}

/** As index.ts has it, which loads this module when it is first called, and says what it does. */
export async function verifyLog(path: LogPath, options: VerifyOptions = {}): Promise<VerifyReport> {
  const checked = checkedPath(path, 'verifyLog')
  checkNames(options, ['arenaDir', 'format', 'onProgress', 'strict'], 'verifyLog')
  checkFormat(options.format)
  const log = { path: checked, arenaDir: resolveArenaDir(options.arenaDir) }
  return verifyFile(log, { ...options })
}
