import { describe, expect, it } from 'vitest'
import { LEASE } from '../../lib/engine/direct-route'
import type { EventShape } from '../../lib/record/payload-writer'
import { type Added, RecordEncoder } from '../../lib/record/record-encoder'
import { KeptFields } from '../../lib/recorder/events'
import { FakeLog, linesOf } from '../support/fake-log'
import { namedLines, newTree } from '../support/named-lines'
import fc from '../support/random'

/** A log of a lane. */
class FakeLane extends FakeLog {
  readonly lane = { word: new Int32Array(1), own: 0 }
}

/** A ring that copies what a log has been given, as the addon does. */
class FakeRing extends FakeLog {
  readonly #log: FakeLog
  /** Records that were copied. */
  copied = 0

  constructor(size: number, log: FakeLog) {
    super(size)
    this.#log = log
  }

  readonly publishBeside = (): void => {
    const own = this.direct.lease
    const of = this.#log.direct.lease
    const length = own[LEASE.END]! - this.direct.words[own[LEASE.WORD]!]! - 4
    const end = of[LEASE.END]!
    const from = Buffer.from(this.#log.direct.buffer(0))
    this.#log.publish()
    from.copy(Buffer.from(this.direct.buffer(0)), own[LEASE.END]! - length, end - length, end)
    own[LEASE.TIME] = 0
    this.publish()
    this.copied++
  }

  readonly publishTextsBeside = (...texts: string[]): void => {
    if (this.#log.writes(texts)) this.publishBeside()
  }
}

const MOST = 3

const addedTo = ({ keys, values }: Added): object => Object.fromEntries(keys.map((key, i) => [key, values[i]]))

const firstOf = (fields: object): object => Object.fromEntries(Object.entries(fields).slice(0, MOST))

const long = fc.oneof(
  fc.string({ minLength: 10, maxLength: 40 }),
  fc.constantFrom('x'.repeat(255), 'x'.repeat(256), 'naïve, and long enough', 'long enough \ud800')
)
const value = fc.oneof(
  fc.integer(),
  fc.string(),
  long,
  fc.constant({ x: 1, y: { z: 2 } }),
  fc.record({ x: long, y: long })
)

// The usual shapes come often: the ring copies records of a template that it has been told of.
const usualFields = fc.oneof(fc.record({ a: value }), fc.record({ b: value, a: value }))

const step = fc.record({
  to: fc.constantFrom('log', 'ring', 'both', 'both'),
  style: fc.constantFrom(0, 0, 0, 1, 2),
  fields: fc.oneof(fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), value), usualFields),
  message: fc.constantFrom('m', 'n'),
  seal: fc.oneof({ weight: 12, arbitrary: fc.constant('') }, { weight: 1, arbitrary: fc.constantFrom('log', 'ring') }),
  added: fc.constantFrom(
    null,
    null,
    null,
    null,
    { keys: ['caller'], values: ['x'] },
    { keys: ['b', 'z'], values: [1, null] }
  )
})

