import { describe, expect, it } from 'vitest'
import { isPlainText } from '../../lib/pino/json-text'
import { Addition, BoundKeys, BoundText, type PrintedKey } from '../../lib/record/definition'

/** Counts how often it is asked. */
class Key implements PrintedKey {
  readonly printed = ',"id":'
  readonly quoted = ',"id":"'
  readonly names = new BoundKeys(['id'], this.printed)
  readonly quote = JSON.stringify
  asked = 0

  isPlain = (text: string): boolean => {
    this.asked++
    return isPlainText(text)
  }
}

describe('bindings', () => {
  it('are printed when somebody asks, and once', () => {
    const key = new Key()
    const parent = new BoundText(new Addition(',"pid":1'))
    const child = new BoundText(new Addition(null, key, 'req-1'), parent)
    expect(key.asked).toBe(0)
    expect(child.text).toBe(',"pid":1,"id":"req-1"')
    expect(child.text).toBe(',"pid":1,"id":"req-1"')
    expect(parent.text).toBe(',"pid":1')
    expect(key.asked).toBe(1)
  })

  it.each(['', 'a', '"', '\\', '\n', 'é', '\ud800', 'x'.repeat(300)])('are printed as JSON: %j', value => {
    const key = new Key()
    const added = new Addition(null, key, value)
    expect(added.text).toBe(`,"id":${JSON.stringify(value)}`)
    expect(added.key).toBe(isPlainText(value) ? key.quoted : '')
  })

  it('of several keys are told from all others by their name', () => {
    const key = new Key()
    const other = new BoundKeys(['a"'], ',"a\\"":')
    const parts = [new Addition(null, key, 'x'), new Addition(',"n":1', { ...key, names: other }, '1')]
    const both = Addition.several(parts)
    expect(both.names).toMatchObject({ keys: ['id', 'a"'], name: ',"id":,"a\\"":' })
    expect(Addition.several(parts).names).toBe(both.names)
    expect(both.text).toBe(',"id":"x","n":1')
    expect(both.size).toBe(2)
    expect(Addition.several([...parts, new Addition(',"data":1')]).names).toBeNull()
  })

  it('that are added to keep nothing of what was before', () => {
    const parent = new BoundText(new Addition(',"pid":1'))
    let bound = new BoundText(new Addition(''), parent)
    const owner = {}
    bound.note(owner, {}, 5)
    for (let i = 0; i < 1000; i++) {
      bound = bound.with(new Addition(null, new Key(), 'x'))
      expect(bound.base).toBe(parent)
      expect(bound.added.parts?.length ?? 0).toBeLessThanOrEqual(8)
    }
    expect(bound.with(new Addition('')).added).toBe(bound.added)
    expect([bound.owner, bound.version]).toEqual([owner, 5])
    expect(bound.text).toBe(`,"pid":1${',"id":"x"'.repeat(1000)}`)
  })

  it('of a child of a child of a child, and so on', () => {
    let bound = new BoundText(new Addition(''))
    for (let i = 0; i < 100_000; i++) bound = new BoundText(new Addition(',"a":1'), bound)
    expect(bound.text.length).toBe(600_000)
  })
})
