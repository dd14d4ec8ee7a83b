import { describe, expect, it } from 'vitest'
import { renderSegment } from '../../lib/record/render'
import { pack } from '../support/make-log'
import {
  absent,
  bundle,
  defineString,
  defineTemplate,
  int,
  json,
  number,
  type RecordFields,
  record,
  short,
  string,
  type TemplateFields,
  text,
  u8,
  value
} from '../support/record-encoder'

const lines = (payloads: readonly Buffer[]): string[] =>
  renderSegment(pack(payloads)).lines.map(line => line.bytes.toString())

const TEMPLATE = 1
const BINDINGS = 2
const MESSAGE = ',"msg":"user login"'
const bindings = defineString(BINDINGS, ',"pid":71,"hostname":"a"')
const keys = [',"a":', ',"b":']

/** A record of a template of its own. */
const whole = (template: TemplateFields, fields: RecordFields = {}): Buffer =>
  bundle([defineTemplate(TEMPLATE, template), bindings], record({ template: TEMPLATE, ...fields }))

/** The line of one record of a template of its own. */
function line(template: TemplateFields, fields: RecordFields = {}): string {
  const { lines, damaged } = renderSegment(pack([whole(template, fields)]))
  expect(damaged).toBe(0)
  expect(lines).toHaveLength(1)
  return lines[0]!.bytes.toString()
}

/** How a value is printed. */
const printed = (of: Buffer): string => /^\{"level":30,"a":(.*),"b":1\}\n$/s.exec(line({ keys }, withValue(of)))![1]!
const withValue = (of: Buffer): RecordFields => ({ values: [of, int(1)] })

describe('a TEXT', () => {
  it('is written verbatim, whatever its bytes are', () => {
    expect(lines([text(5, '{"a":1}\n')])).toEqual(['{"a":1}\n'])
    const bytes = Buffer.from([0xff, 0x00, 0x22, 0x0a])
    expect(renderSegment(pack([text(5, bytes)])).lines).toEqual([{ time: 5, bytes }])
  })
})

describe('a RECORD', () => {
  it('prints head, time, bindings, fields and message in this order', () => {
    const fields = { time: 1700, bindings: BINDINGS, values: [int(1), short('x')] }
    expect(line({ timeForm: 1, keys, message: MESSAGE }, fields)).toBe(
      '{"level":30,"time":1700,"pid":71,"hostname":"a","a":1,"b":"x","msg":"user login"}\n'
    )
  })

  it('prints nothing for what its template has not, and for bindings of the id 0', () => {
    expect(line({})).toBe('{"level":30}\n')
  })

  it('leaves out the key of an absent value', () => {
    expect(line({ keys }, { values: [absent, int(2)] })).toBe('{"level":30,"b":2}\n')
    expect(line({ keys }, { values: [absent, absent] })).toBe('{"level":30}\n')
  })

  it('prints the key of the template and the value of a message that follows the fields', () => {
    const inline = { messageForm: 2, message: ',"msg":' }
    expect(line({ ...inline, keys }, { values: [int(1), int(2)], rest: [short('hi "you"')] })).toBe(
      '{"level":30,"a":1,"b":2,"msg":"hi \\"you\\""}\n'
    )
    expect(line(inline, { rest: [absent] })).toBe('{"level":30}\n')
    expect(line(inline, { rest: [int(-7)] })).toBe('{"level":30,"msg":-7}\n')
  })

  it('carries its time along, in every timeForm', () => {
    const payloads = [0, 1, 2, 3].map(timeForm => whole({ timeForm }, { time: 12.5 }))
    expect(renderSegment(pack(payloads)).lines.map(found => found.time)).toEqual([12.5, 12.5, 12.5, 12.5])
  })
})

describe('the time', () => {
  const time = (timeForm: number, ms: number) => line({ timeForm }, { time: ms }).slice('{"level":30'.length, -2)

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
    const form4 = { timeForm: 4, keys }
    const values = [int(1), absent]
    for (const kind of [short, string, json]) {
      const rest = [kind(',"time":"now"')]
      expect(line(form4, { values, rest })).toBe('{"level":30,"time":"now","a":1}\n')
    }
    expect(line(form4, { values, rest: [short('')] })).toBe('{"level":30,"a":1}\n')
  })

  it('of form 4 stands before the message that follows the fields', () => {
    const both = { timeForm: 4, messageForm: 2, message: ',"msg":' }
    expect(line(both, { rest: [short(',"t":1'), short('m')] })).toBe('{"level":30,"t":1,"msg":"m"}\n')
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
    const [rendered] = renderSegment(pack([whole({ keys }, withValue(string(bytes)))])).lines
    const expected = Buffer.concat([
      Buffer.from('{"level":30,"a":"'),
      Buffer.from([0x80, 0x5c, 0x22, 0xff, 0xed, 0xa0, 0x80]),
      Buffer.from('\\u0007","b":1}\n')
    ])
    expect(rendered!.bytes.equals(expected)).toBe(true)
  })
})

