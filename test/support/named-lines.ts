/** Lines of loggers that differ by their names, for encoders of records. */

import { Addition, StringDefinition } from '../../lib/record/definition'
import type { LineFormat } from '../../lib/record/payload-writer'
import { LinePrefix, ShapeTree } from '../../lib/record/shape-tree'
import { TIME_MS } from '../../lib/record/wire'

export const newTree = (): ShapeTree =>
  new ShapeTree({ conversionOf: () => null, quote: JSON.stringify, messageKey: 'msg' })

/** A style of lines with bindings of their own. */
export function namedLines(tree: ShapeTree, name: string): LineFormat {
  const bindings = `,"name":"${name}"`
  return {
    prefix: new LinePrefix('{"level":30', TIME_MS),
    bindings: new StringDefinition(new Addition(bindings)),
    tree,
    printsAsJson: true,
    inline: null,
    replaced: null,
    quote: JSON.stringify,
    stringify: JSON.stringify,
    line: (time, _text, fields, message) => {
      const inner = JSON.stringify(fields ?? {}).slice(1, -1)
      return `{"level":30,"time":${time}${bindings}${inner && `,${inner}`},"msg":${JSON.stringify(message)}}\n`
    }
  }
}
