import { describe, expect, it } from 'vitest'
import { renderEntries, renderSegment } from '../../lib/record/render'
import { pack } from '../support/make-log'
import fc from '../support/random'
import {
  absent,
  bundle,
  defineString,
  defineTemplate,
  f64,
  int,
  json,
  type RecordFields,
  record,
  SegmentWriter,
  short,
  string,
  type TemplateFields,
  templateBody,
  text,
  u8,
  u16,
  u32
} from '../support/record-encoder'

const TEMPLATE = 1
const KEYED = 2
const STRING = 3
const definitions = [
  defineTemplate(TEMPLATE, { head: '{"h":1' }),
  defineTemplate(KEYED, { keys: [',"a":'] }),
  defineString(STRING, ',"s":1')
]
const plain = record({ template: TEMPLATE })
const sound = bundle(definitions, plain)
const PLAIN_LINE = '{"h":1}\n'

/** Renders a payload between two sound ones. */
function around(payload: Buffer): { lines: string[]; damaged: number } {
  const { lines, damaged } = renderSegment(pack([sound, payload, plain]))
  return { lines: lines.map(line => line.bytes.toString()), damaged }
}

const onlyOthers = { lines: [PLAIN_LINE, PLAIN_LINE], damaged: 1 }
const cutShort = (payload: Buffer) => payload.subarray(0, -1)
const valued = (...values: Buffer[]) => record({ template: KEYED, values })
const PRINTED_KEY = ',"msg":'

/** A record of a template of its own. */
const templated = (template: TemplateFields, fields: RecordFields = {}) =>
  bundle([defineTemplate(9, template)], record({ template: 9, ...fields }))

/** A sound record behind the definition of a template with this body. */
function withBody(...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return bundle([Buffer.concat([u32(9), u8(2), u32(body.length), body])], plain)
}

