import { describe, expect, it } from 'vitest'
import { renderSegment } from '../../lib/record/render'
import { pack } from '../support/make-log'
import {
  absent,
  bundle,
  defineShape,
  defineString,
  int,
  json,
  number,
  type RecordFields,
  record,
  short,
  string,
  text,
  u8,
  u32,
  value
} from '../support/record-encoder'

const lines = (payloads: readonly Buffer[]): string[] =>
  renderSegment(pack(payloads)).lines.map(line => line.bytes.toString())

const HEAD = 1
const BINDINGS = 2
const SHAPE = 3
const MESSAGE = 4
const MESSAGE_KEY = 5

const definitions = [
  defineString(HEAD, '{"level":30'),
  defineString(BINDINGS, ',"pid":71,"hostname":"a"'),
  defineShape(SHAPE, [',"a":', ',"b":']),
  defineString(MESSAGE, ',"msg":"user login"'),
  defineString(MESSAGE_KEY, ',"msg":')
]

/** The line of one record that may refer to all of the above. */
function line(fields: RecordFields): string {
  const { lines, damaged } = renderSegment(pack([bundle(definitions, record({ head: HEAD, ...fields }))]))
  expect(damaged).toBe(0)
  expect(lines).toHaveLength(1)
  return lines[0]!.bytes.toString()
}

/** How a value is printed. */
const printed = (of: Buffer): string => /^\{"level":30,"a":(.*),"b":1\}\n$/s.exec(line(withValue(of)))![1]!
const withValue = (of: Buffer): RecordFields => ({ shape: SHAPE, values: [of, int(1)] })

describe('a TEXT', () => {
  it('is written verbatim, whatever its bytes are', () => {
    expect(lines([text(5, '{"a":1}\n')])).toEqual(['{"a":1}\n'])
    const bytes = Buffer.from([0xff, 0x00, 0x22, 0x0a])
    expect(renderSegment(pack([text(5, bytes)])).lines).toEqual([{ time: 5, bytes }])
  })
})

describe('a RECORD', () => {
  it('prints head, time, bindings, fields and message in this order', () => {
    const all = { timeForm: 1, time: 1700, bindings: BINDINGS, shape: SHAPE, message: MESSAGE }
    expect(line({ ...all, values: [int(1), short('x')] })).toBe(
      '{"level":30,"time":1700,"pid":71,"hostname":"a","a":1,"b":"x","msg":"user login"}\n'
    )
  })

  it('prints nothing for what has the id 0', () => {
    expect(line({})).toBe('{"level":30}\n')
  })

  it('leaves out the key of an absent value', () => {
    expect(line({ shape: SHAPE, values: [absent, int(2)] })).toBe('{"level":30,"b":2}\n')
    expect(line({ shape: SHAPE, values: [absent, absent] })).toBe('{"level":30}\n')
  })

  it('prints the key and the value of a message that follows the fields', () => {
    const inline = { shape: SHAPE, values: [int(1), int(2)], message: 0xffffffff }
    expect(line({ ...inline, rest: [u32(MESSAGE_KEY), short('hi "you"')] })).toBe(
      '{"level":30,"a":1,"b":2,"msg":"hi \\"you\\""}\n'
    )
    expect(line({ message: 0xffffffff, rest: [u32(MESSAGE_KEY), absent] })).toBe('{"level":30}\n')
    expect(line({ message: 0xffffffff, rest: [u32(MESSAGE_KEY), int(-7)] })).toBe('{"level":30,"msg":-7}\n')
  })

  it('carries its time along, in every timeForm', () => {
    const payloads = [0, 1, 2, 3].map(timeForm => bundle(definitions, record({ head: HEAD, timeForm, time: 12.5 })))
    expect(renderSegment(pack(payloads)).lines.map(found => found.time)).toEqual([12.5, 12.5, 12.5, 12.5])
  })
})

