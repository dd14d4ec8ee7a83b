import { ENTRY_PREFIX_BYTES } from '../format/constants'
import { LineChecker } from './check-lines'
import { timeFromMs } from './lines'
import { type SequenceRange, SequenceTracker } from './sequence-tracker'
import type { BlockItem, Damage, LogFormat, ScanItem } from './types'
import type { WaitingReport } from './waiting'

/** More damage than this is counted, not listed, so that a report on a ruined file stays readable. */
const MAX_LISTED_DAMAGE = 1000
/** As many producers are told apart, so that memory stays bounded. */
const MAX_PRODUCERS = 65_536

export interface VerifyReport {
  /** The log; where an arena was given by its name, that of the arena: then `arena` alone tells what is there. */
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
  /** What waits in the log's arena: accepted, not in the file yet, and not counted above. null: there is no arena that can be read. */
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
export class ReportBuilder {
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
