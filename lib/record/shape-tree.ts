/**
 * What lines have in common: the shapes of the objects that are logged, and the messages. A
 * template is made of both.
 *
 * Everything here is a class: V8 gives objects that come from one literal or spread in several
 * places hidden classes of their own, and then each look at one of them is a search.
 */

import { type BoundKeys, type Definition, NOBODY, nextId, templateBytes, UNDEFINED } from './definition'
import { MESSAGE_FIXED, MESSAGE_INLINE, MESSAGE_NONE } from './wire'

/** Makes something else of a key's value before it is recorded: a serializer, a redaction. */
export type Conversion = (value: unknown) => unknown

/**
 * What a node adds to its parent: a key with a value; the same of a binding in front of the fields;
 * a key with an object, whose keys follow; that object's end; a piece of the message with the value
 * behind it; the message's last piece.
 */
type Edge = 'value' | 'binding' | 'open' | 'close' | 'piece' | 'end'

/** The key of nodes that have none. No object has it, so that a comparison with it fails. */
const NO_KEY = `shardlog.noKey.${Math.random()}`

/**
 * Nodes and templates of one tree. A service that logs ever new keys starts a new tree now and
 * then, and memory stays bounded.
 */
const MAX_PARTS = 10_000
const MAX_KEYS = 10_000
/**
 * Texts that lines begin with. There are more of them than levels where children bring levels and
 * formatters of their own along.
 */
const MAX_PREFIXES = 1_000
/**
 * A tree that gets so many parts sooner than that, in ms, has them of keys that are data: every
 * record has new ones.
 */
const MANY_PARTS = 2_000
const QUICK_MS = 12_000
/**
 * How often such a tree takes in new keys all the same, in ms: the program may be about to log
 * other things.
 */
const GROWTH_MS = 10
/**
 * Nodes within one object in an object. With more, its keys are taken to be data, as those of a
 * map, and the object is JSON at the call from then on.
 */
const MAX_DESCENDANTS = 200
/**
 * How many more objects at one place than not have to turn out to be JSON for all of them to be
 * that, without being looked into: most of them have a circle, or a `toJSON` further down.
 */
const MAX_REFUSALS = 64
/** Objects in objects are part of the template up to here. */
const MAX_DEPTH = 12

/** In the place of a node that there is not. */
let sentinel: ShapeNode | null = null

/**
 * A place in the fields of an object: the keys on the way from the root to it, in their order. Each
 * node is where some objects end. Objects in objects are printed with the template, so that of them
 * too only the values are recorded.
 */
export class ShapeNode {
  /** The node last gone to, which is the one that is gone to next nearly always. */
  next: ShapeNode
  /** The one that was in its place before: a request's lines have `req` and `res` in turn. */
  other: ShapeNode
  readonly key: string
  readonly edge: Edge
  readonly convert: Conversion | null
  /** The template last used. */
  recent: Template | null
  nextOpen: ShapeNode
  otherOpen: ShapeNode
  /** null at the root. */
  readonly parent: ShapeNode | null
  /** The node of the tree that all ways begin at. */
  readonly root: ShapeNode
  /** Number of values. */
  readonly count: number
  /** Number of fields: of an object among them it is one, whatever is in it. */
  readonly fields: number
  /** The node that opened the object whose key comes next; null in the record itself. */
  readonly parentObject: ShapeNode | null
  /** Objects that are open. */
  readonly depth: number
  closed: ShapeNode | null
  children: Map<string, ShapeNode> | null
  opens: Map<string, ShapeNode> | null
  /** Of a node that opens an object: the nodes within. */
  descendants: number
  /**
   * Of the same: whether such objects have had a prototype of their own, whose keys a `for in`
   * walks, too; null: nobody has looked.
   */
  inherits: boolean | null
  /** Of the same: objects that turned out to be JSON, less those that did not. */
  refusals: number
  templates: Map<LinePrefix, Map<string | null | undefined, Template>> | null
  /** The pattern last used behind the fields that end here, and where its values end. */
  recentPattern: MessagePattern | null
  filled: ShapeNode | null
  patterns: Map<MessagePattern, ShapeNode> | null
  /** Of a binding's object that ends here: what is printed before its values. */
  bound: BoundKeys | null

