/**
 * What waits in an arena: its segments, and the payloads that were spilled to files of their own.
 */

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import path from 'node:path'
import { crc32c } from '../format/block'
import { BLOCK_HEADER_BYTES } from '../format/constants'
import { type ArenaFile, type ArenaGeometry, type ArenaState, CLAIM, LINE_BYTES, OFFSET_MASK, SLOT } from './arena-file'

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
  // There are two sets, so older generations than the last two can be claimed only by a damaged
  // header.
  const oldest = state.active > 0n ? state.active - 1n : 0n
  for (let g = state.written > oldest ? state.written : oldest; g <= state.active; g++)
    found.push(...segmentsOf(control, geometry, g))
  return found
}

const place = (item: WaitingSegment) => `${item.generation}:${item.segment}`

/**
 * The segments of generations that are not in the log as a whole, in block order. While producers
 * log, one look at the slots can show a producer's later segment and miss its last entries in the
 * one before. So two looks are taken: a segment counts only if no later one of the same producer
 * held entries at the first look, or else as the second one shows it: by then it was final.
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

const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
const MAX_NAME_BYTES = 200

/** What the names of an arena's spills begin with. As `native/engine/spills.cc`. */
function prefixOf({ path: arena, stream }: ArenaFile): string {
  // One that was set aside keeps the spills that lie where it was.
  const place = arena.replace(/\.aside-[^/]*$/, '')
  const name = path.basename(place)
  const stem = Buffer.byteLength(name) > MAX_NAME_BYTES ? '.shardlog' : name
  return path.join(path.dirname(place), `${stem}.spill-${stream.toString(16).padStart(16, '0')}-`)
}

function readWhole(fd: number, length: number): Buffer | null {
  const info = fstatSync(fd)
  if (!info.isFile() || info.size !== length) return null
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length; ) {
    const count = readSync(fd, bytes, done, length - done, done)
    if (count === 0) return null
    done += count
  }
  return bytes
}

function readFile(file: string, length: number): Buffer | null {
  let fd: number
  try {
    fd = openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch {
    return null // Removed by now, since its line is in the log; or a damaged arena that tells of none.
  }
  try {
    return readWhole(fd, length)
  } finally {
    closeSync(fd)
  }
}

/**
 * Reads the payloads of an arena that are spilled: each lies in a file of its own beside the arena.
 * @returns a function that gives the bytes of one spill, or null if they are gone or do not match
 *   their CRC-32C
 */
export function loadSpilled(arena: ArenaFile): (spilled: { id: bigint; length: number; crc: number }) => Buffer | null {
  return ({ id, length, crc }) => {
    const bytes = readFile(`${prefixOf(arena)}${id}`, length)
    return bytes !== null && crc32c(bytes, 0, 0, length) === crc ? bytes : null
  }
}
