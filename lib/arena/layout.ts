/** Byte offsets of an arena; the text behind them is docs/reference/log-format.md, section 2. */

export const ARENA_MAGIC = 'SHLARENA'
/** Versions that can be read; the last one is written. */
export const ARENA_VERSIONS: readonly number[] = [1, 2]
export const ARENA_HEADER_BYTES = 4096
/** The header fields that never change, under the header's checksum. */
export const ARENA_CRC_BYTES = 56
/** A claim word and a segment slot each lie alone in a cache line. */
export const LINE_BYTES = 64
/** journal.generation while nothing is being written. */
export const NO_GENERATION = 0xffff_ffff_ffff_ffffn

/** What the payloads of an arena's entries are: what goes to the log as it lies, or records (docs/reference/record-format.md). */
export const CONTENT_RAW = 0
export const CONTENT_RECORDS = 1

/** What the log of an arena is: blocks, or lines and nothing else. */
export const FORM_BLOCKS = 0
export const FORM_TEXT = 1

export const HEADER = {
  version: 8,
  numShards: 12,
  segmentsPerShard: 16,
  segmentBytes: 20,
  dataOffset: 24,
  totalBytes: 32,
  stream: 40,
  createdTime: 48,
  logDevice: 56,
  logInode: 64,
  ownerPid: 72,
  pathBytes: 76,
  ownerStart: 80,
  bootId: 88,
  headerCrc: 104,
  content: 112,
  form: 116,
  pidNamespace: 120,
  active: 256,
  recycled: 320,
  journalGeneration: 384,
  journalBase: 392,
  written: 448,
  path: 1024
} as const

/** Claim word: generation:32 | fullOrder:14 | full:1 | sealed:1 | claimed:16. */
export const CLAIM = { claimedMask: 0xffff, fullBit: 1 << 17, orderShift: 18 } as const

export const SLOT = { offset: 0, lessee: 4, claimedTime: 8, releasedTime: 16, span: 24, producer: 28 } as const
/** Of the offset word: no further entry is accepted. */
export const OFFSET_MASK = 0x7fff_ffff