  constructor(
    edge: Edge,
    key: string,
    parent: ShapeNode | null,
    parentObject: ShapeNode | null,
    convert: Conversion | null
  ) {
    this.next = sentinel ?? this
    this.other = this.next
    this.key = key
    this.edge = edge
    this.convert = convert
    this.recent = null
    this.nextOpen = this.next
    this.otherOpen = this.next
    this.parent = parent
    this.root = parent === null ? this : parent.root
    const hasValue = edge === 'value' || edge === 'binding' || edge === 'piece'
    this.count = parent === null ? 0 : parent.count + (hasValue ? 1 : 0)
    const isField = parent !== null && parentObject === null && (edge === 'value' || edge === 'open')
    this.fields = parent === null ? 0 : parent.fields + (isField ? 1 : 0)
    this.parentObject = parentObject
    this.depth = (parentObject === null ? 0 : parentObject.depth) + (edge === 'open' ? 1 : 0)
    this.closed = null
    this.children = null
    this.opens = null
    this.descendants = 0
    this.inherits = null
    this.refusals = 0
    this.templates = null
    this.recentPattern = null
    this.filled = null
    this.patterns = null
    this.bound = null
    for (let object = parentObject; object !== null; object = object.parentObject) object.descendants++
  }

  /** What `inherits` is by the first such object: those of one place are nearly always alike. */
  findInherits(object: object): boolean {
    this.inherits = Object.getPrototypeOf(object) !== Object.prototype
    return this.inherits
  }

  /**
   * The node on the way to this one that has `count` keys; of a node all of whose edges are values.
   */
  ancestor(count: number): ShapeNode {
    let node: ShapeNode = this
    while (node.count > count) node = node.parent as ShapeNode
    return node
  }
}

sentinel = new ShapeNode('value', NO_KEY, null, null, null)

/**
 * The keys of a node's records if each has a value that is recorded as it comes; null if there is
 * more to them. Templates whose records are looked for by their keys alone must not be taken for
 * those of other objects (`LineFormat.replaced`).
 */
function plainKeys(node: ShapeNode): readonly string[] | null {
  const keys: string[] = []
  for (let at = node; at.parent !== null; at = at.parent) {
    if ((at.edge !== 'value' && at.edge !== 'binding') || at.convert !== null) return null
    keys.push(at.key)
  }
  const isOfRequest = keys.includes('headers') && keys.includes('socket')
  return isOfRequest || keys.includes('setHeader') ? null : keys.reverse()
}

/** What the lines have in common that were logged with the same keys and message. */
export class Template implements Definition {
  readonly id: number
  definedIn: number
  definedInRing: number
  teller: number
  /**
   * The keys, if the record has the values of a plain object's fields, each as it comes; null if
   * there is more to it.
   */
  readonly keys: readonly string[] | null
  readonly prefix: LinePrefix
  /** undefined: lines without one; null: the message is in the record. */
  readonly message: string | null | undefined
  readonly node: ShapeNode
  readonly bytes: Buffer
  /** What `prefixed` made of it last. */
  withKeys: Template | null
  addedKeys: readonly string[] | null

  constructor(id: number, bytes: Buffer, prefix: LinePrefix, node: ShapeNode, message: string | null | undefined) {
    this.id = id
    this.definedIn = UNDEFINED
    this.definedInRing = UNDEFINED
    this.teller = NOBODY
    this.keys = plainKeys(node)
    this.prefix = prefix
    this.message = message
    this.node = node
    this.bytes = bytes
    this.withKeys = null
    this.addedKeys = null
  }
}

const LONGEST_MESSAGE = 256
/** Messages that are remembered, as new ones or with their templates. */
const MAX_MESSAGES = 4096
/**
 * Look-ups after which it is considered whether they are of use, and for how many there then are
 * none.
 */
const TRIAL = 1024
const BACKOFF = 64 * TRIAL

/**
 * A text that is kept for long. One that was cut from a longer one keeps all of that; as the name
 * of a property it is a text of its own. One that stands in the program is that name already, and
 * so is found to be the same without a look at its characters.
 */