describe('the time', () => {
  const time = (timeForm: number, ms: number) => line({ timeForm, time: ms }).slice('{"level":30'.length, -2)

  it('is left out in form 0', () => {
    expect(time(0, 1)).toBe('')
    expect(time(0, Number.NaN)).toBe('')
  })

  it('is the ms in form 1', () => {
    expect(time(1, 1763708219001)).toBe(',"time":1763708219001')
    expect(time(1, 0.5)).toBe(',"time":0.5')
    expect(time(1, -0)).toBe(',"time":0')
    expect(time(1, Number.NaN)).toBe(',"time":null')
    expect(time(1, Number.NEGATIVE_INFINITY)).toBe(',"time":null')
  })

  it('is the rounded seconds in form 2', () => {
    expect(time(2, 1499)).toBe(',"time":1')
    expect(time(2, 1500)).toBe(',"time":2')
    expect(time(2, -1500)).toBe(',"time":-1')
    expect(time(2, -400)).toBe(',"time":0')
    expect(time(2, Number.POSITIVE_INFINITY)).toBe(',"time":null')
  })

  it('is an ISO date in form 3', () => {
    expect(time(3, 1763708219001)).toBe(',"time":"2025-11-21T06:56:59.001Z"')
    expect(time(3, 1.9)).toBe(',"time":"1970-01-01T00:00:00.001Z"')
    expect(time(3, -1.9)).toBe(',"time":"1969-12-31T23:59:59.999Z"')
    expect(time(3, 8.64e15)).toBe(',"time":"+275760-09-13T00:00:00.000Z"')
    expect(time(3, -8.64e15)).toBe(',"time":"-271821-04-20T00:00:00.000Z"')
  })

  it('is the text behind the values in form 4, as it is', () => {
    const form4 = { timeForm: 4, shape: SHAPE, values: [int(1), absent] }
    for (const kind of [short, string, json]) {
      expect(line({ ...form4, rest: [kind(',"time":"now"')] })).toBe('{"level":30,"time":"now","a":1}\n')
    }
    expect(line({ ...form4, rest: [short('')] })).toBe('{"level":30,"a":1}\n')
  })

  it('of form 4 stands before the message that follows the fields', () => {
    const both = { timeForm: 4, message: 0xffffffff, rest: [short(',"t":1'), u32(MESSAGE_KEY), short('m')] }
    expect(line(both)).toBe('{"level":30,"t":1,"msg":"m"}\n')
  })
})

describe('values', () => {
  it('are printed as JSON.stringify prints them', () => {
    const samples = [null, true, false, 0, -1, 2147483647, -2147483648, 2147483648, 1e21, 1e-7, 5e-324, 0.1 + 0.2, '']
    for (const sample of samples) expect(printed(value(sample))).toBe(JSON.stringify(sample))
  })

  it('that are not finite are null, and minus zero is 0', () => {
    expect([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0].map(n => printed(number(n)))).toEqual([
      'null',
      'null',
      'null',
      '0'
    ])
  })

  it('that are json are copied verbatim', () => {
    expect(printed(json('{"x":[1, 2]}'))).toBe('{"x":[1, 2]}')
    expect(printed(json(''))).toBe('')
  })

  it('that are strings are the same in both lengths', () => {
    for (const sample of ['', 'a', '"', '\\', 'é\u2028😀', 'x'.repeat(255)]) {
      expect(printed(short(sample))).toBe(JSON.stringify(sample))
      expect(printed(string(sample))).toBe(JSON.stringify(sample))
    }
    const long = 'y\n'.repeat(40_000)
    expect(printed(string(long))).toBe(JSON.stringify(long))
  })

  it('that are strings are escaped as JSON.stringify does it, for every code point', () => {
    for (let first = 0; first < 0x110000; first += 0x1000) {
      if (first >= 0xd800 && first < 0xe000) continue
      const sample = String.fromCodePoint(...Array.from({ length: 0x1000 }, (_, i) => first + i).filter(notSurrogate))
      expect(printed(string(sample)) === JSON.stringify(sample)).toBe(true)
    }
  })

  it('that are strings keep bytes that are not UTF-8', () => {
    const bytes = Buffer.from([0x80, 0x22, 0xff, 0xed, 0xa0, 0x80, 0x07])
    const [rendered] = renderSegment(pack([bundle(definitions, record(withValue(string(bytes))))])).lines
    const expected = Buffer.concat([
      Buffer.from('{"level":30,"a":"'),
      Buffer.from([0x80, 0x5c, 0x22, 0xff, 0xed, 0xa0, 0x80]),
      Buffer.from('\\u0007","b":1}\n')
    ])
    expect(rendered!.bytes.equals(expected)).toBe(true)
  })
})

