/**
 * The lease of a thread, as JavaScript sees it: what the addon tells, and what it is told. As
 * `native/engine/js_control.h`.
 */

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
  /** Entries accepted through this route, modulo 2^32; written by JavaScript. */
  ACCEPTED: 4,
  /** Changes with the lease. */
  SERIAL: 5,
  /**
   * For `publish`: end of the entry to accept, from the segment's start; 0 when it was accepted.
   * For `putText`: where to put a text, which has to have room for three bytes a code unit and one
   * more; then its bytes, 0 if that is not behind the lease's last entry.
   */
  END: 6,
  /**
   * For `publish`: where in the segment the time of day, an f64 of ms, is to be put; 0: nowhere.
   */
  TIME: 7
} as const

export const LEASE_WORDS = Object.keys(LEASE).length

export interface DirectWords {
  /** See LEASE. Rewritten by native calls. */
  lease: Int32Array
  /** The arena's control words; `words[lease[0]]` is the low half of the leased segment's word. */
  words: Int32Array
}

/** What JavaScript needs to write entries into the leased segment by itself. */
export interface DirectRoute extends DirectWords {
  /**
   * The memory of one shard of one set, or of the draft, which has the index 0. Makes a new
   * ArrayBuffer at each call.
   */
  buffer(index: number): ArrayBuffer
}

/** What `RecordHandle.renew` returns. */
export const RENEWAL = {
  /** Only the call route may write now, or has more to say about it. */
  TAKE_CALL: 0,
  /** Another segment is leased. */
  RENEWED: 1,
  /** There is no room, and an entry was counted as dropped for it. */
  DROPPED: 2
} as const