const keptText = (text: string): string => Object.keys({ [text]: 0 })[0]!

/**
 * Decides whether to look a message up. One with something built into it is ever new, and looking
 * it up, which computes a hash of all of it, costs more than it saves.
 */
export class LookupBudget {
  /** Look-ups that found nothing; counted by whoever looks. */
  misses = 0
  #lookups = 0
  #rest = 0

  /** Whether to look `message` up. */
  allows(message: string): boolean {
    if (this.#rest > 0) {
      this.#rest--
      return false
    }
    if (message.length > LONGEST_MESSAGE) return false
    if (++this.#lookups >= TRIAL) this.#review()
    return true
  }

  #review(): void {
    if (this.misses * 2 > this.#lookups) this.#rest = BACKOFF
    this.#lookups = 0
    this.misses = 0
  }
}

const PERCENT = '%'
/** Placeholders that take a string, a number, or what is below a number. */
const KINDS = 'sdfi'
/** Numbers that are printed as they are logged. */
const { isFinite: isPrinted } = Number

/**
 * A message with placeholders whose values records take, so that it is put together where lines are
 * made: `user %s did %d`.
 */
export class MessagePattern {
  /** What stands before each value, and behind the last one. */
  readonly pieces: readonly string[]
  /** A letter for each value. */
  readonly kinds: string
  /** Number of values. */
  readonly count: number

  private constructor(pieces: readonly string[], kinds: string) {
    this.pieces = pieces
    this.kinds = kinds
    this.count = kinds.length
  }

  /** null if there are none, or others too. */
  static parse(message: string): MessagePattern | null {
    const pieces: string[] = []
    let kinds = ''
    let piece = ''
    let from = 0
    for (let at = message.indexOf(PERCENT); at >= 0 && at + 1 < message.length; at = message.indexOf(PERCENT, from)) {
      const letter = message.charAt(at + 1)
      piece += message.slice(from, at)
      from = at + 2
      if (letter === PERCENT) {
        piece += PERCENT
      } else if (KINDS.includes(letter)) {
        kinds += letter
        pieces.push(piece)
        piece = ''
      } else {
        return null
      }
    }
    pieces.push(piece + message.slice(from))
    // A surrogate by itself may be half of a character whose other half is in a value.
    const isWhole = pieces.every(each => (each as unknown as WellFormed).isWellFormed())
    return kinds === '' || !isWhole ? null : new MessagePattern(pieces, kinds)
  }

  /** null unless each placeholder has a value of its kind that is printed as it is. */
  fill(values: readonly unknown[]): FilledMessage | null {
    const { kinds } = this
    if (values.length < kinds.length) return null
    let filled = values
    for (let i = 0; i < kinds.length; i++) {
      const value = values[i]
      if (typeof value === 'number') {
        if (!isPrinted(value)) return null
        if (kinds.charAt(i) !== 'i' || (value | 0) === value) continue
        if (filled === values) filled = values.slice()
        ;(filled as unknown[])[i] = Math.floor(value)
      } else if (
        kinds.charAt(i) !== 's' ||
        (typeof value !== 'string' && typeof value !== 'boolean' && value !== null)
      ) {
        return null
      }
    }
    return new FilledMessage(this, filled)
  }
}

interface WellFormed {
  isWellFormed(): boolean
}

/** A message with its values, not put together yet. */
export class FilledMessage {
  readonly #pattern: MessagePattern
  /** As many as the pattern has, or more: strings, numbers that are finite, booleans, null. */
  readonly values: readonly unknown[]

  constructor(pattern: MessagePattern, values: readonly unknown[]) {
    this.#pattern = pattern
    this.values = values
  }

  /** Asked so rather than by `instanceof`, which asks proxies. */
  static is(message: unknown): message is FilledMessage {
    return typeof message === 'object' && message !== null && #pattern in message
  }

  get pattern(): MessagePattern {
    return this.#pattern
  }

