import type { ResolvedConfig } from '../../types'

const MIN_SEGMENT_BYTES = 4096
const MAX_SEGMENT_BYTES = 1 << 20
const SEGMENTS_AIMED_AT = 32

/** How the buffer is cut: two sets of shards, shards of segments. The same arithmetic as `native/engine/geometry.cc`. */
export interface Geometry {
  numShards: number
  segmentsPerShard: number
  /** A power of two. */
  segmentBytes: number
  shardBytes: number
  /** Longest payload: what a shard holds without the block's header and the entry's length. */
  maxEntryBytes: number
}

export function geometryFor({ bufferSize, numShards }: ResolvedConfig): Geometry {
  const bytes = Math.floor(bufferSize / 2 / numShards)
  const wanted = 2 ** Math.floor(Math.log2(bytes / SEGMENTS_AIMED_AT))
  const segmentBytes = Math.min(MAX_SEGMENT_BYTES, Math.max(MIN_SEGMENT_BYTES, wanted))
  const segmentsPerShard = Math.floor(bytes / segmentBytes)
  const shardBytes = segmentsPerShard * segmentBytes
  return { numShards, segmentsPerShard, segmentBytes, shardBytes, maxEntryBytes: shardBytes - 12 }
}
