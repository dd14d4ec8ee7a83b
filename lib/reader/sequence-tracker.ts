import type { BlockInfo, DamageKind } from './types'

export interface SequenceRange {
  stream: bigint
  first: bigint
  last: bigint
  blocks: number
  holes: number
  repetitions: number
}

/** As many streams are watched; of more, those are forgotten that began first. */
const MAX_STREAMS = 1000

/** Watches the sequence numbers of the streams in one file (R9), in bounded memory. */
export class SequenceTracker {
  readonly streams = new Map<bigint, SequenceRange>()

  clone(): SequenceTracker {
    const copy = new SequenceTracker()
    for (const [stream, range] of this.streams) copy.streams.set(stream, { ...range })
    return copy
  }

  /** Takes the next block in file order; returns what is wrong with its place, or null. */
  add(info: BlockInfo): { kind: DamageKind; message: string } | null {
    const { stream, sequence } = info
    if (stream === undefined || sequence === undefined) return null
    const range = this.streams.get(stream)
    if (!range) return this.begin(stream, sequence)
    range.blocks++
    const expected = range.last + 1n
    if (sequence > range.last) range.last = sequence
    if (sequence === expected) return null
    const name = stream.toString(16)
    if (sequence < expected) {
      range.repetitions++
      return { kind: 'sequence-repeat', message: `block ${sequence} of stream ${name} stands here again` }
    }
    range.holes++
    return { kind: 'sequence-hole', message: `blocks ${expected} to ${sequence - 1n} of stream ${name} are missing` }
  }

  /** The first stream of a file may have begun in the file before it (rotation); a later one begins at 0. */
  private begin(stream: bigint, sequence: bigint): { kind: DamageKind; message: string } | null {
    const isFirst = this.streams.size === 0
    if (this.streams.size >= MAX_STREAMS) this.streams.delete(this.streams.keys().next().value!)
    this.streams.set(stream, { stream, first: sequence, last: sequence, blocks: 1, holes: 0, repetitions: 0 })
    if (isFirst || sequence === 0n) return null
    const message = `blocks 0 to ${sequence - 1n} of stream ${stream.toString(16)} are missing`
    return { kind: 'sequence-hole', message }
  }
}
