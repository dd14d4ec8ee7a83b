/** What a search looks for. */

import { withinTime } from './within-time'

const ESCAPE = /\\(?:u([\da-fA-F]{4})|(.))/gs
const SHORT: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }
const SPECIAL = /[\\^$.*+?()[\]{}|]/g
const ASCII = /^[\x20-\x7e]*$/
/** Characters that JSON writes as a backslash and the same character. */
const QUOTED = /["\\]/

/** JSON with what its escapes stand for in their place: what a person looks for. */
export function unescaped(json: string): string {
  if (!json.includes('\\')) return json
  return json.replace(ESCAPE, (_, code: string | undefined, other: string) =>
    code === undefined ? (SHORT[other] ?? other) : String.fromCharCode(Number.parseInt(code, 16))
  )
}

/** The first of two indexes; -1 stands for none. */
const first = (a: number, b: number): number => (a < 0 ? b : b < 0 ? a : Math.min(a, b))

/**
 * A text that is looked for as it is, in any case unless it has capitals itself; or a regular
 * expression, if it begins with `~`.
 */
export class Matcher {
  /** Whether it is a regular expression. */
  readonly isPattern: boolean
  readonly #pattern: RegExp
  /** Finds candidates in bytes read as Latin-1; null: each record is one. */
  readonly #quick: RegExp | null
  #next = { text: '', hit: -2, escape: -2 }

  /** @throws SyntaxError of a pattern that is none */
  constructor(readonly text: string) {
    this.isPattern = text.startsWith('~')
    const wanted = this.isPattern ? text.slice(1) : text.replace(SPECIAL, '\\$&')
    const flags = /\p{Lu}/u.test(this.isPattern ? wanted.replace(/\\./g, '') : text) ? 'gu' : 'giu'
    this.#pattern = new RegExp(wanted, flags)
    const isQuick = !this.isPattern && ASCII.test(text) && !QUOTED.test(text)
    this.#quick = isQuick ? new RegExp(wanted, flags.replace('u', '')) : null
  }

  /** Whether candidates can be told from bytes. */
  get isQuick(): boolean {
    return this.#quick !== null
  }

  /**
   * Whether `bytes[start, end)`, read as Latin-1, may hold it. Positions only grow, as long as the
   * text is the same.
   */
  mayHold(bytes: string, start: number, end: number): boolean {
    if (this.#quick === null) return true
    if (this.#next.text !== bytes) this.#next = { text: bytes, hit: -2, escape: -2 }
    const next = this.#next
    if (next.hit !== -1 && next.hit < start) {
      this.#quick.lastIndex = start
      next.hit = this.#quick.exec(bytes)?.index ?? -1
    }
    // What JSON may write in another way; and the two letters that are others' capitals or smalls.
    if (next.escape !== -1 && next.escape < start) {
      next.escape = first(first(bytes.indexOf('\\u', start), bytes.indexOf('\\/', start)), otherCase(bytes, start))
    }
    return (next.hit !== -1 && next.hit < end) || (next.escape !== -1 && next.escape < end)
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

/** The long s and the sign of Kelvin, whose other cases are ASCII: in UTF-8, as Latin-1. */
function otherCase(bytes: string, start: number): number {
  return first(bytes.indexOf('\u00c5\u00bf', start), bytes.indexOf('\u00e2\u0084\u00aa', start))
}
