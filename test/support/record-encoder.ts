/**
 * Writes records by docs/record-format.md alone, with no code or constant of the package: slow, and free to write what no sound
 * encoder would.
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

export function defineShape(id: number, keys: readonly string[]): Buffer {
  const body = keys.flatMap(key => [u16(Buffer.byteLength(key)), Buffer.from(key)])
  return Buffer.concat([u32(id), u8(2), sized(Buffer.concat(body))])
}

export const bundle = (definitions: readonly Buffer[], record: Buffer): Buffer =>
  Buffer.concat([u8(3), u8(definitions.length), ...definitions, record])

export interface RecordFields {
  timeForm?: number
  /** Default: the number of values. */
  count?: number
  time?: number
  head?: number
  bindings?: number
  shape?: number
  message?: number
  values?: readonly Buffer[]
  /** What follows the values. */
  rest?: readonly Buffer[]
}

/** Section 3. */
export function record(fields: RecordFields): Buffer {
  const { timeForm = 0, time = 0, head = 1, bindings = 0, shape = 0, message = 0, values = [], rest = [] } = fields
  const count = fields.count ?? values.length
  const header = [u8(2), u8(timeForm), u16(count), f64(time), u32(head), u32(bindings), u32(shape), u32(message)]
  return Buffer.concat([...header, ...values, ...rest])
}

/** A key as it is printed. */
export const printedKey = (key: string): string => `,${JSON.stringify(key)}:`

/** Writes one segment as a logging thread does: what a record refers to is defined in front of the first one that does. */
export class SegmentWriter {
  readonly payloads: Buffer[] = []
  private readonly ids = new Map<string, number>()

  /** One line: level 30, the time in ms, then the fields, then the message if there is one. */
  log(time: number, fields: Record<string, unknown>, message?: string, bindings: Record<string, unknown> = {}): Buffer {
    const definitions: Buffer[] = []
    const idOf = (name: string, define: (id: number) => Buffer): number => {
      const known = this.ids.get(name)
      if (known) return known
      const id = this.ids.size + 1
      this.ids.set(name, id)
      definitions.push(define(id))
      return id
    }
    const stringId = (body: string) => (body === '' ? 0 : idOf(`string ${body}`, id => defineString(id, body)))
    const keys = Object.keys(fields).map(printedKey)
    const payload = record({
      timeForm: 1,
      time,
      head: stringId('{"level":30'),
      bindings: stringId(
        JSON.stringify(bindings)
          .slice(1, -1)
          .replace(/^(?=.)/, ',')
      ),
      shape: keys.length === 0 ? 0 : idOf(`shape ${keys}`, id => defineShape(id, keys)),
      message: message === undefined ? 0 : stringId(printedKey('msg') + JSON.stringify(message)),
      values: Object.values(fields).map(value)
    })
    const whole = definitions.length === 0 ? payload : bundle(definitions, payload)
    this.payloads.push(whole)
    return whole
  }
}
