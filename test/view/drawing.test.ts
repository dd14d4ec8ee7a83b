import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { barLines } from '../../lib/view/bars'
import { Clock, NO_TIME } from '../../lib/view/clock'
import { classOfNumber, LEVEL_CLASSES } from '../../lib/view/event'
import { decodeEvent, encodeEvent } from '../../lib/view/event-line'
import { Histogram } from '../../lib/view/histogram'
import { Prompt } from '../../lib/view/prompt'
import { cut, encode, oneLine, widthOf, wrap } from '../../lib/view/styled'
import { rangeText } from '../../lib/view/texts'
import fc from '../support/random'

const { stringWidth: measure } = createRequire(__filename)('terminal-kit') as { stringWidth(text: string): number }

describe('the histogram', () => {
  it('counts each event once, in the bar of its time, in whatever order they come', () => {
    const ticks = fc.oneof(fc.integer({ min: -1e9, max: 1e9 }), fc.double({ min: -1e18, max: 1e18, noNaN: true }))
    const events = fc.array(fc.tuple(fc.oneof(ticks, fc.constant(NO_TIME)), fc.nat(6)), { minLength: 1, maxLength: 50 })
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 300 }), (all, most) => {
        const histogram = new Histogram()
        for (const [time, level] of all) histogram.add(time, level)
        const columns = histogram.columns(most)
        const timed = all.filter(([time]) => time !== NO_TIME)
        expect(histogram.withoutTime).toBe(all.length - timed.length)
        expect(columns.length).toBeLessThanOrEqual(most)
        expect(columns.every(({ start }, i) => i === 0 || columns[i - 1]!.end === start)).toBe(true)
        for (const level of LEVEL_CLASSES.keys()) {
          const counted = columns.reduce((sum, { counts }) => sum + counts[level]!, 0)
          expect(counted).toBe(timed.filter(([, other]) => other === level).length)
        }
      })
    )
  })

  it('has bars that show everything there is, and grave events however few', () => {
    const counts = (info: number, error = 0) => [0, 0, 0, info, 0, error, 0]
    const columns = [counts(1000), counts(1), counts(1000, 1), counts(0)].map((some, i) => ({
      start: i,
      end: i + 1,
      counts: some
    }))
    const { lines, most } = barLines({ columns, rows: 2, isUnicode: true, hasColors: true })
    expect(most).toBe(1001)
    const rows = lines.map(({ pieces }) => pieces.map(({ text }) => text).join(''))
    expect(rows).toEqual(['█ █ ', '█▁▁ '])
    expect(lines[1]!.pieces.map(({ style }) => style)).toContain('cell5-3')
    const plain = barLines({ columns, rows: 2, isUnicode: true, hasColors: false })
    expect(plain.lines.map(({ pieces }) => pieces.map(({ text }) => text).join(''))).toEqual(['█ █ ', '█▁█ '])
  })

  it('takes levels between two for the lower one', () => {
    const names = [5, 10, 20, 25, 30, 35, 40, 50, 60, 70, Number.NaN].map(
      number => LEVEL_CLASSES[classOfNumber(number)]
    )
    expect(names.join(' ')).toBe('trace trace debug debug info info warn error fatal fatal none')
  })
})

describe('texts', () => {
  const text = fc.string({ unit: 'binary', maxLength: 200 })

  it('fit into their columns, and lose nothing when they are wrapped', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 2, max: 40 }), (any, width) => {
        const shown = oneLine(any, 1000)
        expect(widthOf(cut(shown, width, measure), measure)).toBeLessThanOrEqual(width)
        const lines = wrap(shown, width, measure)
        expect(lines.every(line => widthOf(line, measure) <= width)).toBe(true)
        expect(lines.join('').replaceAll(' ', '')).toBe(shown.replaceAll(' ', ''))
      })
    )
  })

  it('tell the day of an end that is another one', () => {
    const [first, last] = ['2026-01-01T23:59:58Z', '2026-01-03T00:00:01Z'].map(
      iso => BigInt(Date.parse(iso)) * 1_000_000n
    )
    expect(rangeText(first!, first! + 1_000_000_000n)).toBe('2026-01-01 23:59:58 to 23:59:59')
    expect(rangeText(first!, last!)).toBe('2026-01-01 23:59:58 to 2026-01-03 00:00:01')
  })

  it('have nothing that a terminal acts on', () => {
    fc.assert(
      fc.property(text, any => {
        const line = encode({ pieces: [{ text: oneLine(any, 100), style: 'plain' }] }, true)
        expect(line).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u)
      })
    )
  })
})

describe('events in a spool', () => {
  it('come back as they were', () => {
    const value = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.bigInt(),
      fc.constantFrom('\u0000n1', '\u0000', null, true)
    )
    const event = fc.record({
      time: fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      level: fc.string(),
      target: fc.string(),
      message: fc.string({ unit: 'binary' }),
      thread: fc.nat(),
      fields: fc.dictionary(fc.string(), fc.oneof(value, fc.array(value), fc.dictionary(fc.string(), value)))
    })
    fc.assert(
      fc.property(event, one => {
        const line = encodeEvent(one)
        expect(line.indexOf('\n')).toBe(line.length - 1)
        expect(decodeEvent(line)).toEqual({ ...one, fields: Object.fromEntries(Object.entries(one.fields)) })
      })
    )
  })
})

describe('the clock', () => {
  it('tells times to the nanosecond', () => {
    const clock = new Clock()
    const base = 1_764_419_926_123_456_789n
    expect(clock.ticksOf(0n)).toBe(NO_TIME)
    expect(clock.nsOf(clock.ticksOf(base))).toBe(base)
    expect(clock.nsOf(clock.ticksOf(base + 1n))).toBe(base + 1n)
    expect(clock.nsOf(clock.ticksOfMs(1_000_000_000_000))).toBe(1_000_000_000_000_000_000n)
    expect(clock.nsOf(NO_TIME)).toBe(0n)
    expect(clock.ticksOfMs(9e15)).toBe(NO_TIME)
  })
})

describe('a prompt', () => {
  it('is edited and chosen from what was typed before', () => {
    const history: string[] = []
    const first = new Prompt('search:', '', history)
    for (const character of 'one two') first.press(character, true)
    first.press('CTRL_W', false)
    first.press('HOME', false)
    first.press('x', true)
    first.press('DELETE', false)
    expect(first.parts).toEqual({ before: 'x', behind: 'ne ' })
    first.press('END', false)
    first.press('BACKSPACE', false)
    expect(first.accept()).toBe('xne')
    const second = new Prompt('search:', '', history)
    second.press('UP', false)
    expect(second.text).toBe('xne')
    second.press('DOWN', false)
    second.press('👍', true)
    second.press('LEFT', false)
    second.press('DELETE', false)
    expect(second.text).toBe('')
  })
})
