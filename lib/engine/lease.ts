/** The lease of a thread, as JavaScript sees it: what the addon tells, and what it is told. */

/** Places in `DirectRoute.lease`. */
export const LEASE = {
  /** Index into `words`. */
  WORD: 0,
  /** Index of the buffer. */
  BUFFER: 1,
  /** Start of the segment in that buffer. */
  START: 2,
  /** End of its room for entries, from its start. */
  LIMIT: 3,
  /** Entries accepted through this route, modulo 2^32; the only place that JavaScript writes. */
  ACCEPTED: 4,
  /** Changes with the lease. */
  SERIAL: 5
} as const

export const LEASE_WORDS = Object.keys(LEASE).length

/** What JavaScript needs to write entries into the leased segment by itself. */
export interface DirectRoute {
  /** See LEASE. Rewritten by native calls. */
  lease: Int32Array
  /** The arena's control words; `words[lease[0]]` is the low half of the leased segment's word. */
  words: Int32Array
  /** The memory of one shard of one set. Makes a new ArrayBuffer at each call. */
  buffer(index: number): ArrayBuffer
}
