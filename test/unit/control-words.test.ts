import { describe, expect, it } from 'vitest'
import * as arena from '../../lib/arena/arena-file'
import { LEASE, LEASE_WORDS, MOST_TEXTS, RENEWAL } from '../../lib/engine/direct-route'
import { loadNative } from '../../lib/engine/load-native'
import * as block from '../../lib/format/constants'
import * as record from '../../lib/record/wire'

const native = loadNative().controlWords()

/** The numbers that a module exports. */
function numbersOf(module: object): Record<string, number> {
  const numbers = Object.entries(module).filter(([, value]) => typeof value === 'number')
  return Object.fromEntries(numbers) as Record<string, number>
}

/** The largest value of a field of that many bytes: the field's width says it in C++. */
const largest = (bytes: number): number => 2 ** (8 * bytes) - 1

/** What follows from the width or the place of a field, and so has no name in C++. */
const IMPLIED: Record<string, number> = {
  HEADER_KIND: 0,
  DEFINITION_ID: 0,
  MAX_BUNDLE_COUNT: largest(1),
  MAX_SHORT_STRING_BYTES: largest(1),
  MAX_TEXT_BYTES: largest(2)
}

const arenaNumbers = (): Record<string, number> => ({
  ...numbersOf(arena),
  OLDEST_ARENA_VERSION: Math.min(...arena.ARENA_VERSIONS),
  ARENA_VERSION: Math.max(...arena.ARENA_VERSIONS)
})

describe('JavaScript and C++ have the same number for every name of', () => {
  it.each<[string, () => object]>([
    ['LEASE', () => LEASE],
    ['RENEWAL', () => RENEWAL],
    ['HEADER', () => arena.HEADER],
    ['SLOT', () => arena.SLOT],
    ['CLAIM', () => arena.CLAIM],
    ['ARENA', arenaNumbers],
    ['BLOCK', () => numbersOf(block)],
    ['RECORD', () => numbersOf(record)]
  ])('%s', (group, ours) => {
    const implied = group === 'RECORD' ? IMPLIED : {}
    expect(ours()).toEqual({ ...native[group], ...implied })
  })
})

it('every group that C++ has is compared', () => {
  expect(Object.keys(native).sort()).toEqual([
    'ARENA',
    'BLOCK',
    'CLAIM',
    'HEADER',
    'LEASE',
    'RECORD',
    'RENEWAL',
    'SLOT'
  ])
})

it('a lease has a word for each of its names, from 0 on, and for each text', () => {
  const { WORDS, ...names } = LEASE
  expect(Object.values(names)).toEqual(Array.from({ length: LEASE.TEXTS + 1 }, (_, i) => i))
  expect([WORDS, LEASE_WORDS - LEASE.TEXTS]).toEqual([LEASE_WORDS, MOST_TEXTS])
})
