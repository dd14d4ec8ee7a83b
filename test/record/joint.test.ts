import { describe, expect, it } from 'vitest'
import { Addition, StringDefinition } from '../../lib/record/definition'
import type { LineFormat } from '../../lib/record/payload-writer'
import { JointEncoder, RecordEncoder, type RecordWriter } from '../../lib/record/record-encoder'
import { FilledMessage, MessagePattern } from '../../lib/record/shape-tree'
import { FakeLog, linesOf } from '../support/fake-log'
import { namedLines, newTree } from '../support/named-lines'
import fc from '../support/random'

const tree = newTree()

const styles = ['one', 'two', 'three'].map(name => namedLines(tree, name))

/**
 * A record for the first log, the second, or both; `seal`: segments that are taken away before it.
 */
const step = fc.record({
  to: fc.constantFrom('first', 'second', 'both'),
  style: fc.constantFrom(...styles),
  fields: fc.dictionary(fc.constantFrom('a', 'b', 'c'), fc.oneof(fc.integer(), fc.string(), fc.jsonValue())),
  message: fc.constantFrom('m', 'n'),
  seal: fc.constantFrom('', '', '', 'first', 'second', 'both')
})

describe('logs that share the making of records', () => {
  it('have each its own and those of both, whatever segments they come to lie in', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 600, max: 8_192 }), (steps, size) => {
        const logs = { first: new FakeLog(size), second: new FakeLog(8_192) }
        const encoders = { first: new RecordEncoder(logs.first), second: new RecordEncoder(logs.second) }
        const joint = new JointEncoder([encoders.first, encoders.second])
        const expected: Record<'first' | 'second', string[]> = { first: [], second: [] }
        for (const [i, { to, style: made, fields, message, seal }] of steps.entries()) {
          for (const name of ['first', 'second'] as const) {
            if (seal === name || seal === 'both') logs[name].seal()
            if (to === name || to === 'both') expected[name].push(made.line(i, '', fields, message))
          }
          const encoder: RecordWriter = to === 'both' ? joint : encoders[to as 'first' | 'second']
          encoder.record(made, i, '', fields, message)
        }
        expect(linesOf(logs.second)).toEqual(expected.second)
        const first = linesOf(logs.first)
        // What is longer than a segment is dropped, and counted elsewhere.
        expect(first).toEqual(expected.first.filter(line => first.includes(line)))
        expect(expected.first.filter(line => line.length < size / 4).every(line => first.includes(line))).toBe(true)
      }),
      { numRuns: 500 }
    )
  })

  it('put messages together where their lines are made, or in the call where that has to be', () => {
    const logs = [new FakeLog(8_192), new FakeLog(8_192)]
    const joint = new JointEncoder(logs.map(log => new RecordEncoder(log)))
    expect(joint.takesFilled).toBe(true)
    const [made] = styles as [LineFormat]
    const pattern = MessagePattern.parse('%s "did" %i of %d%%')!
    const calls = ['x', 'é"\n', '\ud83d', 'y'.repeat(300)].map(who => pattern.fill([who, 2.5, 1e21])!)
    const expected = calls.map((message, i) => made.line(i, '', { i }, message.text))
    for (const [i, message] of calls.entries()) joint.record(made, i, '', { i }, message)
    expect(logs.map(linesOf)).toEqual([expected, expected])
    expect(expected[0]).toContain('x \\"did\\" 2 of 1e+21%')
    expect(calls[0]).toBeInstanceOf(FilledMessage)
    expect(pattern.fill(['x', 2])).toBe(null)
    expect(pattern.fill(['x', '2', 3])).toBe(null)
    expect(pattern.fill(['x', 2, Number.NaN])).toBe(null)
    expect(MessagePattern.parse('100%')).toBe(null)
    expect(MessagePattern.parse('%s %j')).toBe(null)
  })

  it('take no calls once their segments know what records refer to, whoever else logs with the same bindings', () => {
    const logs = [new FakeLog(65_536), new FakeLog(65_536)]
    const [first, second] = logs.map(log => new RecordEncoder(log)) as [RecordEncoder, RecordEncoder]
    const joint = new JointEncoder([first, second])
    const [made] = styles as [LineFormat]
    for (let i = 0; i < 100; i++) {
      for (const encoder of [first, second, joint]) encoder.record(made, i, '', { i }, 'm')
    }
    expect(logs.map(log => log.calls)).toEqual([0, 0])
    const definitions = logs.map(log => {
      log.seal()
      return log.segments[0]!.toString('latin1').split(',"name":"one"').length - 1
    })
    expect(definitions).toEqual([1, 1])
  })

  it('are told of bindings twice at the most where they take turns, also once templates are known', () => {
    const logs = [new FakeLog(65_536), new FakeLog(65_536)]
    const encoders = logs.map(log => new RecordEncoder(log))
    const one = { ...namedLines(tree, 'one'), tree: newTree() }
    // In the place of the first one's bindings: a child with the same templates.
    const child = { ...one, bindings: new StringDefinition(new Addition(',"name":"child"')) }
    for (const made of [one, child]) {
      for (let i = 0; i < 100; i++) for (const encoder of encoders) encoder.record(made, i, '', { i }, 'm')
    }
    for (const log of logs) {
      expect(linesOf(log)).toHaveLength(200)
      const definitions = log.segments[0]!.toString('latin1').split(',"name":"child"').length - 1
      expect(definitions).toBeLessThanOrEqual(2)
    }
  })

  it('take the line where a record cannot be said', () => {
    const logs = [new FakeLog(1 << 20), new FakeLog(1 << 20)]
    const joint = new JointEncoder(logs.map(log => new RecordEncoder(log)))
    const [made] = styles as [LineFormat]
    const fields = { ['k'.repeat(70_000)]: 1 }
    joint.record(made, 0, '', fields, 'm')
    for (const log of logs) expect(linesOf(log)).toEqual([made.line(0, '', fields, 'm')])
  })
})
