import { type Definition, defineShape } from './definition'
import { MAX_VALUES } from './wire'

/** Makes something else of a key's value before it is recorded: a serializer, a redaction. */
export type Conversion = (value: unknown) => unknown

/** The keys of an object from the first to `key`, in its order; each node a prefix of some shapes. */
export interface ShapeNode {
  /** null where there are no keys. */
  readonly key: string | null
  readonly parent: ShapeNode | null
  /** Number of keys. */
  readonly count: number
  readonly convert: Conversion | null
  /** The node last gone to, which is the one that is gone to next nearly always. */
  next: ShapeNode
  children: Map<string, ShapeNode> | null
  shape: Definition | null
}

/** Nodes of one tree. A service that logs ever new keys starts a new tree now and then, and memory stays bounded. */
const MOST_NODES = 10_000
const LONGEST_KEY = 10_000

/** Shapes of the objects that are logged with the same serializers and redactions. */
export class ShapeTree {
  root: ShapeNode
  readonly #conversionOf: (key: string) => Conversion | null
  readonly #nowhere: ShapeNode
  #nodes = 0

  constructor(conversionOf: (key: string) => Conversion | null) {
    this.#conversionOf = conversionOf
    this.#nowhere = this.#node(null, null, 0, null)
    this.root = this.#node(null, null, 0, null)
  }

  #node(key: string | null, parent: ShapeNode | null, count: number, convert: Conversion | null): ShapeNode {
    const node = { key, parent, count, convert, children: null, shape: null } as unknown as ShapeNode
    // Its key is no string: the comparison with it fails.
    node.next = this.#nowhere ?? node
    return node
  }

  /** The node behind `node` for `key`; null if there cannot be one: too many keys, or too long a key. */
  step(node: ShapeNode, key: string): ShapeNode | null {
    node.children ??= new Map()
    let child = node.children.get(key)
    if (child === undefined) {
      if (node.count === MAX_VALUES || key.length > LONGEST_KEY) return null
      child = this.#node(key, node, node.count + 1, this.#conversionOf(key))
      node.children.set(key, child)
      if (++this.#nodes > MOST_NODES) this.#startOver()
    }
    node.next = child
    return child
  }

  #startOver(): void {
    this.#nodes = 0
    this.root = this.#node(null, null, 0, null)
  }
}

/** The shape's definition, made when it is asked for first. `quote`: a string as JSON. */
export function shapeOf(node: ShapeNode, quote: (text: string) => string): Definition {
  if (node.shape !== null) return node.shape
  const keys: string[] = []
  for (let at: ShapeNode = node; at.parent !== null; at = at.parent) keys.push(`,${quote(at.key as string)}:`)
  node.shape = defineShape(keys.reverse())
  return node.shape
}
