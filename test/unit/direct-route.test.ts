import { describe, expect, it } from 'vitest'
import { type DirectRoute, directLogBytes } from '../../lib/engine/direct-route'

const SEALED = -2_147_483_648
const WORD = 5

/**
 * A route over two buffers of 256 bytes, leased from 64 in buffer 1, with room up to `limit`; and
 * what took the call route.
 */
function route(offset = 8, limit = 128) {
  const calls: unknown[][] = []
  const buffers = [new ArrayBuffer(256), new ArrayBuffer(256)]
  const direct: DirectRoute = {
    lease: new Int32Array([WORD, 1, 64, limit, 0]),
    words: new Int32Array(8),
    buffer: index => buffers[index]!
  }
  direct.words[WORD] = offset
  const handle = {
    logBytes: (...args: unknown[]) => {
      calls.push(args)
      return false
    }
  }
  return { direct, calls, ...directLogBytes(handle, () => direct), buffers, bytes: new Uint8Array(buffers[1]!) }
}

describe('accept, from JavaScript', () => {
  it('puts length and payload at the offset and moves the offset over them', () => {
    const { direct, logBytes, bytes, calls } = route()
    expect(logBytes(Buffer.from('abc'))).toBe(true)
    expect(logBytes(new Uint8Array([7]))).toBe(true)
    expect(direct.words[WORD]).toBe(8 + 7 + 5)
    expect([...bytes.subarray(72, 84)]).toEqual([3, 0, 0, 0, 97, 98, 99, 1, 0, 0, 0, 7])
    expect(direct.lease[4]).toBe(2)
    expect(calls).toEqual([])
    expect(bytes.every((byte, i) => (i >= 72 && i < 84) || byte === 0)).toBe(true)
  })

  it('an entry may end at the limit, not behind it', () => {
    const fits = route(8, 8 + 4 + 10)
    expect(fits.logBytes(new Uint8Array(10))).toBe(true)
    const tooLong = route(8, 8 + 4 + 9)
    expect(tooLong.logBytes(new Uint8Array(10))).toBe(false)
    expect(tooLong.direct.words[WORD]).toBe(8)
    expect(tooLong.calls).toHaveLength(1)
  })

  it.each([
    ['sealed', SEALED + 8],
    ['sealed at 0', SEALED],
    ['free', 0]
  ])('a %s segment takes the call route', (_, word) => {
    const { direct, logBytes, calls, bytes } = route(word)
    expect(logBytes(Buffer.from('abc'))).toBe(false)
    expect(calls).toHaveLength(1)
    expect(direct.lease[4]).toBe(0)
    expect(bytes.every(byte => byte === 0)).toBe(true)
  })

  it('a segment sealed during the copy is not accepted into', () => {
    const { direct, calls, bytes, logBytes } = route()
    // The copy is the only thing between the read of the word and the swap: the seal is put there.
    const original = Uint8Array.prototype.set
    Uint8Array.prototype.set = function (this: Uint8Array, ...args: Parameters<typeof original>) {
      original.apply(this, args)
      direct.words[WORD]! |= SEALED
    }
    try {
      expect(logBytes(Buffer.from('abc'))).toBe(false)
    } finally {
      Uint8Array.prototype.set = original
    }
    expect(calls).toHaveLength(1)
    expect(direct.words[WORD]! & 0x7fffffff).toBe(8)
    expect(direct.lease[4]).toBe(0)
    expect(bytes[72]).toBe(3)
  })

  it('follows the lease when a native call has moved it', () => {
    const { direct, logBytes, bytes, buffers } = route()
    logBytes(Buffer.from('a'))
    direct.lease.set([2, 0, 128, 64])
    direct.words[2] = 8
    logBytes(Buffer.from('b'))
    expect([...new Uint8Array(buffers[0]!, 136, 5)]).toEqual([1, 0, 0, 0, 98])
    expect([...bytes.subarray(72, 77)]).toEqual([1, 0, 0, 0, 97])
  })

  it('ranges, empty and odd arguments take the call route as they are', () => {
    const { logBytes, calls, direct } = route()
    class Odd extends Uint8Array {}
    const detached = new Uint8Array(4)
    structuredClone(detached, { transfer: [detached.buffer] })
    const odd: unknown[][] = [
      [Buffer.from('abc'), 1],
      [Buffer.from('abc'), undefined, 2],
      [new Uint8Array(0)],
      [detached],
      [new Odd(3)],
      [new Proxy(Buffer.from('abc'), {})],
      [Object.create(Uint8Array.prototype)],
      [new Float64Array(1)],
      ['text'],
      [null],
      []
    ]
    for (const args of odd) expect((logBytes as (...args: unknown[]) => boolean)(...args)).toBe(false)
    expect(calls.every((args, i) => args[0] === odd[i]![0])).toBe(true)
    expect(calls).toHaveLength(odd.length)
    expect(direct.words[WORD]).toBe(8)
  })
})
