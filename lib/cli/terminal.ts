/**
 * Messages for a person and a progress bar on stderr, beside what text.ts has for the commands.
 */

import { isatty } from 'node:tty'
import { type ArenaFile, isOwnerAlive } from '../arena/arena-file'
import { asideArenas, type LogPlace } from '../arena/locate'
import type { Damage } from '../reader/items'
import { arenaOfLog, countWaiting, isForbidden, type WaitingReport } from '../reader/log-place'
import { humanBytes, isoTime, plural, visibleJson, visibleLine } from '../text'

export {
  humanBytes,
  humanCount,
  isoTime,
  plural,
  visibleButColors,
  visibleBytes,
  visibleJson,
  visibleLine,
  visibleStrings
} from '../text'

const STDOUT = 1
/**
 * Whether output is for somebody's eyes, so that control characters in it are shown rather than
 * obeyed.
 */
export function isForTerminal(raw: boolean): boolean {
  return !raw && isatty(STDOUT)
}

/**
 * JSON of a report: times in ISO 8601, streams in hex, other 64-bit numbers as numbers; with
 * nothing that a terminal acts on.
 */
export function toJson(report: object): string {
  const json = JSON.stringify(report, (key, value: unknown) => {
    if (typeof value !== 'bigint') return value
    if (key.endsWith('Time')) return isoTime(value)
    return key === 'stream' ? value.toString(16) : Number(value)
  })
  return visibleJson(json)
}

/** A line on stderr for a person. It stays one line, whatever is in it. */
export function say(line: string): void {
  process.stderr.write(`shardlog: ${visibleLine(line)}\n`)
}

/** Says where a log is damaged. */
export function sayDamage(damage: Damage): void {
  const bytes = damage.length > 0 ? `, ${plural(damage.length, 'byte')}` : ''
  say(`${damage.path}: offset ${damage.offset}${bytes}: ${damage.kind}: ${damage.message}`)
}

/** Says how much of a ring or a snapshot is damaged. */
export function sayUnread({ file, damaged }: { file: string; damaged: number }): void {
  if (damaged > 0) say(`${file}: ${plural(damaged, 'entry', 'entries')} could not be read`)
}

function sayWaiting({ path, arenaDir }: LogPlace, waiting: WaitingReport): void {
  const { entries, arenaPath, ownerPid, ofThisBoot } = waiting
  if (entries === 0) return
  const recover = `shardlog recover ${arenaDir === undefined ? '' : `--arena-dir ${arenaDir} `}${path}`
  const what = plural(entries, 'entry', 'entries')
  if (ofThisBoot) {
    say(
      `${path}: ${what} ${entries === 1 ? 'waits' : 'wait'} in ${arenaPath}, left by process ${ownerPid}; ` +
        `write them to the log with: ${recover}`
    )
  } else {
    say(
      `${path}: ${what} in ${arenaPath} ${entries === 1 ? 'is' : 'are'} of an earlier boot of the machine, and not shown, since they may ` +
        `be in the log already; what is not, is written to it by: ${recover}`
    )
  }
}

/** Says which arenas of a log were set aside. */
function sayAsides(path: string, asides: readonly string[]): void {
  for (const aside of asides) {
    say(`${path}: ${aside} was set aside, since it could not be trusted; print it with: shardlog cat ${aside}`)
  }
}

/**
 * Says what a dead process left in the arena of a log, and what to do; and which arenas were set
 * aside. Returns false if the arena cannot be read, which has been reported as damage; that others
 * may not read it is as it should be.
 */
export function sayArena(log: LogPlace): boolean {
  sayAsides(log.path, asideArenas(log))
  let arena: ArenaFile | null = null
  try {
    arena = arenaOfLog(log)
    // What a process that is alive has not written it will write.
    if (arena && !isOwnerAlive(arena.owner)) sayWaiting(log, countWaiting(arena))
    return true
  } catch (error) {
    if (isForbidden(error as Error))
      say(`${log.path}: what waits in its arena is not shown: ${(error as Error).message}`)
    return isForbidden(error as Error)
  } finally {
    arena?.close()
  }
}

const WIDTH = 30
/** Work shorter than this shows no bar. */
const QUIET_MS = 500
const REDRAW_MS = 100

/** A bar on stderr, for long work on a terminal only. */
export class Progress {
  private readonly begun = Date.now()
  private drawn = 0
  private readonly enabled = process.stderr.isTTY === true

  private readonly label: string

  constructor(label: string) {
    this.label = visibleLine(label)
  }

  update(done: number, total: number): void {
    const now = Date.now()
    if (!this.enabled || now - this.begun < QUIET_MS || now - this.drawn < REDRAW_MS) return
    this.drawn = now
    const share = Number.isFinite(total) && total > 0 ? Math.min(1, done / total) : 0
    const bar = '#'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '.')
    const rate = humanBytes(Math.round((done / (now - this.begun)) * 1000))
    const percent = Number.isFinite(total) ? `${(share * 100).toFixed(0).padStart(3)} %` : humanBytes(done)
    process.stderr.write(`\r\x1b[K${this.label} [${bar}] ${percent}, ${rate}/s`)
  }

  /** Takes the bar away. */
  end(): void {
    if (this.drawn > 0) process.stderr.write('\r\x1b[K')
  }
}
