import { type Definition, defineTemplate } from './definition'
import { MessageFilter } from './message-filter'
import { MESSAGE_FIXED, MESSAGE_INLINE, MESSAGE_NONE } from './wire'

/** Makes something else of a key's value before it is recorded: a serializer, a redaction. */
export type Conversion = (value: unknown) => unknown

/** What lines of one level have in common, whatever is logged. */
export interface LineKind {
  /** What a line begins with: `{"level":30`. */
  readonly head: string
  /** One of TIME_*. */
  readonly timeForm: number
}

/** A definition of what lines have in common that were logged with the same keys and message. */
export interface Template extends Definition {
  readonly kind: LineKind
  /** undefined: lines without one; null: the message is in the record. */
  readonly message: string | null | undefined
}

/** What a node adds to its parent: a key with a value; a key with an object, whose keys follow; that object's end. */
type Edge = 'value' | 'open' | 'shut'

/**
 * What is printed of an object's fields from the first on, in their order, but for the values; each node is where some objects end.
 * Objects in objects are printed with the template, so that of them too only the values are recorded.
 */
export interface LineNode {
  readonly edge: Edge
  /** null at the root and where an object ends. */
  readonly key: string | null
  readonly parent: LineNode | null
  /** Number of values. */
  readonly count: number
  readonly convert: Conversion | null
  /** The node that opened the object whose key comes next; null in the record itself. */
  readonly within: LineNode | null
  /** Objects that are open. */
  readonly depth: number
  /** The node last gone to, which is the one that is gone to next nearly always. */
  next: LineNode
  nextOpen: LineNode
  shut: LineNode | null
  children: Map<string, LineNode> | null
  opens: Map<string, LineNode> | null
  /** Of a node that opens an object: the nodes within. */
  spread: number
  /** The template last used. */
  recent: Template | null
  templates: Map<LineKind, Map<string | null | undefined, Template>> | null
}

/** Nodes and templates of one tree. A service that logs ever new keys starts a new tree now and then, and memory stays bounded. */
const MOST_PARTS = 10_000
const MOST_KEYS = 10_000
/** A tree that gets so many parts sooner than that, in ms, has them of keys that are data: every record has new ones. */
const MANY_PARTS = 2_000
const QUICK_MS = 12_000
/** How often such a tree takes in new keys all the same, in ms: the program may be about to log other things. */
const GROWTH_MS = 10
/**
 * Nodes within one object in an object. With more its keys are taken to be data, as those of a map, and the object is JSON at the
 * call from then on.
 */
const MOST_SPREAD = 200
/** Objects in objects are part of the template up to here. */
const MOST_DEPTH = 12

export interface LineTreeOptions {
  conversionOf: (key: string) => Conversion | null
  /** A string as JSON. */
  quote: (text: string) => string
  /** The message's key. */
  messageKey: string
}

/** Keys and messages of the lines that are logged with the same serializers and redactions. */
export class LineTree {
  root: LineNode
  readonly #options: LineTreeOptions
  readonly #printedMessageKey: string
  readonly #filter = new MessageFilter()
  readonly #nowhere: LineNode
  #parts = 0
  #begun = Date.now()
  #grown = 0
  /** Whether keys are data: records with new ones had better be text, which costs less than a template that is used once. */
  isStrained = false

  constructor(options: LineTreeOptions) {
    this.#options = options
    this.#printedMessageKey = `,${options.quote(options.messageKey)}:`
    this.#nowhere = this.#node('value', null, null, null, null)
    this.root = this.#node('value', null, null, null, null)
  }

