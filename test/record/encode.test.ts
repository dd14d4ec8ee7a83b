import { describe, expect, it, vi } from 'vitest'
import { ENTRY_PREFIX_BYTES } from '../../lib/format/constants'
import { Addition, StringDefinition } from '../../lib/record/definition'
import type { LineFormat } from '../../lib/record/payload-writer'
import { RecordEncoder } from '../../lib/record/record-encoder'
import { type Conversion, LinePrefix, ShapeTree } from '../../lib/record/shape-tree'
import { KIND_BUNDLE, KIND_TEXT, TIME_MS, TIME_TEXT } from '../../lib/record/wire'
import { FakeLog, linesOf } from '../support/fake-log'
import fc from '../support/random'

type Fields = Record<string, unknown>

const tree = (conversionOf: (key: string) => Conversion | null = () => null): ShapeTree =>
  new ShapeTree({ conversionOf, quote: JSON.stringify, messageKey: 'msg' })

/** A style whose lines are made by JSON.stringify alone. */
function style(overrides: Partial<LineFormat> = {}): LineFormat {
  const bindings = ',"pid":71'
  return {
    prefix: new LinePrefix('{"level":30', TIME_MS),
    bindings: new StringDefinition(new Addition(bindings)),
    tree: tree(),
    printsAsJson: true,
    inline: null,
    replaced: null,
    quote: JSON.stringify,
    stringify: value => (typeof value === 'bigint' ? String(value) : JSON.stringify(value)),
    line: (time, timeText, fields, message) => {
      const texts = Object.entries(fields ?? {}).map(([key, value]) => {
        const json = typeof value === 'function' ? undefined : JSON.stringify(value)
        return json === undefined ? '' : `,${JSON.stringify(key)}:${json}`
      })
      const tail = message === undefined ? '' : `,"msg":${JSON.stringify(message)}`
      return `{"level":30${timeText === '' ? `,"time":${time}` : timeText}${bindings}${texts.join('')}${tail}}\n`
    },
    ...overrides
  }
}

/** The kind of each payload in a segment. */
function kindsIn(segment: Buffer): number[] {
  const kinds: number[] = []
  for (let at = 0; at < segment.length; at += ENTRY_PREFIX_BYTES + segment.readUInt32LE(at)) {
    kinds.push(segment[at + ENTRY_PREFIX_BYTES]!)
  }
  return kinds
}

const anyString = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 60 }),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 20 }).map(units => String.fromCharCode(...units)),
  fc.string({ minLength: 41, maxLength: 400 })
)
const anyValue = fc.oneof(
  anyString,
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constantFrom(null, undefined, Number.NaN, -0, 2 ** 31, -(2 ** 31), 2 ** 53),
  fc.constant(() => 1),
  fc.constant(Symbol('s')),
  fc.jsonValue(),
  fc.date({ noInvalidDate: true })
)
const anyFields = fc.option(fc.dictionary(anyString, anyValue, { maxKeys: 12, noNullPrototype: false }), { nil: null })
const anyRecord = fc.record({
  fields: anyFields,
  message: fc.oneof(
    anyString,
    fc.constantFrom('user login', 'done', undefined),
    anyValue.filter(v => typeof v !== 'function' && typeof v !== 'symbol')
  ),
  time: fc.integer({ min: 0, max: 8.64e15 }),
  seal: fc.boolean()
})