describe('definitions', () => {
  const plain = record({ template: TEMPLATE })
  const defining = whole({ message: MESSAGE })

  it('hold from their record on to the end of the segment', () => {
    expect(lines([plain, defining, plain, text(0, 't\n'), plain])).toEqual([
      '{"level":30,"msg":"user login"}\n',
      '{"level":30,"msg":"user login"}\n',
      't\n',
      '{"level":30,"msg":"user login"}\n'
    ])
  })

  it('do not hold in another segment', () => {
    expect(renderSegment(pack([defining])).lines).toHaveLength(1)
    expect(renderSegment(pack([plain]))).toEqual({ lines: [], damaged: 1 })
  })

  it('replace earlier ones of the same id, of whichever kind', () => {
    const OTHER = 7
    const bound = record({ template: TEMPLATE, bindings: OTHER })
    const other = record({ template: OTHER })
    const payloads = [
      bundle([defineTemplate(TEMPLATE, {}), defineString(OTHER, ',"x":1')], bound),
      bundle([defineString(OTHER, ',"x":2')], bound),
      bundle([defineTemplate(TEMPLATE, { head: '{"level":40' })], bound),
      bundle([defineTemplate(OTHER, { head: '{"other":1' })], other),
      bound,
      bundle([defineString(OTHER, ',"x":3')], bound),
      other
    ]
    expect(lines(payloads)).toEqual([
      '{"level":30,"x":1}\n',
      '{"level":30,"x":2}\n',
      '{"level":40,"x":2}\n',
      '{"other":1}\n',
      '{"level":40,"x":3}\n'
    ])
    expect(renderSegment(pack(payloads)).damaged).toBe(2)
  })

  it('may be none, and 255', () => {
    const many = Array.from({ length: 254 }, (_, i) => defineString(i + 2, `,"n${i}":${i}`))
    const last = record({ template: TEMPLATE, bindings: 255 })
    const expected = '{"level":30,"n253":253}\n'
    expect(lines([bundle([defineTemplate(TEMPLATE, {}), ...many], last), bundle([], last)])).toEqual([
      expected,
      expected
    ])
  })

  it('of ids up to 0xFFFFFFFF are told apart', () => {
    const [high, highest] = [0xfffffffe, 0xffffffff]
    const definitions = [defineTemplate(high, { head: '{"high":1' }), defineString(highest, ',"b":2')]
    expect(lines([bundle(definitions, record({ template: high, bindings: highest }))])).toEqual(['{"high":1,"b":2}\n'])
  })

  it('of a template without texts, and of empty keys and strings, are definitions', () => {
    const bare = [defineTemplate(TEMPLATE, { head: '' }), defineString(BINDINGS, '')]
    expect(lines([bundle(bare, record({ bindings: BINDINGS }))])).toEqual(['}\n'])
    expect(line({ head: '', keys: ['', ''] }, { values: [int(1), u8(1)] })).toBe('1null}\n')
    expect(line({ messageForm: 1 })).toBe('{"level":30}\n')
    expect(line({ messageForm: 2 }, { rest: [int(1)] })).toBe('{"level":301}\n')
  })

  it('of a template may have texts of 65,535 bytes', () => {
    const long = 'x'.repeat(0xffff)
    const template = { head: long, message: long, keys: [long] }
    expect(line(template, { values: [int(1)] }) === `${long}${long}1${long}}\n`).toBe(true)
  })
})

describe('a line', () => {
  it('does not depend on the memory it was rendered from', () => {
    const bytes = pack([text(0, 'a\n'), whole({ keys }, withValue(json('[1]')))])
    const rendered = renderSegment(bytes).lines
    bytes.fill(0)
    expect(rendered.map(found => found.bytes.toString())).toEqual(['a\n', '{"level":30,"a":[1],"b":1}\n'])
  })
})

function notSurrogate(code: number): boolean {
  return code < 0xd800 || code > 0xdfff
}
