import {
  DEFINE_STRING,
  DEFINE_TEMPLATE,
  DEFINITION_BODY,
  DEFINITION_ID,
  DEFINITION_LENGTH,
  DEFINITION_WHAT,
  MAX_TEXT_BYTES,
  TEMPLATE_HEAD,
  TEMPLATE_MESSAGE_FORM,
  TEMPLATE_TIME_FORM,
  TEXT_PREFIX_BYTES
} from './wire'

/**
 * Something that records refer to by its id, and that each segment defines once, before the first
 * of them.
 */
export interface Definition {
  readonly id: number
  /** The definition as it lies in a bundle. */
  readonly bytes: Buffer
  /** A log's segment that defines it, by its number in this thread; UNDEFINED: none does. */
  definedIn: number
  /** The same of a recorder: what goes to both is known to both without a search. */
  definedInRing: number
  /** The encoder whose log's segments define it, by its number; NOBODY; or SEVERAL. */
  teller: number
}

/** In place of a segment's number. */
export const UNDEFINED = 0
/** In place of an encoder's number. */
export const NOBODY = 0
/**
 * The same: each of them has to keep in mind by itself what it has defined, since a definition
 * remembers one segment.
 */
export const SEVERAL = -1

// Ids are unique in a thread, which is enough: a segment is written by one thread.
let lastId = 0

/** The id of a definition that is being made. */
export const nextId = (): number => ++lastId

function define(id: number, what: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(DEFINITION_BODY + length)
  bytes.writeUInt32LE(id, DEFINITION_ID)
  bytes[DEFINITION_WHAT] = what
  bytes.writeUInt32LE(length, DEFINITION_LENGTH)
  return bytes
}

/**
 * Bytes that are copied four at a time: a loop over bytes takes three times as long, Buffer's own
 * copy four times.
 */
export interface Words {
  /** Little-endian; behind the last byte there are zeroes. */
  readonly words: Int32Array
  /** Number of bytes. */
  readonly length: number
}

const WORD_BYTES = 4

function wordsOf(bytes: Buffer): Words {
  const { length } = bytes
  const padded = Buffer.alloc(Math.ceil(length / WORD_BYTES) * WORD_BYTES)
  bytes.copy(padded)
  const words = Int32Array.from({ length: padded.length / WORD_BYTES }, (_, i) => padded.readInt32LE(i * WORD_BYTES))
  return { words, length }
}

/** Children that a logger has had when its bindings are kept as bytes for the next ones. */
const MANY_USES = 2

/** A value that is no object. */
export type Primitive = string | number | boolean | null

/** A value of a binding that is JSON already. */
export interface BoundJson {
  readonly json: string
}

/** Keys of bindings that each record has in front of its fields. */
export class BoundKeys {
  /** What is printed before each value: `,"reqId":`, `,"user":{"id":`. */
  readonly keys: readonly string[]
  /** The keys one behind the other, which is other for all others. */
  readonly name: string
  /** Of an object: what stands behind its last value, as the value of the last key. */
  readonly end: BoundJson | null
  /** Of an object: how often one with these keys has been bound. */
  uses = 0
  // What loggers remember of them, each for a level: a service's children have the same keys.
  readonly #memos: Memo[] = []
  #nextMemo = 0
  // What `and` answered last, and what it was answered with these behind others.
  #next: BoundKeys | null = null
  #joined: BoundKeys | null = null
  #before: BoundKeys | null = null
  #joinedBehind: BoundKeys | null = null

  constructor(keys: readonly string[], name: string, end: BoundJson | null = null) {
    this.keys = keys
    this.name = name
    this.end = end
  }

