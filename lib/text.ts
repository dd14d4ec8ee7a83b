/** Texts for a person: visible control characters, figures with units, times. */

import { isUtf8 } from 'node:buffer'

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
export function visibleText(text: string): string {
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
  // The language's own way takes a tenth of a second to be loaded.
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ',')
}

/** `1 entry`, `2 entries`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${humanCount(count)} ${count === 1 ? one : many}`
}

const NS_PER_S = 1_000_000_000n
/** The latest second of a Date. */
const MAX_DATE_S = 8_640_000_000_000n

/**
 * Nanoseconds since the epoch as ISO 8601 with all nine digits; as a number of them where no date
 * has that time.
 */
export function isoTime(ns: bigint): string {
  const seconds = ns / NS_PER_S
  if (ns < 0n || seconds > MAX_DATE_S) return `${ns} ns`
  const text = new Date(Number(seconds) * 1000).toISOString().slice(0, -5)
  return `${text}.${String(ns % NS_PER_S).padStart(9, '0')}Z`
}
