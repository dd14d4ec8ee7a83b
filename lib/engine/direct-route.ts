/**
 * The direct route: a thread writes into its lease by itself. What the addon tells of that, and is
 * told, is as `native/engine/js_control.h` has it.
 */

import { BLOCK_HEADER_BYTES, ENTRY_PREFIX_BYTES } from '../format/constants'

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
   * more; then its bytes, 0 if that is not behind the lease's last entry. From `putTexts`: 0 unless
   * it has written them.
   */
  END: 6,
  /**
   * For `publish`: where in the segment the time of day, an f64 of ms, is to be put; 0: nowhere.
   */
  TIME: 7,
  /**
   * The first of MOST_TEXTS places: where in the segment the texts go that a call is given. Each
   * goes behind a byte that says how many units it has, and there is a byte for each of them.
   */
  TEXTS: 8,
  /** All places. */
  WORDS: 12
} as const

export const LEASE_WORDS = LEASE.WORDS
/** Texts that a call of the addon's takes. */
export const MOST_TEXTS: number = LEASE.WORDS - LEASE.TEXTS

/** Of which of a thread's logs the addon's shared calls are. */
export interface Lane {
  /** To be set to `own` before a call. */
  readonly word: Int32Array
  /** This log's number; negative once it is closed, when the number is another's. */
  own: number
}

export interface DirectWords {
  /** See LEASE. Rewritten by native calls. */
  lease: Int32Array
  /** The arena's control words; `words[lease[0]]` is the low half of the leased segment's word. */
  words: Int32Array
  /**
   * Of a log's arena: one word, which is odd while the arena's memory becomes another, in whole or
   * in part, and is another one each time afterwards: what was on its way there is not in it.
   */
  changes?: Int32Array | undefined
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

const BUFFER_PROTOTYPE: object = Buffer.prototype
const BYTES_PROTOTYPE: object = Uint8Array.prototype

/**
 * Whether `bytes` is a Uint8Array or Buffer whose `length` is the true one: a subclass may have a
 * length of its own, but would be copied by the true one, over the end of the room. These two tests
 * cost nothing in optimised code; comparing `length` with `byteLength` costs 10 ns.
 */
function isPlain(bytes: Uint8Array): boolean {
  if (!ArrayBuffer.isView(bytes)) return false
  const prototype = Object.getPrototypeOf(bytes)
  return prototype === BUFFER_PROTOTYPE || prototype === BYTES_PROTOTYPE
}

/**
 * An index as `subarray` takes it: a number of any kind, its fraction cut off; undefined stays.
 * Nothing that cannot be one throws.
 */
function index(value: unknown): number | undefined {
  if (value === undefined || Number.isInteger(value)) return value as number | undefined
  try {
    return Math.trunc(Number(value)) || 0
  } catch {
    return 0 // A symbol, or an object without a value.
  }
}

/** `call` with `subarray`'s rules for the indexes. */
export function withIndexes(call: LogBytes): LogBytes {
  return (bytes, start, end) => call(bytes, index(start), index(end))
}

type LogBytes = (bytes: Uint8Array, start?: number, end?: number) => boolean

export interface ClosableLogBytes {
  logBytes: LogBytes
  /** From now on everything takes the call route, which drops once the handle is closed. */
  close(): void
}

// Constants of this module rather than imports: an import is a property read at each use, which
// shows in this path.
const { WORD, BUFFER, START, LIMIT, ACCEPTED } = LEASE
const HEADER_BYTES: number = BLOCK_HEADER_BYTES
const PREFIX_BYTES: number = ENTRY_PREFIX_BYTES

const NO_LEASE = new Int32Array(LEASE_WORDS)
const NO_WORDS = new Int32Array(1)

/**
 * `logBytes` that writes the entry into the leased segment itself, without a native call: step
 * *accept* of docs/internals/memory-model.md. The compare-and-swap is sequentially consistent and
 * so orders the entry's bytes before the offset that publishes them, on every architecture.
 * Whatever is not a plain whole Uint8Array that fits takes the call route.
 *
 * @param findRoute called once, by the first call: views of the addon's memory cost more than a
 *   logger that is closed again before it has use for them. Null: there is no such route.
 */
export function directLogBytes(
  { logBytes: call }: { readonly logBytes: LogBytes },
  findRoute: () => DirectRoute | null
): ClosableLogBytes {
  // Until the first call a lease in which nothing is accepted.
  let lease: Int32Array = NO_LEASE
  let words: Int32Array = NO_WORDS
  let bufferOf: DirectRoute['buffer'] = () => target.buffer as ArrayBuffer
  let hasLooked = false
  // The lease is the thread's: another Logger of the same file may go on under it when this one is
  // closed.
  let open = true
  let current = -1
  let target: Uint8Array = new Uint8Array(0)
  let view: DataView = new DataView(target.buffer)
  // Kept, once made: a logger in its stride makes no garbage, not even one view per shard it fills.
  const targets: Uint8Array[] = []
  const views: DataView[] = []

  function findOwn(): void {
    hasLooked = true
    const route = findRoute()
    if (route === null) return
    lease = route.lease
    words = route.words
    bufferOf = route.buffer
  }

  function look(buffer: number): void {
    target = targets[buffer] ??= new Uint8Array(bufferOf(buffer))
    view = views[buffer] ??= new DataView(target.buffer)
    current = buffer
  }

  /** Whether the entry was accepted. False also when it has to take the call route. */
  function accept(bytes: Uint8Array): boolean {
    const word = lease[WORD]!
    const offset = words[word]!
    // Sealed words are negative.
    if (offset < HEADER_BYTES) return false
    const { length } = bytes
    const next = offset + PREFIX_BYTES + length
    if (length === 0 || next > lease[LIMIT]!) return false
    if (lease[BUFFER] !== current) look(lease[BUFFER]!)
    const at = lease[START]! + offset
    view.setUint32(at, length, true)
    target.set(bytes, at + PREFIX_BYTES)
    if (Atomics.compareExchange(words, word, offset, next) !== offset) return false
    // In 32 bits: a double would be a heap allocation for each entry until this function is
    // optimised.
    lease[ACCEPTED] = lease[ACCEPTED]! + 1
    return true
  }

  function logBytes(bytes: Uint8Array, start?: number, end?: number): boolean {
    if (open && start === undefined && end === undefined && isPlain(bytes) && accept(bytes)) return true
    if (hasLooked || !open) return call(bytes, index(start), index(end))
    findOwn()
    return logBytes(bytes, start, end)
  }

  return {
    logBytes,
    close: () => {
      open = false
    }
  }
}
