import { checkLines } from './check-lines'
import { type SequenceRange, SequenceTracker } from './sequence-tracker'
import type { BlockItem, Damage, LinesItem, LogFormat, ScanItem } from './types'

/** More damage than this is counted, not listed, so that a report on a ruined file stays readable. */
const MAX_LISTED_DAMAGE = 1000

export interface VerifyReport {
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

  constructor(path: string, format: LogFormat | null) {
    this.report = {
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
      damageCount: 0,
      damage: []
    }
  }

  /** @returns the damage that it shows */
  add(item: ScanItem): readonly Damage[] {
    if (item.kind === 'lines') return this.addLines(item)
    if (item.kind === 'block') this.addBlock(item.info, item.end - item.start)
    if (item.kind === 'fill') this.report.fillBytes += item.length
    if (item.kind !== 'damage') return []
    this.addDamage(item.damage)
    return [item.damage]
  }

  finish(bytes: number): VerifyReport {
    const { report } = this
    report.bytes = bytes
    report.ok = report.damageCount === 0
    report.producers = this.producers.size
    report.streams = [...this.sequences.streams.values()]
    return report
  }

  private addDamage(damage: Damage): void {
    const { report } = this
    report.damageCount++
    if (damage.kind !== 'missing-trailer') report.damagedBytes += damage.length
    if (report.damage.length < MAX_LISTED_DAMAGE) report.damage.push(damage)
  }

  private addTimes(first: bigint | undefined, last: bigint | undefined): void {
    const { report } = this
    if (first !== undefined && (report.firstTime === undefined || first < report.firstTime)) report.firstTime = first
    if (last !== undefined && (report.lastTime === undefined || last > report.lastTime)) report.lastTime = last
  }

  private addLines(item: LinesItem): readonly Damage[] {
    const { lines, damage, firstTime, lastTime } = checkLines(item)
    this.report.entries += lines
    this.report.payloadBytes += item.end - item.start
    this.addTimes(firstTime, lastTime)
    for (const found of damage) this.addDamage(found)
    return damage
  }

  private addBlock(info: BlockItem['info'], usable: number): void {
    const { report } = this
    report.blocks++
    report.entries += info.entries
    report.payloadBytes += usable - 4 * info.entries
    if (info.hasTrailer) report.checkedBlocks++
    else report.uncheckedBlocks++
    if (info.recovered) report.recoveredBlocks++
    this.sequences.add(info)
    if (info.producer !== undefined) this.producers.add(`${info.stream}/${info.producer}`)
    this.addTimes(info.firstTime, info.lastTime)
  }
}
