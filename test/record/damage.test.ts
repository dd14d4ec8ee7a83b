import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { renderEntries, renderSegment } from '../../lib/record/render'
import { pack } from '../support/make-log'
import {
  absent,
  bundle,
  defineShape,
  defineString,
  f64,
  int,
  json,
  record,
  SegmentWriter,
  short,
  string,
  text,
  u8,
  u16,
  u32
} from '../support/record-encoder'

const HEAD = 1
const SHAPE = 2
const KEY = 3
const definitions = [defineString(HEAD, '{"h":1'), defineShape(SHAPE, [',"a":']), defineString(KEY, ',"msg":')]
const sound = bundle(definitions, record({ head: HEAD }))
const plain = record({ head: HEAD })
const PLAIN_LINE = '{"h":1}\n'

/** Renders a payload between two sound ones. */
function around(payload: Buffer): { lines: string[]; damaged: number } {
  const { lines, damaged } = renderSegment(pack([sound, payload, plain]))
  return { lines: lines.map(line => line.bytes.toString()), damaged }
}

const onlyOthers = { lines: [PLAIN_LINE, PLAIN_LINE], damaged: 1 }
const cutShort = (payload: Buffer) => payload.subarray(0, -1)
const valued = (...values: Buffer[]) => record({ head: HEAD, shape: SHAPE, values })

const breaches: [string, Buffer][] = [
  ['a kind there is not', Buffer.concat([u8(0), plain.subarray(1)])],
  ['a kind there is not, above the others', u8(4)],
  ['a text without a time', u8(1)],
  ['a text without a line', text(1, '')],
  ['a header that is cut off', plain.subarray(0, 27)],
  ['nothing but a kind', u8(2)],
  ['bytes left over', Buffer.concat([plain, u8(0)])],
  ['a head that was not defined', record({ head: 99 })],
  ['no head', record({ head: 0 })],
  ['a head that is a shape', record({ head: SHAPE })],
  ['bindings that were not defined', record({ head: HEAD, bindings: 99 })],
  ['bindings with the id of an inline message', record({ head: HEAD, bindings: 0xffffffff })],
  ['a shape that was not defined', record({ head: HEAD, shape: 99, values: [int(1)] })],
  ['a shape that is a string', record({ head: HEAD, shape: KEY, values: [int(1)] })],
  ['a message that was not defined', record({ head: HEAD, message: 99 })],
  ['fewer values than keys', valued()],
  ['more values than keys', valued(int(1), int(2))],
  ['a count below the number of values', record({ head: HEAD, shape: SHAPE, count: 0, values: [int(1)] })],
  ['a count above the number of values', record({ head: HEAD, shape: SHAPE, count: 1 })],
  ['values without a shape', record({ head: HEAD, values: [absent] })],
  ['a tag there is not', valued(u8(9))],
  ['an int that is cut off', cutShort(valued(int(1)))],
  ['a number that is cut off', cutShort(valued(Buffer.concat([u8(5), f64(1)])))],
  ['a short string that is cut off', cutShort(valued(short('ab')))],
  ['a string that is cut off', cutShort(valued(string('ab')))],
  ['a string of 4 GiB', valued(Buffer.concat([u8(7), u32(0xffffffff), Buffer.from('x')]))],
  ['a json that is cut off', cutShort(valued(json('[]')))],
  ['a timeForm there is not', record({ head: HEAD, timeForm: 5 })],
  ['an ISO time that is not a number', record({ head: HEAD, timeForm: 3, time: Number.NaN })],
  ['an ISO time that is infinite', record({ head: HEAD, timeForm: 3, time: Number.POSITIVE_INFINITY })],
  ['an ISO time behind that of a Date', record({ head: HEAD, timeForm: 3, time: 8.64e15 + 1 })],
  ['an ISO time before that of a Date', record({ head: HEAD, timeForm: 3, time: -8.64e15 - 1 })],
  ['no text of the time', record({ head: HEAD, timeForm: 4 })],
  ['a text of the time that is absent', record({ head: HEAD, timeForm: 4, rest: [absent] })],
  ['a text of the time that is an int', record({ head: HEAD, timeForm: 4, rest: [int(1)] })],
  ['a text of the time where none belongs', record({ head: HEAD, timeForm: 1, rest: [short('x')] })],
  ['no inline message', record({ head: HEAD, message: 0xffffffff })],
  ['an inline message without a value', record({ head: HEAD, message: 0xffffffff, rest: [u32(KEY)] })],
  ['an inline message whose key is 0', record({ head: HEAD, message: 0xffffffff, rest: [u32(0), int(1)] })],
  ['an inline message whose key was not defined', record({ head: HEAD, message: 0xffffffff, rest: [u32(9), int(1)] })],
  ['a bundle without a record', bundle([defineString(9, 'x')], Buffer.alloc(0))],
  ['a bundle with fewer definitions than it says', Buffer.concat([u8(3), u8(2), defineString(9, 'x'), plain])],
  ['a bundle with more definitions than it says', Buffer.concat([u8(3), u8(0), defineString(9, 'x'), plain])],
  ['a bundle around a text', bundle([], text(1, 'x\n'))],
  ['a bundle around a bundle', bundle([], bundle([], plain))],
  ['a bundle whose record is damaged', bundle([], Buffer.concat([plain, u8(0)]))],
  ['a definition of id 0', bundle([defineString(0, 'x')], plain)],
  ['a definition of id 0xFFFFFFFF', bundle([defineString(0xffffffff, 'x')], plain)],
  ['a definition of neither kind', bundle([Buffer.concat([u32(9), u8(3), u32(0)])], plain)],
  ['a definition longer than the payload', bundle([Buffer.concat([u32(9), u8(1), u32(99)])], plain)],
  ['a shape whose last key is cut off', bundle([shapeOf(u16(3), Buffer.from('ab'))], plain)],
  ['a shape that ends within a length', bundle([shapeOf(u8(0))], plain)]
]

