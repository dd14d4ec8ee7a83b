/**
 * Writes records by docs/reference/record-format.md alone, with no code or constant of the package:
 * slow, and free to write what no sound encoder would.
 */

export const u8 = (value: number): Buffer => Buffer.from([value])

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}

export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

export function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32LE(value)
  return bytes
}

export function f64(value: number): Buffer {
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value)
  return bytes
}

const sized = (body: Buffer): Buffer => Buffer.concat([u32(body.length), body])

/** Section 2. */
export const text = (time: number, line: string | Buffer): Buffer =>
  Buffer.concat([u8(1), f64(time), Buffer.from(line)])

/** Section 3.2. */
export const absent = u8(0)
export const int = (value: number): Buffer => Buffer.concat([u8(4), i32(value)])
export const number = (value: number): Buffer => Buffer.concat([u8(5), f64(value)])
export function short(value: string | Buffer): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([u8(6), u8(bytes.length), bytes])
}
export const string = (value: string | Buffer): Buffer => Buffer.concat([u8(7), sized(Buffer.from(value))])
export const json = (value: string | Buffer): Buffer => Buffer.concat([u8(8), sized(Buffer.from(value))])

/** Lone surrogates have no UTF-8. */
const isWellFormed = (value: string): boolean => Buffer.from(value).toString() === value

/** Anything that JSON.stringify takes, in the smallest form there is for it. */
export function value(of: unknown): Buffer {
  if (of === null) return u8(1)
  if (of === false) return u8(2)
  if (of === true) return u8(3)
  if (typeof of === 'number') return Object.is(of | 0, of) ? int(of) : number(of)
  if (typeof of === 'string' && isWellFormed(of)) return Buffer.byteLength(of) <= 255 ? short(of) : string(of)
  const printed = JSON.stringify(of)
  return printed === undefined ? absent : json(printed)
}

/** Section 4. */
export const defineString = (id: number, body: string | Buffer): Buffer =>
  Buffer.concat([u32(id), u8(1), sized(Buffer.from(body))])

function prefixed(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([u16(bytes.length), bytes])
}

export interface TemplateFields {
  timeForm?: number
  /** Default: 1 if there is a message. */
  messageForm?: number
  /** Default: `{"level":30`. */
  head?: string
  message?: string
  keys?: readonly string[]
}

/** What a template's definition holds. */
export function templateBody(fields: TemplateFields): Buffer {
  const { timeForm = 0, head = '{"level":30', message = '', keys = [] } = fields
  const messageForm = fields.messageForm ?? (message === '' ? 0 : 1)
  return Buffer.concat([u8(timeForm), u8(messageForm), ...[head, message, ...keys].map(prefixed)])
}

export const defineTemplate = (id: number, fields: TemplateFields): Buffer =>
  Buffer.concat([u32(id), u8(2), sized(templateBody(fields))])

export const bundle = (definitions: readonly Buffer[], record: Buffer): Buffer =>
  Buffer.concat([u8(3), u8(definitions.length), ...definitions, record])

export interface RecordFields {
  template?: number
  bindings?: number
  time?: number
  values?: readonly Buffer[]
  /** What follows the values. */
  rest?: readonly Buffer[]
}

/** Section 3. */
export function record(fields: RecordFields): Buffer {
  const { template = 1, bindings = 0, time = 0, values = [], rest = [] } = fields
  return Buffer.concat([u8(2), u32(template), u32(bindings), f64(time), ...values, ...rest])
}

/** A key as it is printed. */
export const printedKey = (key: string): string => `,${JSON.stringify(key)}:`

/** One call of a logger. */
export interface LoggedCall {
  time: number
  fields: Record<string, unknown>
  message?: string | undefined
  /** Default: none. */
  bindings?: Record<string, unknown>
  /** Whether the message is in the record rather than in its template. Default: false. */
  inline?: boolean
}

function templateOf({ fields, message, inline }: LoggedCall): TemplateFields {
  const common = { timeForm: 1, keys: Object.keys(fields).map(printedKey) }
  if (message === undefined) return common
  const key = printedKey('msg')
  return inline ? { ...common, messageForm: 2, message: key } : { ...common, message: key + JSON.stringify(message) }
}

/**
 * Writes one segment as a logging thread does: what a record refers to is defined in front of the
 * first one that does.
 */
export class SegmentWriter {
  readonly payloads: Buffer[] = []
  private readonly ids = new Map<string, number>()

  /** One line: level 30, the time in ms, then the fields, then the message if there is one. */
  log(time: number, fields: Record<string, unknown>, message?: string): Buffer {
    return this.write({ time, fields, message })
  }

  /** As `log`. */
  write(call: LoggedCall): Buffer {
    const { time, fields, message, bindings = {}, inline = false } = call
    const definitions: Buffer[] = []
    const idOf = (name: string, define: (id: number) => Buffer): number => {
      const known = this.ids.get(name)
      if (known) return known
      const id = this.ids.size + 1
      this.ids.set(name, id)
      definitions.push(define(id))
      return id
    }
    const template = templateOf(call)
    const bound = JSON.stringify(bindings).slice(1, -1)
    const payload = record({
      template: idOf(`template ${templateBody(template).toString('hex')}`, id => defineTemplate(id, template)),
      bindings: bound === '' ? 0 : idOf(`string ${bound}`, id => defineString(id, `,${bound}`)),
      time,
      values: Object.values(fields).map(value),
      rest: inline && message !== undefined ? [value(message)] : []
    })
    const whole = definitions.length === 0 ? payload : bundle(definitions, payload)
    this.payloads.push(whole)
    return whole
  }
}