  /** What `knower` has noted for a level; undefined: nothing, or it is forgotten. */
  recall(knower: object, level: number): object | undefined {
    for (const memo of this.#memos) if (memo.knower === knower && memo.level === level) return memo.known
    return undefined
  }

  note(knower: object, level: number, known: object): void {
    this.#memos[this.#nextMemo] = { knower, level, known }
    this.#nextMemo = (this.#nextMemo + 1) % MOST_MEMOS
  }

  /** These and those of `next` behind them; the same object for the same ones nearly always. */
  and(next: BoundKeys): BoundKeys {
    if (this.#joined !== null && this.#next === next) return this.#joined
    if (next.#joinedBehind !== null && next.#before === this) return next.#joinedBehind
    const joined = new BoundKeys([...this.keys, ...next.keys], this.name + next.name)
    this.#next = next
    this.#joined = joined
    next.#before = this
    next.#joinedBehind = joined
    return joined
  }
}

interface Memo {
  readonly knower: object
  readonly level: number
  readonly known: object
}

/** As many as a service has levels. */
const MOST_MEMOS = 4

/** How the values of a key are printed. */
export interface PrintedKey {
  /** The key as it is printed: `,"reqId":`. */
  readonly printed: string
  /** The same, and the quotation mark that a string begins with. */
  readonly quoted: string
  /** The key alone, if many bindings have it; else null. */
  readonly names: BoundKeys | null
  /** Whether `JSON.stringify` prints a string as it is, in quotation marks. */
  readonly isPlain: (text: string) => boolean
  /** A string as JSON. Does not throw. */
  readonly quote: (text: string) => string
}

const isJsonOf = (value: Primitive | BoundJson): value is BoundJson => typeof value === 'object' && value !== null

/** What is printed of bound values. */
export function printedValues({ keys }: BoundKeys, values: readonly (Primitive | BoundJson)[]): string {
  let text = ''
  for (let i = 0; i < keys.length; i++) {
    const value = values[i]!
    text += keys[i] + (isJsonOf(value) ? value.json : JSON.stringify(value))
  }
  return text
}

/** Additions that are kept apart; beyond so many they are printed. */
const MOST_PARTS = 8

/**
 * What is added to a text, as it is printed. Of a string it is not printed before somebody asks:
 * records take the string itself.
 */
export class Addition {
  /** The string; or the JSON that follows the key, if `isJson`; else ''. */
  readonly value: string
  /** Of a key with anything else than a string. */
  readonly isJson: boolean
  /** Keys that many have, whose values records may take; null: there is another, or none. */
  names: BoundKeys | null
  /** What it consists of, where that is several additions. */
  parts: readonly Addition[] | null
  /** Of an object as the value of a key: what is printed behind each of `names`. */
  values: readonly (Primitive | BoundJson)[] | null
  #size: number
  readonly #key: PrintedKey | null
  #text: string | null
  #quoted: string | null = null

  /**
   * @param text null: it is that of `key` with the string `value`
   * @param value if `text` is given, the JSON of a key with anything else
   */
  constructor(text: string | null, key: PrintedKey | null = null, value = '') {
    this.value = value
    this.isJson = text !== null
    this.names = key === null ? null : key.names
    this.parts = null
    this.values = null
    this.#size = value.length
    this.#key = key
    this.#text = text
  }

  /** @param size characters of all values */
  static ofValues(names: BoundKeys, values: readonly (Primitive | BoundJson)[], size: number): Addition {
    const object = new Addition(null)
    object.names = names
    object.values = values
    object.#size = size
    return object
  }

  /** @param parts two or more */
  static several(parts: readonly Addition[]): Addition {
    const all = new Addition(null)
    let names: BoundKeys | null = parts[0]!.names
    let objects = 0
    for (let i = 0; i < parts.length; i++) {
      const { names: next, values, size } = parts[i]!
      if (i > 0) names = names === null || next === null ? null : names.and(next)
      all.#size += size
      if (values !== null) objects++
    }
    // There is no bound to what keys of several objects may be joined to.
    if (objects > 1) names = null
    all.names = names
    all.parts = parts
    return all
  }

  /** Both, one behind the other. */
  and(next: Addition): Addition {
    if (this.#text === '') return next
    if (next.#text === '') return this
    // Two of one key each, nearly always.
    const isPair = this.parts === null && next.parts === null
    const parts = isPair ? [this, next] : [...(this.parts ?? [this]), ...(next.parts ?? [next])]
    return parts.length > MOST_PARTS ? new Addition(this.text + next.text) : Addition.several(parts)
  }

  get text(): string {
    if (this.#text === null) {
      const { parts, values } = this
      if (parts !== null) this.#text = parts.map(part => part.text).join('')
      else this.#text = values === null ? this.printed() : printedValues(this.names!, values)
    }
    return this.#text
  }

  private printed(): string {
    const { printed, quote } = this.#key!
    const { key, value } = this
    return key === '' ? printed + quote(value) : `${key}${value}"`
  }

  /** Of a string that has nothing to escape: all up to that string. Else ''. */
  get key(): string {
    this.#quoted ??= !this.isJson && this.#key?.isPlain(this.value) ? this.#key.quoted : ''
    return this.#quoted
  }

  /** Characters of all values. */
  get size(): number {
    return this.#size
  }
}

/**
 * A logger's bindings: its parent's, and what is added to those. Most loggers log a line or two and
 * are gone, so that their text is not made before somebody asks for it. Its private method has no
 * #, with which V8 marks each object as it is made.
 */
export class BoundText {
  readonly base: BoundText | null
  readonly added: Addition
  /** Whose bindings they are, and the logger that made it; null: nobody has said so. */
  owner: object | null = null
  parent: object | null = null
  /** As the parent counted its changes then; -1: the owner differs from it by more than these. */
  version = -1
  /** How often a child of the owner has logged that found no path of the owner's. */
  asked = 0
  #text: string | null = null

  constructor(added: Addition, base: BoundText | null = null) {
    this.base = base
    this.added = added
  }

  note(owner: object | null, parent: object | null, version: number): void {
    this.owner = owner
    this.parent = parent
    this.version = version
  }

  /** The same with more behind them, of the same owner; what they were before is not kept. */
  with(added: Addition): BoundText {
    const next = new BoundText(this.added.and(added), this.base)
    next.note(this.owner, this.parent, this.version)
    return next
  }

  get text(): string {
    if (this.#text === null) this.make()
    return this.#text!
  }

  private make(): void {
    const untold: BoundText[] = []
    for (let at: BoundText | null = this; at !== null && at.#text === null; at = at.base) untold.push(at)
    for (const bound of untold.reverse())
      bound.#text = (bound.base === null ? '' : bound.base.#text!) + bound.added.text
  }
}

/**
 * A string as it is printed: that of another definition, its base, and what is added to it. Each
 * child logger has one, and may log a line or two, so that neither its text nor its bytes are made
 * before somebody asks for them.
 */
export class StringDefinition implements Definition {
  readonly id: number
  definedIn: number
  definedInRing: number
  teller: number
  /** UTF-16 units of the text. */
  readonly length: number
  readonly base: StringDefinition | null
  readonly added: Addition
  #uses: number
  #bytes: Buffer | null
  #shared: Words | null
  #keyUses: number
  #sharedKey: string
  #sharedWithKey: Words | null

  constructor(added: Addition, base: StringDefinition | null = null) {
    this.id = nextId()
    this.definedIn = UNDEFINED
    this.definedInRing = UNDEFINED
    this.teller = NOBODY
    this.length = added.text.length + (base === null ? 0 : base.length)
    this.base = base
    this.added = added
    this.#uses = 0
    this.#bytes = null
    this.#shared = null
    this.#keyUses = 0
    this.#sharedKey = ''
    this.#sharedWithKey = null
  }

  get text(): string {
    return this.base === null ? this.added.text : this.base.text + this.added.text
  }

  get bytes(): Buffer {
    if (this.#bytes !== null) return this.#bytes
    const { text } = this
    this.#bytes = define(this.id, DEFINE_STRING, Buffer.byteLength(text))
    this.#bytes.write(text, DEFINITION_BODY)
    return this.#bytes
  }

  /** The text for those whose base it is, in UTF-8; null until there are several. */
  get shared(): Words | null {
    if (this.#shared === null && ++this.#uses > MANY_USES) this.#shared = wordsOf(this.bytes.subarray(DEFINITION_BODY))
    return this.#shared
  }

  /** As `shared`, with `key` behind the text; null until several in a row had it. */
  sharedWith(key: string): Words | null {
    return this.#sharedKey === key && this.#sharedWithKey !== null ? this.#sharedWithKey : this.#share(key)
  }

  #share(key: string): Words | null {
    if (this.#sharedKey !== key) {
      this.#sharedKey = key
      this.#sharedWithKey = null
      this.#keyUses = 0
    }
    if (++this.#keyUses > MANY_USES) this.#sharedWithKey = wordsOf(Buffer.from(this.text + key))
    return this.#sharedWithKey
  }
}

/** What lines have in common, each text as it is printed. */
export interface TemplateTexts {
  /** One of TIME_*. */
  timeForm: number
  /** One of MESSAGE_*. */
  messageForm: number
  prefix: string
  /** The message with its key, or its key alone, as `messageForm` says. */
  message: string
  keys: readonly string[]
}

/** The bytes that define a template; null if one of its texts is too long. */
export function templateBytes(id: number, texts: TemplateTexts): Buffer | null {
  const parts = []
  let length = TEMPLATE_HEAD
  for (const text of [texts.prefix, texts.message, ...texts.keys]) {
    const part = Buffer.from(text)
    if (part.length > MAX_TEXT_BYTES) return null
    parts.push(part)
    length += TEXT_PREFIX_BYTES + part.length
  }
  const bytes = define(id, DEFINE_TEMPLATE, length)
  bytes[DEFINITION_BODY + TEMPLATE_TIME_FORM] = texts.timeForm
  bytes[DEFINITION_BODY + TEMPLATE_MESSAGE_FORM] = texts.messageForm
  let at = DEFINITION_BODY + TEMPLATE_HEAD
  for (const part of parts) {
    bytes.writeUInt16LE(part.length, at)
    bytes.set(part, at + TEXT_PREFIX_BYTES)
    at += TEXT_PREFIX_BYTES + part.length
  }
  return bytes
}
