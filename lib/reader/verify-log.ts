import { damageError, readError } from './errors'
import { openSource } from './open-source'
import { checkNames } from './read-options'
import { BlockScanner } from './scanner'
import { type SequenceRange, SequenceTracker } from './sequence-tracker'
import type { Source } from './source'
import { stableEnd } from './stable-end'
import type { Damage, ScanItem } from './types'

/** More damage than this is counted, not listed, so that a report on a ruined file stays readable. */
const MAX_LISTED_DAMAGE = 1000

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
}

export interface VerifyReport {
  path: string
  /** No damage of any kind. */
  ok: boolean
  /** Bytes read: the size of the file, or less while a process is writing at its end. */
  bytes: number
  blocks: number
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
  /** Earliest and latest time of any block, ns since the epoch. */
  firstTime?: bigint
  lastTime?: bigint
  /** Distinct producers, over all streams. */
  producers: number
  /** One per opening of the log, in file order. */
  streams: SequenceRange[]
  damageCount: number
  /** The first thousand. */
  damage: Damage[]
}

/** Adds up what a scanner finds. */
export class ReportBuilder {
  private readonly sequences = new SequenceTracker()
  private readonly producers = new Set<string>()
  private readonly report: VerifyReport

  constructor(path: string) {
    this.report = {
      path,
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
      damageCount: 0,
      damage: []
    }
  }

  add(item: ScanItem): void {
    const { report } = this
    if (item.kind === 'fill') {
      report.fillBytes += item.length
    } else if (item.kind === 'damage') {
      report.damageCount++
      if (item.damage.kind !== 'missing-trailer') report.damagedBytes += item.damage.length
      if (report.damage.length < MAX_LISTED_DAMAGE) report.damage.push(item.damage)
    } else {
      this.addBlock(item.info, item.end - item.start)
    }
  }

  finish(bytes: number): VerifyReport {
    const { report } = this
    report.bytes = bytes
    report.ok = report.damageCount === 0
    report.producers = this.producers.size
    report.streams = [...this.sequences.streams.values()]
    return report
  }

  private addBlock(info: Extract<ScanItem, { kind: 'block' }>['info'], usable: number): void {
    const { report } = this
    report.blocks++
    report.entries += info.entries
    report.payloadBytes += usable - 4 * info.entries
    if (info.hasTrailer) report.checkedBlocks++
    else report.uncheckedBlocks++
    if (info.recovered) report.recoveredBlocks++
    this.sequences.add(info)
    if (info.producer !== undefined) this.producers.add(`${info.stream}/${info.producer}`)
    const { firstTime, lastTime } = info
    if (firstTime !== undefined && (report.firstTime === undefined || firstTime < report.firstTime)) {
      report.firstTime = firstTime
    }
    if (lastTime !== undefined && (report.lastTime === undefined || lastTime > report.lastTime))
      report.lastTime = lastTime
  }
}

/** Verifies what a source holds, and closes it. */
export async function verifySource(source: Source, options: VerifyOptions = {}): Promise<VerifyReport> {
  const scanner = new BlockScanner(source, { reuse: true })
  const builder = new ReportBuilder(source.path)
  try {
    scanner.limit = await stableEnd(source)
    const totalBytes = Math.min(await source.size(), scanner.limit)
    for (let items = await scanner.next(); items !== null; items = await scanner.next()) {
      for (const item of items) {
        if (options.strict && item.kind === 'damage') throw damageError(item.damage)
        builder.add(item)
      }
      options.onProgress?.({ bytes: scanner.position, totalBytes })
    }
    return builder.finish(scanner.position)
  } catch (error) {
    throw readError(source.path, error)
  } finally {
    await scanner.close()
    await source.close()
  }
}

/**
 * Reads every block of a log and checks it: headers, entries, checksums, padding, sequence numbers. Changes nothing.
 *
 * @throws ShardlogError `ERR_SHARDLOG_READ` if the file cannot be read; damage is reported, not thrown
 */
export async function verifyLog(path: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  checkNames(options, ['onProgress', 'strict'], 'verifyLog')
  return verifySource(await openSource(path), options)
}
