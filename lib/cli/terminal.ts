/**
 * Texts for a person: visible control characters, figures with units, messages and a progress bar
 * on stderr.
 */

import { isUtf8 } from 'node:buffer'
import { isatty } from 'node:tty'
import { type ArenaFile, isOwnerAlive } from '../arena/arena-file'
import { asideArenas, type LogPlace } from '../arena/locate'
import type { Damage } from '../reader/items'
import { arenaOfLog, countWaiting, isForbidden, type WaitingReport } from '../reader/log-place'

const STDOUT = 1
/**
 * What a terminal acts on, or what makes it show other text than there is: controls but newline and
 * tab, what changes the direction of text, line separators, and characters that nobody sees.
 * Joiners are left, since letters and emoji are made with them.
 */
const UNSAFE =
  /(?![\n\t])[\p{Cc}\p{Bidi_Control}\u00ad\u180e\u200b\u2028\u2029\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu
const NEWLINE_OR_TAB = /[\n\t]/g
/** Of bytes read as Latin-1: a character of UTF-8 of several bytes, or a byte that is none. */
const UTF8_OR_BYTE =
  /([\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2})|[\x80-\xff]/g
/** What colours consist of, and nothing else that a terminal acts on. */
const COLOR = new RegExp(`(${String.fromCharCode(0x1b)}\\[[\\d;]*m)`)

const hex = (code: number, digits: number): string => code.toString(16).toUpperCase().padStart(digits, '0')

/** A character as `less` shows it. */
function visible(character: string): string {
  const code = character.codePointAt(0)!
  if (code === 0x1b) return 'ESC'
  if (code < 0x20 || code === 0x7f) return `^${String.fromCharCode(code ^ 0x40)}`
  return `<U+${hex(code, 4)}>`
}

/**
 * Text for a terminal, controls shown as `less` shows them. Newlines and tabs stay, also the
 * carriage return of a line's end.
 */
function visibleText(text: string): string {
  return text.replaceAll('\r\n', '\n').replace(UNSAFE, visible)
}

/** As `visibleText`, of bytes, of which those that are no UTF-8 are shown as numbers. */
export function visibleBytes(bytes: Buffer): string {
  if (isUtf8(bytes)) return visibleText(bytes.toString())
  const marked = bytes.toString('latin1').replace(UTF8_OR_BYTE, (byte: string, character: string | undefined) => {
    return character ?? `<${hex(byte.charCodeAt(0), 2)}>`
  })
  return visibleText(Buffer.from(marked, 'latin1').toString())
}

/**
 * As `visibleText`, with newlines and tabs shown too: for names of files and messages, which are to
 * stay one line.
 */
export function visibleLine(text: string): string {
  return text.replace(UNSAFE, visible).replace(NEWLINE_OR_TAB, visible)
}

/** As `visibleText`, but with colours. */
export function visibleButColors(text: string): string {
  return text
    .split(COLOR)
    .map((part, i) => (i % 2 === 1 ? part : visibleText(part)))
    .join('')
}

/** JSON that says the same with escapes of its own in place of what a terminal acts on. */
export function visibleJson(json: string): string {
  return json.replace(UNSAFE, character => {
    return Array.from(
      { length: character.length },
      (_, i) => `\\u${hex(character.charCodeAt(i), 4).toLowerCase()}`
    ).join('')
  })
}

const ESCAPED = /\\(?:u([\da-fA-F]{4})|.)/gs
const SHORT_ESCAPES: Record<string, string> = { '\\b': '\b', '\\f': '\f', '\\r': '\r' }

function visibleInJson(character: string): string {
  return JSON.stringify(visibleText(character)).slice(1, -1)
}

/** JSON whose strings, once parsed, have controls shown in place of controls. */
export function visibleStrings(json: string): string {
  const unescaped = json.replace(ESCAPED, (whole: string, digits: string | undefined) => {
    const character = digits ? String.fromCharCode(Number.parseInt(digits, 16)) : SHORT_ESCAPES[whole]
    if (character === undefined) return whole
    const shown = visibleText(character)
    return shown === character ? whole : visibleInJson(character)
  })
  return unescaped.replace(UNSAFE, visibleInJson)
}

/**
 * Whether output is for somebody's eyes, so that control characters in it are shown rather than
 * obeyed.
 */
export function isForTerminal(raw: boolean): boolean {
  return !raw && isatty(STDOUT)
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']

/** `1536` as `1.5 KiB`. */
export function humanBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  return unit === 0 ? `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}` : `${value.toFixed(1)} ${UNITS[unit]}`
}

/** `1234567` as `1,234,567`. */
export function humanCount(count: number | bigint): string {
  return count.toLocaleString('en-US')
}

/** `1 entry`, `2 entries`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${humanCount(count)} ${count === 1 ? one : many}`
}

/** Nanoseconds since the epoch as ISO 8601 with all nine digits. */
export function isoTime(ns: bigint): string {
  const seconds = new Date(Number(ns / 1_000_000_000n) * 1000).toISOString().slice(0, 19)
  return `${seconds}.${String(ns % 1_000_000_000n).padStart(9, '0')}Z`
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