function shapeOf(...body: Buffer[]): Buffer {
  const bytes = Buffer.concat(body)
  return Buffer.concat([u32(9), u8(2), u32(bytes.length), bytes])
}

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
  const uses = record({ head: 9 })

  it('has defined what stands before the damage', () => {
    const payloads = [
      bundle([defineString(9, '{"nine":9'), defineString(0, 'x')], plain),
      uses,
      bundle([defineString(9, '{"again":9')], Buffer.concat([uses, u8(0)])),
      uses
    ]
    const { lines, damaged } = renderSegment(pack(payloads))
    expect(lines.map(line => line.bytes.toString())).toEqual(['{"nine":9}\n', '{"again":9}\n'])
    expect(damaged).toBe(2)
  })

  it('has not replaced anything by the definition that is damaged', () => {
    const broken = bundle([defineString(HEAD, '{"new":1').subarray(0, -1)], Buffer.alloc(0))
    expect(around(broken)).toEqual(onlyOthers)
  })
})

/** A sound segment of any content. */
const segment = fc
  .array(fc.tuple(fc.integer(), fc.dictionary(fc.string(), fc.jsonValue()), fc.option(fc.string(), { nil: undefined })))
  .map(calls => {
    const writer = new SegmentWriter()
    for (const [time, fields, message] of calls) writer.log(time, fields, message)
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
    expect(timeOf(record({ head: 9, time: 7 }))).toEqual([7, true])
    expect(timeOf(bundle([defineString(9, 'x')], record({ head: 8, time: 7 })))).toEqual([7, true])
    expect(timeOf(record({ head: 9, time: 7 }).subarray(0, 28))).toEqual([7, true])
  })

  it('has none if its header is not whole', () => {
    expect(timeOf(record({ head: 9, time: 7 }).subarray(0, 27))).toEqual([Number.NaN, true])
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
