import { describe, expect, it } from 'vitest'
import { printNumber, printString } from '../../lib/record/payload-reader'
import { renderSegment } from '../../lib/record/render'
import { pack } from '../support/make-log'
import fc from '../support/random'
import { type LoggedCall, SegmentWriter } from '../support/record-encoder'

const unicode = fc.string({ unit: 'binary' })
const anyNumber = fc.oneof(fc.double(), fc.integer(), fc.maxSafeInteger(), fc.constantFrom(-0, 2 ** 31, -(2 ** 31) - 1))
/** UTF-16 as it comes, lone surrogates included. */
const utf16 = fc.array(fc.nat(0xffff)).map(units => String.fromCharCode(...units))
const anyValue = fc.oneof(
  { weight: 4, arbitrary: fc.oneof(unicode, utf16, anyNumber, fc.boolean(), fc.constantFrom(null, undefined)) },
  { weight: 1, arbitrary: fc.oneof(fc.jsonValue(), fc.date({ noInvalidDate: true }), fc.object()) }
)

const keyed = (max: number) =>
  fc.dictionary(fc.oneof(unicode, fc.constantFrom('a', 'b', 'time')), anyValue, { maxKeys: max })

const call: fc.Arbitrary<LoggedCall> = fc.record({
  time: fc.oneof(fc.nat(2 ** 41), fc.double()),
  fields: keyed(12),
  message: fc.option(fc.oneof(unicode, utf16), { nil: undefined }),
  bindings: keyed(3),
  inline: fc.boolean()
})

/** The line of a call, made by JSON.stringify of the objects it was made of. */
function expectedLine({ time, fields, message, bindings = {} }: LoggedCall): string {
  const inner = (value: object) => JSON.stringify(value).slice(1, -1)
  const parts = ['"level":30', `"time":${JSON.stringify(time)}`, inner(bindings), inner(fields)]
  if (message !== undefined) parts.push(`"msg":${JSON.stringify(message)}`)
  return `{${parts.filter(part => part !== '').join(',')}}\n`
}

describe('for any calls', () => {
  it('the lines are those that JSON.stringify makes of the same objects', () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 20 }), calls => {
        const writer = new SegmentWriter()
        for (const made of calls) writer.write(made)
        const { lines, damaged } = renderSegment(pack(writer.payloads))
        expect(damaged).toBe(0)
        expect(lines.map(line => line.bytes.toString())).toEqual(calls.map(expectedLine))
        expect(lines.map(line => line.time)).toEqual(calls.map(made => made.time))
      }),
      { numRuns: 1500 }
    )
  })
})

describe('for any', () => {
  it('string of Unicode the bytes are those of JSON.stringify', () => {
    fc.assert(
      fc.property(unicode, text => {
        expect(printString(Buffer.from(text)).toString()).toBe(JSON.stringify(text))
      }),
      { numRuns: 2000 }
    )
  })

  it('64 bits taken as a double the text is that of JSON.stringify', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), bits => {
        const number = new Float64Array(new BigUint64Array([bits]).buffer)[0]!
        expect(printNumber(number).toString()).toBe(JSON.stringify(number))
      }),
      { numRuns: 2000 }
    )
  })
})
