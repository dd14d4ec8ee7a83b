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

/** The keys of an object from the first to `key`, in its order; each node is where some objects end. */
export interface LineNode {
  /** null where there are no keys. */
  readonly key: string | null
  readonly parent: LineNode | null
  /** Number of keys. */
  readonly count: number
  readonly convert: Conversion | null
  /** The node last gone to, which is the one that is gone to next nearly always. */
  next: LineNode
  children: Map<string, LineNode> | null
  /** The template last used. */
  recent: Template | null
  templates: Map<LineKind, Map<string | null | undefined, Template>> | null
}

/** Nodes and templates of one tree. A service that logs ever new keys starts a new tree now and then, and memory stays bounded. */
const MOST_PARTS = 10_000
const MOST_KEYS = 10_000

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

  constructor(options: LineTreeOptions) {
    this.#options = options
    this.#printedMessageKey = `,${options.quote(options.messageKey)}:`
    this.#nowhere = this.#node(null, null, 0, null)
    this.root = this.#node(null, null, 0, null)
  }

  #node(key: string | null, parent: LineNode | null, count: number, convert: Conversion | null): LineNode {
    const node = { key, parent, count, convert, children: null, recent: null, templates: null } as unknown as LineNode
    // Its key is no string: the comparison with it fails.
    node.next = this.#nowhere ?? node
    return node
  }

  /** The node behind `node` for `key`; null if there cannot be one: too many keys. */
  step(node: LineNode, key: string): LineNode | null {
    node.children ??= new Map()
    let child = node.children.get(key)
    if (child === undefined) {
      if (node.count === MOST_KEYS) return null
      child = this.#node(key, node, node.count + 1, this.#options.conversionOf(key))
      node.children.set(key, child)
      this.#count()
    }
    node.next = child
    return child
  }

  #count(): void {
    if (++this.#parts > MOST_PARTS) this.#startOver()
  }

  #startOver(): void {
    this.#parts = 0
    this.root = this.#node(null, null, 0, null)
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
    const keys: string[] = []
    for (let at = node; at.parent !== null; at = at.parent) keys.push(`,${quote(at.key as string)}:`)
    const definition = defineTemplate({
      timeForm: kind.timeForm,
      messageForm: message === undefined ? MESSAGE_NONE : message === null ? MESSAGE_INLINE : MESSAGE_FIXED,
      head: kind.head,
      message: message === undefined ? '' : this.#printedMessageKey + (message === null ? '' : quote(message)),
      keys: keys.reverse()
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