describe('a log and a ring that share the making of records', () => {
  it('have each its own and those of both, of which the ring keeps so many fields, and counts the others', () => {
    let copied = 0
    const property = fc.property(
      fc.array(step, { maxLength: 60, size: 'max' }),
      fc.integer({ min: 700, max: 4_096 }),
      fc.boolean(),
      (steps, size, isDirect) => {
        const log = isDirect ? new FakeLane(size) : new FakeLog(size)
        const ring = new FakeRing(4_096, log)
        let truncated = 0
        const encoders = {
          log: new RecordEncoder(log),
          ring: new RecordEncoder(ring, new KeptFields(MOST, () => void truncated++))
        }
        const tree = newTree()
        const styles = ['one', 'two', 'three'].map(name => namedLines(tree, name))
        const expected = { log: [] as string[], ring: [] as string[], truncated: 0 }
        for (const [i, { to, style: which, fields, message, seal, added }] of steps.entries()) {
          const format = styles[which]!
          if (seal === 'log') log.seal()
          if (seal === 'ring') ring.seal()
          if (to !== 'ring') expected.log.push(format.line(i, '', fields, message))
          const isGiven = to === 'both' && added !== null
          const isTwice = isGiven && (Object.keys(fields).length > MOST || added.keys.some(key => key in fields))
          if (to !== 'log') {
            const own = firstOf(fields)
            expected.ring.push(format.line(i, '', isGiven && !isTwice ? { ...addedTo(added), ...own } : own, message))
            if (Object.keys(fields).length > MOST) expected.truncated++
          }
          const { log: own, ring: beside } = encoders
          expect(beside.add(added)).toBe(null)
          const isInRing = to === 'both' && own.recordBeside(beside, format, i, fields, message)
          expect(beside.add(null)).toBe(added)
          expect(isInRing && isTwice).toBe(false)
          if (to === 'log') own.record(format, i, '', fields, message)
          if (to === 'ring' || (to === 'both' && !isInRing)) beside.record(format, i, '', fields, message)
        }
        copied += ring.copied
        const [logged, kept] = [linesOf(log), linesOf(ring)]
        expect(kept).toEqual(expected.ring)
        expect(truncated).toBe(expected.truncated)
        // What is longer than a segment is dropped, and counted elsewhere.
        expect(logged).toEqual(expected.log.filter(line => logged.includes(line)))
        expect(expected.log.filter(line => line.length < size / 4).every(line => logged.includes(line))).toBe(true)
      }
    )
    fc.assert(property, { numRuns: 500 })
    expect(copied).toBeGreaterThan(0)
  })

  it('have records of compiled events, too, and the ring those of a log that has no room', () => {
    const log = new FakeLane(4_096)
    const ring = new FakeRing(4_096, log)
    const [own, beside] = [new RecordEncoder(log), new RecordEncoder(ring, new KeptFields(MOST, () => undefined))]
    const tree = newTree()
    const format = namedLines(tree, 'one')
    const node = tree.step(tree.step(tree.root, 'a')!, 'b')!
    const event: EventShape = { message: 'm', node, fields: ([a, b]) => ({ a, b }) }
    for (let i = 0; i < 10; i++) expect(own.eventBeside(beside, format, i, event, [i, 'x'])).toBe(true)
    expect(ring.copied).toBeGreaterThan(7)
    log.seal()
    log.accepts = false
    expect(own.eventBeside(beside, format, 10, event, [10, 'x'])).toBe(false)
    expect(own.recordBeside(beside, format, 10, { a: 10 }, 'm')).toBe(false)
    const expected = Array.from({ length: 10 }, (_, i) => format.line(i, '', { a: i, b: 'x' }, 'm'))
    expect(linesOf(log)).toEqual(expected)
    expect(linesOf(ring)).toEqual(expected)
  })

  it('make a record of a value that logs once, and both have both', () => {
    const log = new FakeLane(4_096)
    const ring = new FakeRing(4_096, log)
    const [own, beside] = [new RecordEncoder(log), new RecordEncoder(ring, new KeptFields(MOST, () => undefined))]
    const format = namedLines(newTree(), 'one')
    let asked = 0
    for (let i = 0; i < 3; i++) {
      const fields = {
        get a() {
          own.recordBeside(beside, format, i, { n: ++asked }, 'inner')
          return asked
        }
      }
      expect(own.recordBeside(beside, format, i, fields, 'outer')).toBe(true)
    }
    expect(asked).toBe(3)
    const expected = [1, 2, 3].flatMap(n => [
      format.line(n - 1, '', { n }, 'inner'),
      format.line(n - 1, '', { a: n }, 'outer')
    ])
    expect(linesOf(log)).toEqual(expected)
    expect(linesOf(ring)).toEqual(expected)
  })
})
