import { ENTRY_PREFIX_BYTES } from '../../format/constants'
import type { ResolvedConfig } from '../../types'

/** What the file is made of: blocks of entries, or nothing but the entries, which are lines then. */
export type Form = 'blocks' | 'text'

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
  /** Bytes in front of each entry, for its length; none in a text. */
  prefixBytes: number
  /** Longest payload: what a shard holds without the block's header and the entry's length. */
  maxEntryBytes: number
}

export function geometryFor({ bufferSize, numShards }: ResolvedConfig, form: Form): Geometry {
  const bytes = Math.floor(bufferSize / 2 / numShards)
  const wanted = 2 ** Math.floor(Math.log2(bytes / SEGMENTS_AIMED_AT))
  const segmentBytes = Math.min(MAX_SEGMENT_BYTES, Math.max(MIN_SEGMENT_BYTES, wanted))
  const segmentsPerShard = Math.floor(bytes / segmentBytes)
  const shardBytes = segmentsPerShard * segmentBytes
  const prefixBytes = form === 'text' ? 0 : ENTRY_PREFIX_BYTES
  return { numShards, segmentsPerShard, segmentBytes, shardBytes, prefixBytes, maxEntryBytes: shardBytes - 12 }
}