describe('the record encoder', () => {
  it('what it records is rendered as JSON.stringify prints it, in whatever segments it comes to lie', () => {
    fc.assert(
      fc.property(fc.array(anyRecord, { maxLength: 40 }), fc.integer({ min: 1024, max: 65_536 }), (records, size) => {
        const log = new FakeLog(size)
        const encoder = new RecordEncoder(log)
        const text = style()
        const expected: string[] = []
        for (const { fields, message, time, seal } of records) {
          if (seal) log.seal()
          if (encoder.record(text, time, '', fields, message)) expected.push(text.line(time, '', fields, message))
        }
        expect(linesOf(log)).toEqual(expected)
      }),
      { numRuns: 400 }
    )
  })

  it('the time may be a text of its own', () => {
    const log = new FakeLog(4096)
    const encoder = new RecordEncoder(log)
    const text = style({ prefix: new LinePrefix('{"level":30', TIME_TEXT) })
    const expected = ['a', 'a', 'b'].map(message => {
      encoder.record(text, 5, ',"t":"now"', { message }, message)
      return text.line(5, ',"t":"now"', { message }, message)
    })
    expect(linesOf(log)).toEqual(expected)
  })

  it('once its segment knows what it refers to, a record takes no call', () => {
    const log = new FakeLog(65_536)
    const encoder = new RecordEncoder(log)
    const text = style()
    for (let i = 0; i < 100; i++) encoder.record(text, i, '', { i, name: 'x' }, 'a message')
    expect(log.calls).toBe(0)
    expect(log.accepted).toBe(100)
    expect(linesOf(log)).toHaveLength(100)
  })

  it('a record made by a getter comes before the one it is part of, and neither is made twice', () => {
    const log = new FakeLog(65_536)
    const encoder = new RecordEncoder(log)
    const text = style()
    const fields = {
      get nested() {
        encoder.record(text, 1, '', { inner: 1 }, 'inner')
        encoder.text(2, 'inner text\n')
        return 'outer'
      }
    }
    for (let i = 0; i < 3; i++) encoder.record(text, i, '', fields, 'outer')
    expect(linesOf(log).map(line => /inner text|"msg":"\w+"/.exec(line)![0])).toEqual(
      [0, 1, 2].flatMap(() => ['"msg":"inner"', 'inner text', '"msg":"outer"'])
    )
  })

  it('reads, converts and stringifies each value once, also where its segment ends, is sealed or knows nothing of it', () => {
    const log = new FakeLog(600)
    const encoder = new RecordEncoder(log)
    const count = { got: 0, converted: 0, stringified: 0 }
    const convert = (value: unknown) => ({ was: value, converted: ++count.converted })
    const text = style({ tree: tree(key => (key === 'converted' ? convert : null)) })
    const fields = (i: number) => ({
      get got() {
        // The flusher may come in the middle of a record.
        if (i % 7 === 0) log.seal()
        return ++count.got
      },
      pad: 'x'.repeat(i % 100),
      converted: 1,
      stringified: { toJSON: () => ++count.stringified }
    })
    const records = 500
    for (let i = 0; i < records; i++) encoder.record(text, i, '', fields(i), `message ${i % 3}`)
    expect(count).toEqual({ got: records, converted: records, stringified: records })
    const made = linesOf(log).map(line => JSON.parse(line) as { got: number; stringified: number; converted: object })
    expect(made.map(line => [line.got, line.stringified])).toEqual(
      Array.from({ length: records }, (_, i) => [i + 1, i + 1])
    )
  })

  it('a segment that is sealed while a bundle is being written costs nothing', () => {
    const log = new FakeLog(4096)
    const encoder = new RecordEncoder(log)
    class Sealing extends StringDefinition {
      override definedIn = -1

      override get bytes(): Buffer {
        log.seal()
        return super.bytes
      }
    }
    const bindings = new Sealing(new Addition(',"pid":71'))
    const text = style({ bindings })
    const expected: string[] = []
    for (let i = 0; i < 20; i++) {
      // Of another style, so that there is a segment to write to.
      encoder.record(style(), i, '', { i }, 'other')
      encoder.record(text, i, '', { i, pad: 'x'.repeat(i) }, 'message')
      expected.push(text.line(i, '', { i }, 'other'), text.line(i, '', { i, pad: 'x'.repeat(i) }, 'message'))
    }
    expect(linesOf(log)).toEqual(expected)
  })

  it('bindings that one or two lines have are told to their segment, whatever they hold and whenever it ends', () => {
    const anyBindings = fc.oneof(anyString, fc.string({ unit: 'binary-ascii', maxLength: 300 }))
    const anyChild = fc.record({ value: anyBindings, lines: fc.nat(2), pad: fc.nat(120), seal: fc.boolean() })
    fc.assert(
      fc.property(fc.array(anyChild, { maxLength: 30 }), fc.integer({ min: 2_500, max: 6_000 }), (children, size) => {
        const log = new FakeLog(size)
        const encoder = new RecordEncoder(log)
        const shared = tree()
        const expected: string[] = []
        for (const { value, lines: count, pad, seal } of children) {
          const bindings = `,"child":${JSON.stringify(value)}`
          const own = style({ tree: shared, bindings: new StringDefinition(new Addition(bindings)) })
          for (let i = 0; i < count; i++) {
            const fields = {
              get sealing() {
                if (seal) log.seal()
                return i
              },
              pad: 'x'.repeat(pad)
            }
            encoder.record(own, i, '', fields, 'message')
            expected.push(`{"level":30,"time":${i}${bindings},"sealing":${i},"pad":"${fields.pad}","msg":"message"}\n`)
          }
        }
        expect(linesOf(log)).toEqual(expected)
      })
    )
  })

  it('of values that find no room each is stringified once, and is in its own place', () => {
    const log = new FakeLog(1 << 20)
    const encoder = new RecordEncoder({ direct: null, logBytes: log.logBytes })
    const text = style()
    let stringified = 0
    const big = (size: number) => ({ toJSON: () => `${++stringified}${'x'.repeat(size)}` })
    const sizes = [40_000, 5, 300_000, 0, 17]
    const fields = Object.fromEntries(sizes.map((size, i) => [`k${i}`, big(size)]))
    // Up to the last bytes of the encoder's own memory, where there is room for no value.
    const filling = Object.fromEntries(Array.from({ length: 390 }, (_, i) => [`f${i}`, 'x'.repeat(i < 389 ? 40 : 20)]))
    encoder.record(text, 1, '', { ...filling, ...fields }, 'm')
    expect(stringified).toBe(sizes.length)
    const [made] = linesOf(log)
    stringified = 0
    expect(made).toBe(text.line(1, '', { ...filling, ...fields }, 'm'))
  })

  it('records made within records, by several encoders of one lease, are whole and where pino has them', () => {
    const log = new FakeLog(2_000)
    const encoders = [new RecordEncoder(log), new RecordEncoder(log)]
    const text = style()
    const expected: string[] = []
    const say = (depth: number, i: number): void => {
      const fields = {
        before: 'x'.repeat(i % 50),
        get inner() {
          if (depth > 0) for (let each = 0; each < 2; each++) say(depth - 1, i + each)
          return depth
        },
        after: i
      }
      encoders[(depth + i) % 2]!.record(text, i, '', fields, `m${depth}`)
      expected.push(text.line(i, '', { before: fields.before, inner: depth, after: i }, `m${depth}`))
    }
    for (let i = 0; i < 60; i++) say(3, i)
    expect(linesOf(log)).toEqual(expected)
  })

  it('a log that is closed in the middle of a record refuses it', () => {
    const log = new FakeLog(4096)
    const encoder = new RecordEncoder(log)
    encoder.record(style(), 1, '', { a: 1 }, 'x')
    const fields = {
      get closes() {
        encoder.close()
        log.accepts = false
        return 1
      }
    }
    expect(encoder.record(style(), 2, '', fields, 'x')).toBe(false)
    expect(linesOf(log)).toEqual([style().line(1, '', { a: 1 }, 'x')])
  })

  it('an enormous record is made, whatever its segment has room for', () => {
    const log = new FakeLog(64 << 20)
    const encoder = new RecordEncoder(log)
    const [huge, object] = ['x'.repeat(5 << 20), { deep: ['é'.repeat(3 << 20)] }]
    for (const fields of [{ huge }, { object }]) expect(encoder.record(style(), 1, '', fields, 'x')).toBe(true)
    expect(encoder.text(1, `${huge}\n`)).toBe(true)
    expect(linesOf(log).map(line => line.length)).toEqual([
      style().line(1, '', { huge }, 'x').length,
      style().line(1, '', { object }, 'x').length,
      huge.length + 1
    ])
  })

  it('what a getter throws goes to the caller, and the next record is made', () => {
    const log = new FakeLog(4096)
    const encoder = new RecordEncoder(log)
    const text = style()
    const fields = {
      get broken(): never {
        throw new Error('broken')
      }
    }
    expect(() => encoder.record(text, 1, '', fields, 'x')).toThrow('broken')
    expect(encoder.record(text, 2, '', { fine: true }, 'y')).toBe(true)
    expect(linesOf(log)).toEqual([text.line(2, '', { fine: true }, 'y')])
  })

  it('inherited properties are not recorded', () => {
    const log = new FakeLog(4096)
    const encoder = new RecordEncoder(log)
    const fields: Fields = Object.assign(Object.create({ inherited: 1 }), { own: 2 })
    encoder.record(style(), 1, '', fields, 'x')
    expect(linesOf(log)).toEqual([style().line(1, '', { own: 2 }, 'x')])
  })

  it('conversions see the values of their keys', () => {
    const log = new FakeLog(4096)
    const encoder = new RecordEncoder(log)
    const text = style({ tree: tree(key => (key === 'secret' ? () => '[Redacted]' : null)) })
    for (let i = 0; i < 3; i++) encoder.record(text, 1, '', { a: 1, secret: { deep: i } }, 'x')
    expect(new Set(linesOf(log))).toEqual(new Set([text.line(1, '', { a: 1, secret: '[Redacted]' }, 'x')]))
  })

  it('a record that is refused is told so', () => {
    const log = new FakeLog(4096)
    const encoder = new RecordEncoder(log)
    log.accepts = false
    expect(encoder.record(style(), 1, '', { a: 1 }, 'x')).toBe(false)
    expect(encoder.text(1, 'x\n')).toBe(false)
  })

  it('without a direct route every record is a bundle of its own', () => {
    const log = new FakeLog(65_536)
    const encoder = new RecordEncoder({ direct: null, logBytes: log.logBytes })
    const text = style()
    for (let i = 0; i < 10; i++) encoder.record(text, i, '', { i }, 'm')
    expect(log.calls).toBe(10)
    expect(linesOf(log)).toEqual(Array.from({ length: 10 }, (_, i) => text.line(i, '', { i }, 'm')))
  })

  it('keys and messages without end leave memory bounded, and nothing unsaid', () => {
    const log = new FakeLog(65_536)
    const encoder = new RecordEncoder(log)
    const text = style()
    const root = text.tree.root
    for (let i = 0; i < 25_000; i++) encoder.record(text, i, '', { [`key${i}`]: i }, `message ${i}`)
    // They come so fast that they are taken for data.
    expect(text.tree.isStrained).toBe(true)
    expect(text.tree.root === root ? root.children!.size : 0).toBeLessThan(10_000)
    expect(linesOf(log)).toHaveLength(25_000)
  })

  it('keys that are data become texts, also where the message is that of a template', () => {
    const log = new FakeLog(65_536)
    const encoder = new RecordEncoder(log)
    const plain = style()
    const expected: string[] = []
    for (let i = 0; i < 20_000; i++) {
      const fields = { same: 1, [`key ${i}`]: i }
      encoder.record(plain, i, '', fields, 'message')
      expected.push(plain.line(i, '', fields, 'message'))
    }
    expect(linesOf(log)).toEqual(expected)
    expect(log.segments.flatMap(kindsIn).filter(kind => kind === KIND_TEXT).length).toBeGreaterThan(15_000)
  })

  it('what is logged in the place of an object is so in a text, too', () => {
    const log = new FakeLog(65_536)
    const encoder = new RecordEncoder(log)
    const replaced = (fields: object): object => ('secret' in fields ? { hidden: true } : fields)
    const replacing = style({ replaced })
    for (let i = 0; i < 10_000; i++) encoder.record(replacing, i, '', { [`key ${i}`]: i }, 'message')
    const before = linesOf(log).length
    for (let i = 0; i < 100; i++) encoder.record(replacing, i, '', { secret: i, [`other ${i}`]: i }, 'message')
    const expected = Array.from({ length: 100 }, (_, i) => replacing.line(i, '', { hidden: true }, 'message'))
    expect(linesOf(log).slice(before)).toEqual(expected)
  })

  it('a child’s first record is a bundle in its place, whatever its fields begin with', () => {
    const log = new FakeLog(65_536)
    const encoder = new RecordEncoder(log)
    const parent = style()
    for (const fields of [{ a: { b: 1 } }, { a: {} }, { b: 1, a: {} }]) {
      const message = JSON.stringify(fields)
      encoder.record(parent, 1, '', fields, message)
      expect(parent.prefix.find(message)?.message).toBe(message)
    }
  })

  it('a record of a new shape lies behind its template, where it was written, and nothing is told twice', () => {
    const log = new FakeLog(65_536)
    const encoder = new RecordEncoder(log)
    const parent = style()
    const { tree: shared, prefix } = parent
    const child = style({ bindings: new StringDefinition(new Addition(',"pid":71,"req":1')), tree: shared, prefix })
    const shapes = [{ short: 1 }, { long: 'x'.repeat(1000) }, { nested: { inner: [1] } }, { short: 2, more: true }]
    for (const format of [parent, child]) {
      for (const fields of shapes) encoder.record(format, 1, '', fields, 'message')
    }
    expect(log.calls).toBe(0)
    log.seal()
    const [entries] = log.segments
    // The parent's templates, and then a bundle for the child's bindings alone.
    const isBundle = kindsIn(entries!).map(kind => kind === KIND_BUNDLE)
    expect(isBundle).toEqual([true, true, true, true, true, false, false, false])
    expect(linesOf(log)).toHaveLength(2 * shapes.length)
  })

  it('texts that lines begin with leave memory bounded', () => {
    const log = new FakeLog(65_536)
    const encoder = new RecordEncoder(log)
    const plain = style()
    const first = plain.tree.prefix('first', TIME_MS)
    const expected: string[] = []
    for (let i = 0; i < 5_000; i++) {
      const made = { ...plain, prefix: plain.tree.prefix(`{"level":${i}`, TIME_MS) }
      encoder.record(made, 1, '', { a: i }, 'message')
      encoder.record({ ...plain, prefix: first }, 1, '', { a: i }, `message ${i}`)
      expected.push(`{"level":${i},"time":1,"pid":71,"a":${i},"msg":"message"}\n`)
      expected.push(`first,"time":1,"pid":71,"a":${i},"msg":"message ${i}"}\n`)
    }
    expect(linesOf(log)).toEqual(expected)
    expect(plain.tree.prefix('first', TIME_MS)).not.toBe(first)
  })

  it('so do those that come now and then', () => {
    let now = 1_750_000_000_000
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => now)
    const log = new FakeLog(65_536)
    const encoder = new RecordEncoder(log)
    const text = style()
    const root = text.tree.root
    for (let i = 0; i < 12_000; i++) {
      encoder.record(text, i, '', { [`key${i}`]: i }, 'message')
      now += 100
    }
    clock.mockRestore()
    expect(text.tree.isStrained).toBe(false)
    expect(text.tree.root).not.toBe(root)
    expect(linesOf(log)).toHaveLength(12_000)
  })

  it('keys that the format cannot hold make a text', () => {
    const log = new FakeLog(4 << 20)
    const encoder = new RecordEncoder(log)
    const text = style()
    const wide = Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`k${i}`, 1]))
    const long = { ['x'.repeat(70_000)]: 1 }
    for (const fields of [wide, long]) encoder.record(text, 1, '', fields, 'm')
    expect(linesOf(log)).toEqual([wide, long].map(fields => text.line(1, '', fields, 'm')))
  })
})