const breaches: [string, Buffer][] = [
  ['a kind there is not', Buffer.concat([u8(0), plain.subarray(1)])],
  ['a kind there is not, above the others', u8(4)],
  ['a text without a time', u8(1)],
  ['a text without a line', text(1, '')],
  ['a header that is cut off', cutShort(plain)],
  ['nothing but a kind', u8(2)],
  ['bytes left over', Buffer.concat([plain, u8(0)])],
  ['a template that was not defined', record({ template: 99 })],
  ['no template', record({ template: 0 })],
  ['a template that is a string', record({ template: STRING })],
  ['bindings that were not defined', record({ bindings: 99 })],
  ['bindings that are a template', record({ bindings: TEMPLATE })],
  ['bindings with the highest id, not defined', record({ bindings: 0xffffffff })],
  ['fewer values than keys', valued()],
  ['more values than keys', valued(int(1), int(2))],
  ['values without keys', record({ values: [absent] })],
  ['a tag there is not', valued(u8(9))],
  ['an int that is cut off', cutShort(valued(int(1)))],
  ['a number that is cut off', cutShort(valued(Buffer.concat([u8(5), f64(1)])))],
  ['a short string that is cut off', cutShort(valued(short('ab')))],
  ['a string that is cut off', cutShort(valued(string('ab')))],
  ['a string of 4 GiB', valued(Buffer.concat([u8(7), u32(0xffffffff), Buffer.from('x')]))],
  ['a json that is cut off', cutShort(valued(json('[]')))],
  ['an ISO time that is not a number', templated({ timeForm: 3 }, { time: Number.NaN })],
  ['an ISO time that is infinite', templated({ timeForm: 3 }, { time: Number.POSITIVE_INFINITY })],
  ['an ISO time behind that of a Date', templated({ timeForm: 3 }, { time: 8.64e15 + 1 })],
  ['an ISO time before that of a Date', templated({ timeForm: 3 }, { time: -8.64e15 - 1 })],
  ['no text of the time', templated({ timeForm: 4 })],
  ['a text of the time that is absent', templated({ timeForm: 4 }, { rest: [absent] })],
  ['a text of the time that is an int', templated({ timeForm: 4 }, { rest: [int(1)] })],
  ['a text of the time where none belongs', templated({ timeForm: 1 }, { rest: [short('x')] })],
  ['no inline message', templated({ messageForm: 2, message: PRINTED_KEY })],
  ['an inline message where the template has it', templated({ message: `${PRINTED_KEY}1` }, { rest: [int(1)] })],
  ['an inline message where there is none', templated({}, { rest: [int(1)] })],
  ['two inline messages', templated({ messageForm: 2, message: PRINTED_KEY }, { rest: [int(1), int(1)] })],
  ['a bundle without a record', bundle([defineString(9, 'x')], Buffer.alloc(0))],
  ['a bundle with fewer definitions than it says', Buffer.concat([u8(3), u8(2), defineString(9, 'x'), plain])],
  ['a bundle with more definitions than it says', Buffer.concat([u8(3), u8(0), defineString(9, 'x'), plain])],
  ['a bundle around a text', bundle([], text(1, 'x\n'))],
  ['a bundle around a bundle', bundle([], bundle([], plain))],
  ['a bundle whose record is damaged', bundle([], Buffer.concat([plain, u8(0)]))],
  ['a definition of id 0', bundle([defineString(0, 'x')], plain)],
  ['a template of id 0', bundle([defineTemplate(0, {})], plain)],
  ['a definition of neither kind', bundle([Buffer.concat([u32(9), u8(3), u32(0)])], plain)],
  ['a definition longer than the payload', bundle([Buffer.concat([u32(9), u8(1), u32(99)])], plain)],
  ['a template with a timeForm there is not', bundle([defineTemplate(9, { timeForm: 5 })], plain)],
  ['a template with a messageForm there is not', bundle([defineTemplate(9, { messageForm: 3 })], plain)],
  [
    'a template with a message it says it has not',
    bundle([defineTemplate(9, { messageForm: 0, message: 'x' })], plain)
  ],
  ['a template without anything', withBody()],
  ['a template without a messageForm', withBody(u8(0))],
  ['a template without a head', withBody(u8(0), u8(0))],
  ['a template whose head is cut off', withBody(u8(0), u8(0), u16(3), Buffer.from('ab'))],
  ['a template without a message', withBody(u8(0), u8(0), u16(1), Buffer.from('a'))],
  ['a template whose message is cut off', withBody(u8(0), u8(1), u16(0), u16(3), Buffer.from('ab'))],
  ['a template whose last key is cut off', withBody(templateBody({ keys: ['a'] }), u16(3), Buffer.from('ab'))],
  ['a template that ends within a length', withBody(templateBody({ keys: ['a'] }), u8(0))]
]

describe('K3: no line is made of, and counted is', () => {
  it.each(breaches)('%s', (_name, payload) => {
    expect(around(payload)).toEqual(onlyOthers)
  })
})

describe('an entry whose length breaks R2', () => {
  const three = pack([sound, plain, plain])
  const second = 4 + sound.length
  const withLength = (length: number) => {
    const bytes = Buffer.from(three)
    bytes.writeUInt32LE(length, second)
    return bytes
  }

  it.each([
    ['is 0', withLength(0)],
    ['reaches beyond the segment', withLength(three.length - second - 3)],
    ['is cut off', three.subarray(0, second + 3)],
    ['has nothing behind it', three.subarray(0, second + 4)]
  ])('because it %s is one damage, and the end', (_how, bytes) => {
    const { lines, damaged } = renderSegment(bytes)
    expect([lines.length, damaged]).toEqual([1, 1])
  })
})

