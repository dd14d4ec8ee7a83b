/** The option `browser.asObject`: a call as one object, as a line of JSON would have it. */

import format from 'quick-format-unescaped'

export interface ObjectShape {
  messageKey: string
  /** Only bindings and fields become the object; the message and what follows stay arguments. */
  bindingsOnly: boolean
  level: ((label: string, number: number) => object) | undefined
  log: ((object: Record<string, unknown>) => Record<string, unknown>) | undefined
  redact: ((fields: object) => object) | null
}

/** The message with its placeholders filled in. */
function messageOf(args: readonly unknown[]): unknown {
  const [message, ...values] = args
  return typeof message === 'string' ? format(message, values, { stringify: value => JSON.stringify(value) }) : message
}

function finished(shape: ObjectShape, fields: Record<string, unknown>): object {
  const formatted = shape.log ? shape.log(fields) : fields
  return shape.redact ? shape.redact(formatted) : formatted
}

/** The object, and the arguments that are left beside it. */
export function asObject(
  shape: ObjectShape,
  label: string,
  value: number,
  bindings: readonly object[],
  args: readonly unknown[],
  time: unknown
): [object, ...unknown[]] {
  const fields: Record<string, unknown> = {}
  if (time) fields.time = time
  Object.assign(fields, shape.level ? shape.level(label, value) : { level: value }, ...bindings)
  const first = args[0]
  const isObject = typeof first === 'object' && first !== null
  if (isObject) Object.assign(fields, first)
  const rest = isObject ? args.slice(1) : args
  if (shape.bindingsOnly) return [finished(shape, fields), ...rest]
  const message = messageOf(rest)
  if (message !== undefined) fields[shape.messageKey] = message
  return [finished(shape, fields)]
}
