/** The ids of a batch's records as bytes, one after the other, without a string of each. */

import type { Batch } from './sink'

const ZERO = 0x30
const NINE = 0x39

export class IdBytes {
  /** Begins with the id of the record that it stands at. */
  bytes: Buffer
  /** Bytes of that id. */
  length: number
  /** Where the digits of the sequence begin. */
  private readonly digits: number

  /** Stands at the batch's first record. */
  constructor({ stream, first }: Pick<Batch, 'stream' | 'first'>) {
    this.bytes = Buffer.from(`${stream}-${first}`)
    this.length = this.bytes.length
    this.digits = stream.length + 1
  }

  /** Goes to the next record. */
  next(): void {
    const { bytes } = this
    let at = this.length - 1
    for (; at >= this.digits && bytes[at] === NINE; at--) bytes[at] = ZERO
    if (at >= this.digits) {
      bytes[at]!++
      return
    }
    // All were nines: there is one digit more.
    this.bytes = Buffer.concat([bytes.subarray(0, this.digits), Buffer.from('1'), bytes.subarray(this.digits)])
    this.length = this.bytes.length
  }

  /** Writes the id to `target` at `at`, where there is room; returns where it ends. */
  writeTo(target: Buffer, at: number): number {
    const { bytes, length } = this
    for (let i = 0; i < length; i++) target[at + i] = bytes[i]!
    return at + length
  }
}