  get text(): string {
    const { pieces, count } = this.#pattern
    let text = pieces[0]!
    for (let i = 0; i < count; i++) text += String(this.values[i]) + pieces[i + 1]
    return text
  }
}

/** The patterns of messages, which are known again by their text. */
export class MessagePatterns {
  readonly #known = new Map<string, MessagePattern | null>()
  readonly #budget = new LookupBudget()

  /** null: it is none, or has something built into it. */
  of(message: string): MessagePattern | null {
    if (!this.#budget.allows(message)) return null
    const known = this.#known.get(message)
    if (known !== undefined) return known
    this.#budget.misses++
    if (this.#known.size >= MAX_MESSAGES) this.#known.clear()
    const kept = keptText(message)
    const made = MessagePattern.parse(kept)
    this.#known.set(kept, made)
    return made
  }
}

/**
 * Places for templates by their messages: so many at first and at the most, powers of two, and so
 * many for each that there are at the least.
 */
const FEWEST_PLACES = 64
const MOST_PLACES = 1024
const PLACES_EACH = 4

type Places = readonly (Template | null)[]
const emptyPlaces = (length: number): (Template | null)[] => Array.from({ length }, () => null)
const NO_PLACES: Places = []

/**
 * Which of `places` a message's template is at: found sooner than by any look-up of the message. Of
 * few messages its length and its last character tell enough; many take more of it.
 */
function placeOf(message: string, places: Places): number {
  const { length } = message
  if (length === 0) return 0
  const last = length * 7 + message.charCodeAt(length - 1) * 31
  return (places.length > FEWEST_PLACES ? last + amongMany(message, length) : last) & (places.length - 1)
}

function amongMany(message: string, length: number): number {
  const last = message.charCodeAt(length === 1 ? 0 : length - 2) * 67
  return last + message.charCodeAt(length >> 1) * 131 + message.charCodeAt(length >> 2) * 257
}

/** What lines of one level have in common, whatever is logged. */
export class LinePrefix {
  /** The template found last. */
  recent: Template | null = null
  readonly #byMessage = new Map<string, Template>()
  /** Those that were looked up, at `placeOf`. */
  #places: Places = NO_PLACES
  readonly #budget = new LookupBudget()
  /** What a line begins with: `{"level":30`. */
  readonly text: string
  /** One of TIME_*. */
  readonly timeForm: number
  /** The bindings that each record has in front of its fields; null: none has. */
  readonly bound: BoundKeys | null

  constructor(text: string, timeForm: number, bound: BoundKeys | null = null) {
    this.text = text
    this.timeForm = timeForm
    this.bound = bound
  }

  /**
   * The template of lines that were logged with this message, which is not that of `recent`; null
   * if there is none that is known.
   */
  find(message: unknown): Template | null {
    if (typeof message !== 'string') return null
    const places = this.#places
    if (places !== NO_PLACES) {
      const likely = places[placeOf(message, places)]!
      if (likely !== null && likely.message === message) {
        this.recent = likely
        return likely
      }
    }
    if (!this.#budget.allows(message)) return null
    const found = this.#byMessage.get(message)
    if (found === undefined) {
      this.#budget.misses++
      return null
    }
    this.#putInPlace(message, found)
    this.recent = found
    return found
  }

  #putInPlace(message: string, template: Template): void {
    const { length } = this.#places
    const isFew = length < MOST_PLACES && this.#byMessage.size * PLACES_EACH > length
    // The others come to their places when they are looked up.
    if (isFew) this.#places = emptyPlaces(Math.max(FEWEST_PLACES, 2 * length))
    ;(this.#places as (Template | null)[])[placeOf(message, this.#places)] = template
  }

  /** Has `find` find `template`. */
  keep(template: Template): void {
    if (typeof template.message !== 'string') return
    // A tree that has forgotten the prefix does not clear it.
    if (this.#byMessage.size >= MAX_MESSAGES) this.clear()
    this.#byMessage.set(template.message, template)
    // At its place there may be one of the same message with other keys.
    if (this.#places !== NO_PLACES) this.#putInPlace(template.message, template)
  }

  clear(): void {
    this.recent = null
    this.#byMessage.clear()
    this.#places = NO_PLACES
  }
}

/** Messages that recur, which templates hold, from those with something built into them. */
class MessageFilter {
  readonly #known = new Map<string, string>()
  readonly #budget = new LookupBudget()

  /** Whether there are as many as are remembered: time to start over with the templates. */
  isFull = false

  /** The message if a template should hold it, as the same text each time; else null. */
  held(message: string): string | null {
    if (!this.#budget.allows(message)) return null
    const known = this.#known.get(message)
    if (known !== undefined) return known
    // As `keptText`, written out: the first call of a program should enter few functions.
    const kept = Object.keys({ [message]: 0 })[0]!
    this.#budget.misses++
    this.#known.set(kept, kept)
    this.isFull = this.#known.size >= MAX_MESSAGES
    return kept
  }

  clear(): void {
    this.#known.clear()
    this.isFull = false
  }
}

export interface ShapeTreeOptions {
  conversionOf: (key: string) => Conversion | null
  /** A string as JSON. */
  quote: (text: string) => string
  /** The message's key. */
  messageKey: string
  /** See MAX_DESCENDANTS, which is the default. */
  maxDescendants?: number
}

const newRoot = (): ShapeNode => new ShapeNode('value', NO_KEY, null, null, null)

/** Keys and messages of the lines that are logged with the same serializers and redactions. */
export class ShapeTree {
  root = newRoot()
  readonly #options: ShapeTreeOptions
  readonly #maxDescendants: number
  readonly #printedMessageKey: string
  readonly #filter = new MessageFilter()
  readonly #prefixes = new Map<string, LinePrefix>()
  readonly #bindings = new Map<string, ShapeNode>()
  // What `start` answered last to a prefix with bindings.
  #recentBound: BoundKeys | null = null
  #recentStart: ShapeNode = this.root
  #parts = 0
  #begun = Date.now()
  #grown = 0
  /**
   * Whether keys are data: records with new ones had better be text, which costs less than a
   * template that is used once.
   */
  isStrained = false

  constructor(options: ShapeTreeOptions) {
    this.#options = options
    this.#maxDescendants = options.maxDescendants ?? MAX_DESCENDANTS
    this.#printedMessageKey = `,${options.quote(options.messageKey)}:`
  }

  /**
   * The prefix with this text, form of time and bindings in each record, the same one until there
   * are too many.
   */
  prefix(text: string, timeForm: number, bound: BoundKeys | null = null): LinePrefix {
    const name = bound === null ? `${timeForm}${text}` : `${timeForm}${text}\n${bound.name}`
    const known = this.#prefixes.get(name)
    if (known !== undefined) return known
    if (this.#prefixes.size === MAX_PREFIXES) {
      this.#startOver()
      this.#prefixes.clear()
    }
    const made = new LinePrefix(text, timeForm, bound)
    this.#prefixes.set(name, made)
    return made
  }

  /** The node that the fields of records with this prefix follow. */
  start({ bound }: LinePrefix): ShapeNode {
    if (bound === null) return this.root
    return this.#recentBound === bound ? this.#recentStart : this.#findStart(bound)
  }

  #findStart(bound: BoundKeys): ShapeNode {
    let node = this.#bindings.get(bound.name)
    if (node === undefined) {
      this.#count()
      node = this.root
      for (const key of bound.keys) node = new ShapeNode('binding', key, node, null, null)
      this.#bindings.set(bound.name, node)
    }
    this.#recentBound = bound
    this.#recentStart = node
    return node
  }

  /** The node behind `node` for `key` and a value; null if there cannot be one: too many keys. */
  step(node: ShapeNode, key: string): ShapeNode | null {
    if (node.other.key === key) return node.other
    node.children ??= new Map()
    let child = node.children.get(key)
    if (child === undefined) {
      if (node.count === MAX_KEYS) return null
      const object = node.edge === 'open' ? node : node.parentObject
      child = new ShapeNode('value', key, node, object, object === null ? this.#options.conversionOf(key) : null)
      node.children.set(key, child)
      this.#count()
    }
    node.other = node.next
    node.next = child
    return child
  }

  /**
   * The node behind `node` for `key` and an object whose fields follow, then `close`; null if the
   * object had better be JSON.
   */
  open(node: ShapeNode, key: string): ShapeNode | null {
    let child = node.nextOpen
    if (child.key !== key) child = node.otherOpen.key === key ? node.otherOpen : this.#openOther(node, key)
    const isJson = child.depth > MAX_DEPTH || child.descendants > this.#maxDescendants || child.refusals > MAX_REFUSALS
    return isJson ? null : child
  }

  /** An object that `open` has opened behind `node` turned out to be JSON, or not. */
  settle({ nextOpen }: ShapeNode, key: string, isJson: boolean): void {
    if (nextOpen.key !== key || nextOpen.refusals > MAX_REFUSALS) return
    if (isJson) nextOpen.refusals++
    else if (nextOpen.refusals > 0) nextOpen.refusals--
  }

  #openOther(node: ShapeNode, key: string): ShapeNode {
    node.opens ??= new Map()
    let child = node.opens.get(key)
    if (child === undefined) {
      child = new ShapeNode('open', key, node, node.edge === 'open' ? node : node.parentObject, null)
      node.opens.set(key, child)
      this.#count()
    }
    node.otherOpen = node.nextOpen
    node.nextOpen = child
    return child
  }

  /** The node behind `node` for the end of the object that was opened last. */
  close(node: ShapeNode): ShapeNode {
    if (node.closed !== null) return node.closed
    const object = node.edge === 'open' ? node : node.parentObject!
    node.closed = new ShapeNode('close', NO_KEY, node, object.parentObject, null)
    this.#count()
    return node.closed
  }

  /** The node behind `node`, where the fields end, for the values of a message. */
  fill(node: ShapeNode, pattern: MessagePattern): ShapeNode {
    if (node.recentPattern === pattern) return node.filled!
    node.patterns ??= new Map()
    let end = node.patterns.get(pattern)
    if (end === undefined) {
      end = node
      for (let i = 0; i <= pattern.count; i++) {
        end = new ShapeNode(i < pattern.count ? 'piece' : 'end', pattern.pieces[i]!, end, null, null)
        this.#count()
      }
      node.patterns.set(pattern, end)
    }
    node.recentPattern = pattern
    node.filled = end
    return end
  }

  /**
   * For a strained tree: whether it has nodes for the fields' keys, or takes them in. An object
   * among the values is not looked into.
   */
  takes(fields: object, prefix: LinePrefix): boolean {
    let node = this.start(prefix)
    for (const key in fields) {
      if (node.opens?.has(key)) return true
      const next = node.next.key === key ? node.next : node.children?.get(key)
      if (next === undefined) return this.#mayGrow()
      node = next
    }
    return true
  }

  #mayGrow(): boolean {
    const now = Date.now()
    // Also when the clock was set back.
    if (now >= this.#grown && now < this.#grown + GROWTH_MS) return false
    this.#grown = now
    return true
  }

  #count(): void {
    if (++this.#parts % MANY_PARTS === 0) {
      const now = Date.now()
      this.isStrained = now - this.#begun < QUICK_MS
      this.#begun = now
    }
    if (this.#parts > MAX_PARTS) this.#startOver()
  }

  #startOver(): void {
    this.#parts = 0
    this.root = newRoot()
    this.#recentStart = this.root
    this.#bindings.clear()
    this.#recentBound = null
    this.#filter.clear()
    for (const prefix of this.#prefixes.values()) prefix.clear()
  }

  /**
   * The template of lines with the keys of `node`.
   *
   * @param message a string that may be the template's, undefined for none, or anything else, which
   *   goes into the record
   * @returns null if one of its texts is too long for a template
   */
  template(node: ShapeNode, prefix: LinePrefix, message: unknown): Template | null {
    const { recent } = node
    // A message of the template's own comes as the same string nearly always.
    if (recent !== null && recent.prefix === prefix && recent.message === message) return recent
    if (message === undefined) return this.#find(node, prefix, undefined)
    if (this.#filter.isFull) this.#startOver()
    return this.#find(node, prefix, typeof message === 'string' ? this.#filter.held(message) : null)
  }

  /**
   * The template of records that have `keys` in front of the fields of another template's, and are
   * like those otherwise.
   *
   * @param keys the same array for the same keys
   * @returns null if the template has one of the keys, one has a conversion, or there are too many
   */
  prefixed(template: Template, keys: readonly string[]): Template | null {
    if (template.addedKeys === keys) return template.withKeys
    const node = this.#behind(template.node, keys)
    template.withKeys = node === null ? null : this.#find(node, template.prefix, template.message)
    template.addedKeys = keys
    return template.withKeys
  }

  /** The node on whose way the keys of `node` follow `keys`. */
  #behind(node: ShapeNode, keys: readonly string[]): ShapeNode | null {
    let to: ShapeNode | null = this.root
    for (const key of keys) {
      to = this.step(to, key)
      if (to === null || to.convert !== null) return null
    }
    const path: ShapeNode[] = []
    for (let at = node; at.parent !== null; at = at.parent) path.push(at)
    const printed = keys.map(key => `,${this.#options.quote(key)}:`)
    for (const { edge, key, parentObject } of path.reverse()) {
      if (edge === 'piece' || edge === 'end') return null
      if (edge === 'binding') {
        if (printed.some(added => key.startsWith(added))) return null
        to = new ShapeNode('binding', key, to, null, null)
        this.#count()
        continue
      }
      if (parentObject === null && edge !== 'close' && keys.includes(key)) return null
      if (edge === 'close') to = this.close(to)
      else to = edge === 'open' ? this.open(to, key) : this.step(to, key)
      if (to === null) return null
    }
    return to
  }

  /** @param message what of it the template is to hold: null, nothing */
  #find(node: ShapeNode, prefix: LinePrefix, message: string | null | undefined): Template | null {
    const { recent } = node
    if (recent !== null && recent.prefix === prefix && recent.message === message) return recent
    const found = node.templates?.get(prefix)?.get(message) ?? this.#make(node, prefix, message)
    if (found === null) return null
    node.recent = found
    // The tree may have been started over since the record was begun.
    if (node.root === this.root) prefix.keep(found)
    return found
  }

  #make(node: ShapeNode, prefix: LinePrefix, message: string | null | undefined): Template | null {
    const { quote } = this.#options
    const { keys, tail } = printed(node, quote, this.#printedMessageKey)
    const id = nextId()
    const bytes = templateBytes(id, {
      timeForm: prefix.timeForm,
      messageForm:
        message === null ? MESSAGE_INLINE : message === undefined && tail === '' ? MESSAGE_NONE : MESSAGE_FIXED,
      prefix: prefix.text,
      message: tail + (message === undefined ? '' : this.#printedMessageKey + (message === null ? '' : quote(message))),
      keys
    })
    if (bytes === null) return null
    const template = new Template(id, bytes, prefix, node, message)
    node.templates ??= new Map()
    const ofPrefix = node.templates.get(prefix) ?? new Map<string | null | undefined, Template>()
    node.templates.set(prefix, ofPrefix)
    ofPrefix.set(message, template)
    this.#count()
    return template
  }
}

/** What is printed before each value on the way to a node, and behind the last one. */
export function printed(
  node: ShapeNode,
  quote: (text: string) => string,
  messageKey: string
): { keys: string[]; tail: string } {
  const path: ShapeNode[] = []
  for (let at = node; at.parent !== null; at = at.parent) path.push(at)
  const keys: string[] = []
  let tail = ''
  for (const { edge, key, parent, parentObject } of path.reverse()) {
    if (edge === 'binding') {
      keys.push(key)
      continue
    }
    if (edge === 'close') {
      tail += '}'
      continue
    }
    if (edge === 'piece' || edge === 'end') {
      if (parent!.edge !== 'piece') tail += `${messageKey}"`
      tail += quote(key).slice(1, -1)
      if (edge === 'end') tail += '"'
      else {
        keys.push(tail)
        tail = ''
      }
      continue
    }
    const comma = parent!.edge === 'open' ? '' : ','
    tail += `${comma}${parentObject === null ? quote(key) : JSON.stringify(key)}:`
    if (edge === 'open') {
      tail += '{'
    } else {
      keys.push(tail)
      tail = ''
    }
  }
  return { keys, tail }
}