describe('definitions', () => {
  const plain = record({ head: HEAD, message: MESSAGE })

  it('hold from their record on to the end of the segment', () => {
    expect(lines([plain, bundle(definitions, plain), plain, text(0, 't\n'), plain])).toEqual([
      '{"level":30,"msg":"user login"}\n',
      '{"level":30,"msg":"user login"}\n',
      't\n',
      '{"level":30,"msg":"user login"}\n'
    ])
  })

  it('do not hold in another segment', () => {
    expect(renderSegment(pack([bundle(definitions, plain)])).lines).toHaveLength(1)
    expect(renderSegment(pack([plain]))).toEqual({ lines: [], damaged: 1 })
  })

  it('replace earlier ones of the same id, of whichever kind', () => {
    const again = bundle([defineString(MESSAGE, ',"msg":"other"')], plain)
    const asShape = bundle([defineShape(MESSAGE, [',"k":'])], record({ head: HEAD, shape: MESSAGE, values: [int(1)] }))
    const payloads = [bundle(definitions, plain), again, plain, asShape, plain]
    expect(lines(payloads)).toEqual([
      '{"level":30,"msg":"user login"}\n',
      '{"level":30,"msg":"other"}\n',
      '{"level":30,"msg":"other"}\n',
      '{"level":30,"k":1}\n'
    ])
    expect(renderSegment(pack(payloads)).damaged).toBe(1)
  })

  it('may be none, and 255', () => {
    const many = Array.from({ length: 255 }, (_, i) => defineString(i + 1, i === 0 ? '{"n":0' : `,"n${i}":${i}`))
    const last = record({ head: 1, message: 255 })
    expect(lines([bundle(many, last), bundle([], last)])).toEqual(['{"n":0,"n254":254}\n', '{"n":0,"n254":254}\n'])
  })

  it('of ids up to 0xFFFFFFFE are told apart', () => {
    const high = 0xfffffffe
    expect(lines([bundle([defineString(high, '{"high":1')], record({ head: high }))])).toEqual(['{"high":1}\n'])
  })

  it('of a shape without keys, and of empty keys and strings, are definitions', () => {
    const empty = [defineString(HEAD, ''), defineShape(SHAPE, []), defineShape(9, ['', ''])]
    expect(lines([bundle(empty, record({ head: HEAD, shape: SHAPE }))])).toEqual(['}\n'])
    expect(lines([bundle(empty, record({ head: HEAD, shape: 9, values: [int(1), u8(1)] }))])).toEqual(['1null}\n'])
  })
})

describe('a line', () => {
  it('does not depend on the memory it was rendered from', () => {
    const bytes = pack([text(0, 'a\n'), bundle(definitions, record(withValue(json('[1]'))))])
    const rendered = renderSegment(bytes).lines
    bytes.fill(0)
    expect(rendered.map(found => found.bytes.toString())).toEqual(['a\n', '{"level":30,"a":[1],"b":1}\n'])
  })
})

function notSurrogate(code: number): boolean {
  return code < 0xd800 || code > 0xdfff
}