describe('a bundle that is damaged', () => {
  const uses = record({ template: 9 })

  it('has defined what stands before the damage', () => {
    const payloads = [
      bundle([defineTemplate(9, { head: '{"nine":9' }), defineString(0, 'x')], plain),
      uses,
      bundle([defineTemplate(9, { head: '{"again":9' })], Buffer.concat([uses, u8(0)])),
      uses
    ]
    const { lines, damaged } = renderSegment(pack(payloads))
    expect(lines.map(line => line.bytes.toString())).toEqual(['{"nine":9}\n', '{"again":9}\n'])
    expect(damaged).toBe(2)
  })

  it.each([
    ['is cut off', defineTemplate(TEMPLATE, { head: '{"new":1' }).subarray(0, -1)],
    ['has a form there is not', defineTemplate(TEMPLATE, { head: '{"new":1', timeForm: 5 })]
  ])('has not replaced anything by the definition that %s', (_how, definition) => {
    expect(around(bundle([definition], Buffer.alloc(0)))).toEqual(onlyOthers)
  })
})

/** A sound segment of any content. */
const segment = fc
  .array(
    fc.record({
      time: fc.integer(),
      fields: fc.dictionary(fc.string(), fc.jsonValue()),
      message: fc.option(fc.string(), { nil: undefined }),
      inline: fc.boolean()
    })
  )
  .map(calls => {
    const writer = new SegmentWriter()
    for (const call of calls) writer.write(call)
    return writer.payloads
  })

/** Lines and damage never are more than there are payloads; no line is empty. */
function expectSane(payloads: readonly Buffer[]): void {
  const { lines, damaged } = renderSegment(pack(payloads.filter(payload => payload.length > 0)))
  expect(lines.length + damaged).toBe(payloads.filter(payload => payload.length > 0).length)
  for (const line of lines) expect(line.bytes.length).toBeGreaterThan(0)
}

describe('a damaged payload', () => {
  const timeOf = (payload: Buffer) => {
    const [step] = [...renderEntries(pack([payload]), 0, 4 + payload.length)]
    return [step!.rendered.time, 'damage' in step!.rendered]
  }

  it('has the time that its header tells', () => {
    expect(timeOf(record({ template: 9, time: 7 }))).toEqual([7, true])
    expect(timeOf(bundle([defineString(9, 'x')], record({ template: 8, time: 7 })))).toEqual([7, true])
    expect(timeOf(record({ template: 9, time: 7 }).subarray(0, 17))).toEqual([7, true])
  })

  it('has none if its header is not whole', () => {
    expect(timeOf(record({ template: 9, time: 7 }).subarray(0, 16))).toEqual([Number.NaN, true])
    expect(timeOf(text(7, ''))).toEqual([Number.NaN, true])
    expect(timeOf(bundle([defineString(0, 'x')], record({ time: 7 })))).toEqual([Number.NaN, true])
  })
})

describe('arbitrary bytes', () => {
  it('as payloads give as many lines and damages as there are payloads', () => {
    const headed = fc
      .tuple(fc.constantFrom(1, 2, 3), fc.uint8Array({ maxLength: 200 }))
      .map(([kind, rest]) => Buffer.concat([u8(kind), rest]))
    fc.assert(fc.property(fc.array(headed), expectSane), { numRuns: 2000 })
  })

  it('in place of some in sound payloads do the same', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 })
    fc.assert(
      fc.property(segment, changes, (payloads, bytes) => {
        if (payloads.length === 0) return
        for (const [which, at, byte] of bytes) {
          const payload = payloads[which % payloads.length]!
          payload[at % payload.length] = byte
        }
        expectSane(payloads)
      }),
      { numRuns: 2000 }
    )
  })

  it('taken up again at any entry give the same from there on', () => {
    fc.assert(
      fc.property(
        segment,
        fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 8 }),
        fc.nat(),
        (payloads, bytes, n) => {
          const data = pack(payloads)
          for (const [at, byte] of bytes) if (data.length > 0) data[at % data.length] = byte
          const steps = [...renderEntries(data, 0, data.length)]
          const first = n % (steps.length + 1)
          const from = first === 0 ? 0 : steps[first - 1]!.end
          expect([...renderEntries(data, 0, data.length, from)]).toEqual(steps.slice(first))
        }
      )
    )
  })

  it('as a whole segment end, too', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), bytes => void renderSegment(Buffer.from(bytes))))
  })
})
