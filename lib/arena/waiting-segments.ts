import { BLOCK_HEADER_BYTES } from '../format/constants'
import type { ArenaFile, ArenaGeometry, ArenaState } from './arena-file'
import { CLAIM, LINE_BYTES, OFFSET_MASK, SLOT } from './layout'

/** A segment that holds entries which may not be in the log yet. */
export interface WaitingSegment {
  generation: bigint
  /** Index in its set, as in a block's trailer. */
  segment: number
  producer: number
  claimedTime: bigint
  /** 0 while a producer still writes there. */
  releasedTime: bigint
  /** End of the last accepted entry, from the start of the segment. */
  end: number
  /** Where the segment starts in the arena. */
  position: number
}

interface Shard {
  index: number
  order: number
  claimed: number
}

/** The shards of a generation in block order (R13). */
function shardsInOrder(control: Buffer, geometry: ArenaGeometry, generation: bigint): Shard[] {
  const { numShards, segmentsPerShard } = geometry
  const set = Number(generation & 1n)
  const shards: Shard[] = []
  for (let index = 0; index < numShards; index++) {
    const at = (set * numShards + index) * LINE_BYTES
    const low = control.readUInt32LE(at)
    if (control.readUInt32LE(at + 4) !== Number(generation & 0xffff_ffffn)) continue
    const full = (low & CLAIM.fullBit) !== 0
    const order = full ? low >>> CLAIM.orderShift : Number.MAX_SAFE_INTEGER
    shards.push({ index, order, claimed: Math.min(low & CLAIM.claimedMask, segmentsPerShard) })
  }
  return shards.sort((a, b) => a.order - b.order || a.index - b.index)
}

function segmentsOf(control: Buffer, geometry: ArenaGeometry, generation: bigint): WaitingSegment[] {
  const { numShards, segmentsPerShard, segmentBytes, dataOffset } = geometry
  const set = Number(generation & 1n)
  const slots = 2 * numShards * LINE_BYTES
  const found: WaitingSegment[] = []
  for (const shard of shardsInOrder(control, geometry, generation)) {
    for (let i = 0; i < shard.claimed; i++) {
      const segment = shard.index * segmentsPerShard + i
      const inArena = set * numShards * segmentsPerShard + segment
      const at = slots + inArena * LINE_BYTES
      // No entry reaches over the end of its shard; a damaged slot must not ask for more.
      const room = (segmentsPerShard - i) * segmentBytes
      const end = Math.min(control.readUInt32LE(at + SLOT.offset) & OFFSET_MASK, room)
      if (end <= BLOCK_HEADER_BYTES) continue
      found.push({
        generation,
        segment,
        producer: control.readUInt32LE(at + SLOT.producer),
        claimedTime: control.readBigUInt64LE(at + SLOT.claimedTime),
        releasedTime: control.readBigUInt64LE(at + SLOT.releasedTime),
        end,
        position: dataOffset + inArena * segmentBytes
      })
    }
  }
  return found
}

function allSegments(control: Buffer, geometry: ArenaGeometry, state: ArenaState): WaitingSegment[] {
  const found: WaitingSegment[] = []
  // There are two sets, so older generations than the last two can be claimed only by a damaged header.
  const oldest = state.active > 0n ? state.active - 1n : 0n
  for (let g = state.written > oldest ? state.written : oldest; g <= state.active; g++)
    found.push(...segmentsOf(control, geometry, g))
  return found
}

const place = (item: WaitingSegment) => `${item.generation}:${item.segment}`

/**
 * The segments of generations that are not in the log as a whole, in block order. While producers log, one look at the slots
 * can show a producer's later segment and miss its last entries in the one before. So two looks are taken: a segment counts
 * only if no later one of the same producer held entries at the first look, or else as the second one shows it: by then it was
 * final.
 */
export function waitingSegments(arena: ArenaFile, state: ArenaState): WaitingSegment[] {
  const first = arena.readControl()
  const second = arena.readControl()
  const seen = new Set(allSegments(first, arena.geometry, state).map(place))
  const segments = allSegments(second, arena.geometry, state)
  const lastSeen = new Map<number, number>()
  segments.forEach((item, i) => {
    if (seen.has(place(item))) lastSeen.set(item.producer, i)
  })
  return segments.filter((item, i) => i <= (lastSeen.get(item.producer) ?? -1))
}
