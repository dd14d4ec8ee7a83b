import { describe, expect, it } from 'vitest'
import { mergeSegments, mergeThreads } from '../../lib/record/merge'
import fc from '../support/random'

interface TestLine {
  time: number
  producer: number
  index: number
}

const linesOf = (producer: number, times: readonly number[]): TestLine[] =>
  times.map((time, index) => ({ time, producer, index }))

/** Merges threads given by their times; a line reads `producer:time`. */
function merged(threads: Record<number, readonly number[]>): string[] {
  const input = Object.entries(threads).map(([id, times]) => ({
    producer: Number(id),
    lines: linesOf(Number(id), times)
  }))
  return [...mergeThreads<TestLine>(input)].map(line => `${line.producer}:${line.time}`)
}

describe('the lines of a generation', () => {
  it('are written in the order of their times', () => {
    expect(merged({ 1: [1, 4, 6], 2: [2, 3, 7], 3: [5] })).toEqual(['1:1', '2:2', '2:3', '1:4', '3:5', '1:6', '2:7'])
  })

  it('of equal times are written in the order of the producers', () => {
    expect(merged({ 2: [5, 5], 1: [5, 5, 6] })).toEqual(['1:5', '1:5', '2:5', '2:5', '1:6'])
  })

  it('stay behind the line before them if the clock was set back', () => {
    expect(merged({ 1: [10, 5, 11], 2: [7, 10, 12] })).toEqual(['2:7', '1:10', '1:5', '2:10', '1:11', '2:12'])
    expect(merged({ 2: [10, 5, 11], 1: [7, 10, 12] })).toEqual(['1:7', '1:10', '2:10', '2:5', '2:11', '1:12'])
  })

  it('stay behind the line before them if their time is no number', () => {
    const none = Number.NaN
    expect(merged({ 1: [none, 4, none, 6], 2: [3, 5] })).toEqual(['1:NaN', '2:3', '1:4', '1:NaN', '2:5', '1:6'])
  })

  it('are compared by infinite times as by others', () => {
    const last = Number.POSITIVE_INFINITY
    expect(merged({ 1: [-last, 4, last, 6], 2: [3, 5] })).toEqual([
      '1:-Infinity',
      '2:3',
      '1:4',
      '2:5',
      '1:Infinity',
      '1:6'
    ])
  })

  it('are none of no threads, and of threads without lines', () => {
    expect(merged({})).toEqual([])
    expect(merged({ 1: [], 2: [] })).toEqual([])
  })
})

describe('the segments of a generation', () => {
  const segments = [
    { producer: 1, times: [1, 5] },
    { producer: 2, times: [2] },
    { producer: 1, times: [4, 8] },
    { producer: 2, times: [3, 9] }
  ]

  it('of one producer follow each other in block order, whatever their times', () => {
    const lines = mergeSegments(segments, segment => linesOf(segment.producer, segment.times))
    expect([...lines].map(line => `${line.producer}:${line.time}`)).toEqual([
      '1:1',
      '2:2',
      '2:3',
      '1:5',
      '1:4',
      '1:8',
      '2:9'
    ])
  })

  it('are rendered only when their lines are due', () => {
    const rendered: number[] = []
    const lines = mergeSegments(segments, segment => {
      rendered.push(segment.times[0]!)
      return linesOf(segment.producer, segment.times)
    })
    lines.next()
    expect(rendered).toEqual([1, 2])
    expect([...lines]).toHaveLength(6)
    expect(rendered).toEqual([1, 2, 3, 4])
  })
})

/**
 * Section 5 without a merge: each line gets the latest time of its thread so far, then all are
 * sorted.
 */
function sorted(threads: readonly TestLine[][]): TestLine[] {
  const timed = threads.flatMap(lines => {
    let time = Number.NEGATIVE_INFINITY
    return lines.map(line => {
      if (line.time > time) time = line.time
      return { line, time }
    })
  })
  timed.sort((a, b) => (a.time === b.time ? 0 : a.time < b.time ? -1 : 1) || a.line.producer - b.line.producer)
  return timed.map(({ line }) => line)
}

it('merging any threads gives what sorting gives, and each thread its own order', () => {
  const time = fc.oneof(fc.nat(20), fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY))
  fc.assert(
    fc.property(fc.array(fc.array(time)), all => {
      const threads = all.map((times, i) => linesOf(i + 1, times))
      const result = [...mergeThreads<TestLine>(threads.map((lines, i) => ({ producer: i + 1, lines })))]
      expect(result).toEqual(sorted(threads))
      for (const lines of threads) {
        expect(result.filter(line => line.producer === lines[0]?.producer)).toEqual(lines)
      }
    }),
    { numRuns: 1000 }
  )
})
