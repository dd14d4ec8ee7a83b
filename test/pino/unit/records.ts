/** Arbitrary records: what programs may log, and what they should not but will. */

import fc from '../../support/random'

export const text = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map(unit => String.fromCharCode(unit)) }),
  fc.constantFrom('', '"', '\\', '\u2028', '\ud800', '\udfff\ud800', 'x'.repeat(200), '\0', '\x7f', '%s', '100%')
)

const key = fc.oneof(text, fc.constantFrom('', '__proto__', 'toString', 'constructor', 'msg', 'err', 'level', 'time'))

export const number = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.constantFrom(-0, 5e-324, 1e21, Number.NaN)
)

export const leaf = fc.oneof(
  text,
  number,
  fc.boolean(),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.constantFrom(null, undefined, Symbol('s'), () => 1, /x/g, new Map([[1, 2]]), new Set([1])),
  text.map(message => Object.assign(new RangeError(message), { stack: `at ${message}`, code: message })),
  text.map(value => ({ toJSON: () => value })),
  fc.constant({
    toJSON() {
      throw new Error('toJSON')
    }
  }),
  fc.uint8Array({ maxLength: 4 }),
  text.map(value => Object.create({ inherited: value }))
)

/** An own property whatever the key, `__proto__` included. */
function objectOf(entries: [string, unknown][]): object {
  const object = {}
  for (const [name, value] of entries) {
    Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
  }
  return object
}

export const { value } = fc.letrec<{ value: unknown }>(tie => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map(objectOf),
    fc.array(fc.tuple(key, tie('value')), { maxLength: 5 }).map(entries => {
      const cyclic = objectOf(entries) as Record<string, unknown>
      cyclic.self = cyclic
      return cyclic
    })
  )
}))

export const fields = fc.array(fc.tuple(key, value), { maxLength: 8 }).map(objectOf)
const deep = fc.nat({ max: 200 }).map(levels => {
  let object: object = { end: true }
  for (let level = 0; level < levels; level++) object = { level, object }
  return object
})
const wide = fc
  .nat({ max: 300 })
  .map(size => Object.fromEntries(Array.from({ length: size }, (_, at) => [`k${at}`, at])))
export const logged = fc.oneof(fields, deep, wide, leaf)