  #node(
    edge: Edge,
    key: string | null,
    parent: LineNode | null,
    within: LineNode | null,
    convert: Conversion | null
  ): LineNode {
    const node = {
      edge,
      key,
      parent,
      count: parent === null ? 0 : parent.count + (edge === 'value' ? 1 : 0),
      convert,
      within,
      depth: (within === null ? 0 : within.depth) + (edge === 'open' ? 1 : 0),
      shut: null,
      children: null,
      opens: null,
      spread: 0,
      recent: null,
      templates: null
    } as unknown as LineNode
    // Its key is no string: the comparison with it fails.
    node.next = this.#nowhere ?? node
    node.nextOpen = this.#nowhere ?? node
    for (let object = within; object !== null; object = object.within) object.spread++
    return node
  }

  /** Where the keys of the object that a node opened belong. */
  #inside(node: LineNode): LineNode | null {
    return node.edge === 'open' ? node : node.within
  }

  /** The node behind `node` for `key` and a value; null if there cannot be one: too many keys. */
  step(node: LineNode, key: string): LineNode | null {
    node.children ??= new Map()
    let child = node.children.get(key)
    if (child === undefined) {
      if (node.count === MOST_KEYS) return null
      const within = this.#inside(node)
      child = this.#node('value', key, node, within, within === null ? this.#options.conversionOf(key) : null)
      node.children.set(key, child)
      this.#count()
    }
    node.next = child
    return child
  }

  /** The node behind `node` for `key` and an object whose fields follow, then `shut`; null if the object had better be JSON. */
  open(node: LineNode, key: string): LineNode | null {
    let child = node.nextOpen.key === key ? node.nextOpen : node.opens?.get(key)
    if (child === undefined) {
      child = this.#node('open', key, node, this.#inside(node), null)
      node.opens ??= new Map()
      node.opens.set(key, child)
      this.#count()
    }
    node.nextOpen = child
    return child.depth > MOST_DEPTH || child.spread > MOST_SPREAD ? null : child
  }

  /** The node behind `node` for the end of the object that was opened last. */
  shut(node: LineNode): LineNode {
    if (node.shut !== null) return node.shut
    const opened = this.#inside(node)!
    node.shut = this.#node('shut', null, node, opened.within, null)
    this.#count()
    return node.shut
  }

  /** For a strained tree: whether it has nodes for the fields' keys, or takes them in. An object among the values is not looked into. */
  takes(fields: object): boolean {
    let node = this.root
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
    if (this.#parts > MOST_PARTS) this.#startOver()
  }

  #startOver(): void {
    this.#parts = 0
    this.root = this.#node('value', null, null, null, null)
    this.#filter.clear()
  }

  /**
   * The template of lines with the keys of `node`.
   *
   * @param message a string that may be the template's, undefined for none, or anything else, which goes into the record
   * @returns null if one of its texts is too long for a template
   */
  template(node: LineNode, kind: LineKind, message: unknown): Template | null {
    const { recent } = node
    // A message of the template's own comes as the same string nearly always.
    if (recent !== null && recent.kind === kind && recent.message === message) return recent
    return this.#find(node, kind, this.#held(message))
  }

  /** What of the message a template is to hold. */
  #held(message: unknown): string | null | undefined {
    if (message === undefined) return undefined
    if (this.#filter.isFull) this.#startOver()
    return typeof message === 'string' && this.#filter.recurs(message) ? message : null
  }

  #find(node: LineNode, kind: LineKind, message: string | null | undefined): Template | null {
    const { recent } = node
    if (recent !== null && recent.kind === kind && recent.message === message) return recent
    const found = node.templates?.get(kind)?.get(message) ?? this.#make(node, kind, message)
    if (found !== null) node.recent = found
    return found
  }

  #make(node: LineNode, kind: LineKind, message: string | null | undefined): Template | null {
    const { quote } = this.#options
    const { keys, tail } = printed(node, quote)
    const definition = defineTemplate({
      timeForm: kind.timeForm,
      messageForm:
        message === null ? MESSAGE_INLINE : message === undefined && tail === '' ? MESSAGE_NONE : MESSAGE_FIXED,
      head: kind.head,
      message: tail + (message === undefined ? '' : this.#printedMessageKey + (message === null ? '' : quote(message))),
      keys
    })
    if (definition === null) return null
    const template = { ...definition, kind, message }
    this.#keep(node, template)
    return template
  }

  #keep(node: LineNode, template: Template): void {
    node.templates ??= new Map()
    const ofKind = node.templates.get(template.kind) ?? new Map<string | null | undefined, Template>()
    node.templates.set(template.kind, ofKind)
    ofKind.set(template.message, template)
    this.#count()
  }
}

/** What is printed before each value on the way to a node, and behind the last one. */
function printed(node: LineNode, quote: (text: string) => string): { keys: string[]; tail: string } {
  const path: LineNode[] = []
  for (let at = node; at.parent !== null; at = at.parent) path.push(at)
  const keys: string[] = []
  let tail = ''
  for (const { edge, key, parent, within } of path.reverse()) {
    if (edge === 'shut') {
      tail += '}'
      continue
    }
    const comma = parent!.edge === 'open' ? '' : ','
    tail += `${comma}${within === null ? quote(key as string) : JSON.stringify(key)}:`
    if (edge === 'open') {
      tail += '{'
    } else {
      keys.push(tail)
      tail = ''
    }
  }
  return { keys, tail }
}
