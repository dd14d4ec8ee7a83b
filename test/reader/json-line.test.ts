import { describe, expect, it } from 'vitest'
import { JsonChecker, timeOfLine } from '../../lib/reader/lines'
import fc from '../support/random'

const checker = new JsonChecker()

function parses(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false // That is the answer.
  }
}

function expectSame(text: string): void {
  const bytes = Buffer.from(text)
  // Bytes before and behind must not matter.
  const around = Buffer.concat([Buffer.from('{"'), bytes, Buffer.from('"}1')])
  const found = checker.check(around, 2, 2 + bytes.length)
  if (found !== parses(bytes.toString())) throw new Error(`${found} for ${JSON.stringify(text)}`)
}

const PIECES = [
  '{',
  '}',
  '[',
  ']',
  ',',
  ':',
  '"',
  '"a"',
  '"time"',
  '1',
  '-',
  '0',
  '.5',
  'e',
  'E+',
  '2e-3',
  'true',
  'nul',
  'null',
  'false'
]
const MORE = [
  ' ',
  '\t',
  '\r',
  '\n',
  '\\',
  '\\u00e9',
  '\\uD8',
  '\\n',
  '\\x',
  '\u2028',
  '\ufeff',
  '\0',
  'é',
  '😀',
  '{}',
  '[]',
  '01',
  '-0',
  '1.',
  '\x7f'
]

describe('JsonChecker', () => {
  it.each([
    '',
    ' ',
    '{}',
    '{"a":}',
    '{"a":1,}',
    '[1,]',
    '[,1]',
    '{,}',
    '{"a" 1}',
    '{a:1}',
    '"\u0001"',
    '"a',
    '"\\',
    '"\\u12',
    '01',
    '-',
    '1.e3',
    '.5',
    '1e',
    '1e+',
    '0.0e-0',
    'tru',
    'truee',
    'true false',
    '{"a":1}}',
    '[[]',
    '{"a":[{"b":{}},[],""]}',
    'NaN',
    'Infinity',
    '\u00a0{}'
  ])('tells of %j what JSON.parse does', expectSame)

  it('tells what JSON.parse does of any text', () => {
    const pieces = fc.array(fc.constantFrom(...PIECES, ...MORE), { maxLength: 20 }).map(parts => parts.join(''))
    fc.assert(fc.property(fc.oneof(pieces, fc.string(), fc.string({ unit: 'binary' })), expectSame), {
      numRuns: 5000
    })
  })

  it('tells what JSON.parse does of JSON in which a character was changed', () => {
    const change = fc.tuple(fc.json(), fc.nat(), fc.constantFrom(...PIECES, ...MORE, ''))
    fc.assert(
      fc.property(change, ([json, where, piece]) => {
        expectSame(json)
        const at = where % (json.length + 1)
        expectSame(json.slice(0, at) + piece + json.slice(at + 1))
      }),
      { numRuns: 5000 }
    )
  })

  it('takes no stack for depth', () => {
    for (const deep of ['['.repeat(1e6) + ']'.repeat(1e6), `${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}`]) {
      expect(checker.check(Buffer.from(deep), 0, deep.length)).toBe(true)
      expect(checker.check(Buffer.from(deep), 0, deep.length - 1)).toBe(false)
    }
  })
})

describe('the time of a line', () => {
  const ms = (text: string) => {
    const time = timeOfLine(Buffer.from(text), 0, Buffer.byteLength(text))
    return time === undefined ? undefined : Number(time / 1_000_000n)
  }

  it.each([
    ['{"time":5}', 5],
    ['{"a":{"time":7},"time":5,"b":[{"time":8}]}', 5],
    ['{"time":5,"time":6}', 6],
    ['{"time":5,"time":{}}', undefined],
    ['{"t\\u0069me":5}', 5],
    ['{"time":"1970-01-01T00:00:01.500Z"}', 1500],
    ['{"time":"\\u0031970-01-01T00:00:01Z"}', 1000],
    ['{"time":5.9e0}', 5],
    ['{"time":-1}', undefined],
    ['{"time":1e400}', undefined],
    ['{"time":null}', undefined],
    ['{"time":true}', undefined],
    ['{"time":"never"}', undefined],
    ['{"Time":5,"tim":6,"times":7}', undefined],
    ['[{"time":5}]', undefined],
    ['{"time":5', undefined],
    ['5', undefined]
  ])('of %s is %s', (text, expected) => {
    expect(ms(text)).toBe(expected)
  })
})
