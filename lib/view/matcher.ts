/** What a search looks for. */

import { withinTime } from './within-time'

const ESCAPE = /\\(?:u([\da-fA-F]{4})|(.))/gs
const SHORT: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }
const SPECIAL = /[\\^$.*+?()[\]{}|]/g
const ASCII = /^[\x20-\x7e]*$/
/** In a pattern for bytes: characters that JSON writes behind a backslash. */
const QUOTES = /"|\\\\/g

/** JSON with what its escapes stand for in their place: what a person looks for. */
export function unescaped(json: string): string {
  if (!json.includes('\\')) return json
  return json.replace(ESCAPE, (_, code: string | undefined, other: string) =>
    code === undefined ? (SHORT[other] ?? other) : String.fromCharCode(Number.parseInt(code, 16))
  )
}

/** Finds the first place of something from an index on; -1: none. */
type Find = (text: string, from: number) => number

const indexOf =
  (wanted: string): Find =>
  (text, from) =>
    text.indexOf(wanted, from)

const indexOfPattern =
  (pattern: RegExp): Find =>
  (text, from) => {
    pattern.lastIndex = from
    return pattern.exec(text)?.index ?? -1
  }

/** What JSON may write in another way. */
const ESCAPES = [indexOf('\\u'), indexOf('\\/')]
/** The long s and the sign of Kelvin, whose other cases are ASCII: in UTF-8, as Latin-1. */
const OTHER_CASES = [indexOf('\u00c5\u00bf'), indexOf('\u00e2\u0084\u00aa')]
/** Numbers that JSON writes in another way. */
const EXPONENTS = indexOfPattern(/\d[eE][-+]?\d/g)

/**
 * Tells of records, by their bytes read as Latin-1, whether they may hold something: quicker than
 * reading them, and never wrong in saying no.
 */
export class Hint {
  readonly #finds: readonly Find[]
  #text = ''
  /** Of each, the next place; -1: none any more. */
  readonly #next: number[]

  private constructor(finds: readonly Find[]) {
    this.#finds = finds
    this.#next = finds.map(() => -1)
  }

  static ofPattern(pattern: RegExp): Hint {
    return new Hint([indexOfPattern(pattern), ...ESCAPES, ...OTHER_CASES])
  }

  /** Of a value that a field has, as text. */
  static ofValue(value: string): Hint {
    const bytes = Buffer.from(value).toString('latin1')
    const finds = [indexOf(bytes), ...ESCAPES]
    return new Hint(/^-?[\d.]+$/.test(value) ? [...finds, EXPONENTS] : finds)
  }

  /** Begins with another text. */
  begin(text: string): void {
    this.#text = text
    this.#next.fill(-2)
  }

  /** Whether a part of the text may hold it. Parts are asked for in their order. */
  mayHold(start: number, end: number): boolean {
    const next = this.#next
    let found = false
    for (const [i, find] of this.#finds.entries()) {
      if (next[i] !== -1 && next[i]! < start) next[i] = find(this.#text, start)
      if (next[i] !== -1 && next[i]! < end) found = true
    }
    return found
  }
}

/**
 * A text that is looked for as it is, in any case unless it has capitals itself; or a regular
 * expression, if it begins with `~`.
 */
export class Matcher {
  /** Whether it is a regular expression. */
  readonly isPattern: boolean
  readonly #pattern: RegExp
  /** null: each record may be one. */
  readonly hint: Hint | null

  /** @throws SyntaxError of a pattern that is none */
  constructor(readonly text: string) {
    this.isPattern = text.startsWith('~')
    const wanted = this.isPattern ? text.slice(1) : text.replace(SPECIAL, '\\$&')
    const flags = /\p{Lu}/u.test(this.isPattern ? wanted.replace(/\\./g, '') : text) ? 'gu' : 'giu'
    this.#pattern = new RegExp(wanted, flags)
    const isQuick = !this.isPattern && ASCII.test(text)
    this.hint = isQuick ? Hint.ofPattern(new RegExp(wanted.replace(QUOTES, '\\\\?$&'), flags.replace('u', ''))) : null
  }

  /** Whether a record, JSON or any text, holds it. */
  matches(record: string): boolean {
    this.#pattern.lastIndex = 0
    return this.#pattern.test(unescaped(record))
  }

  /** Where it is in a text, as [start, end), the first hundred places. */
  places(text: string): [number, number][] {
    const places: [number, number][] = []
    const find = () => {
      for (const { index, 0: found } of text.matchAll(this.#pattern)) {
        if (found.length > 0) places.push([index, index + found.length])
        if (places.length === 100) break
      }
    }
    if (this.isPattern) withinTime(find, `the pattern ${this.text}`)
    else find()
    return places
  }
}
