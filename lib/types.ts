/**
 * Public types of the engine. Sizes are bytes, times are milliseconds unless a name says otherwise.
 */

import type { ShardlogError } from './errors'

export type { ShardlogError } from './errors'

/** What `new Logger(config)` takes. Only `logFilePath` is required. A URL is that of a file. */
export interface Config {
  /**
   * File to append to; created with mode 0644 if missing. `%p` becomes the process id, `%%` a
   * percent sign.
   */
  logFilePath: string | URL
  /**
   * Memory of all shards of both buffer sets together: reserved at the opening, touched as it is
   * used. Default 64 MiB for `Logger` and descriptors, 8 MiB for files of `shardlog.destination`,
   * for `recoverTo` and with `crashSafe: 'shm'`.
   */
  bufferSize?: number
  /**
   * Shards per buffer set, 1 to 256. Default 8, fewer where a shard would have less than 512 KiB. A
   * shard gets bufferSize / 2 / numShards bytes and needs at least 64 KiB.
   */
  numShards?: number
  /**
   * How often buffered entries are written even if no shard is nearly full. Default 10,000 ms; 0
   * turns the timer off.
   */
  flushInterval?: number
  /**
   * How long a flush waits for a large entry that is being copied before it sends it to the next
   * set. Default 10 ms.
   */
  flushTimeout?: number
  /**
   * One mapping split into virtual shards rather than one allocation per shard. Always so when
   * `crashSafe` is on. Default false.
   */
  useMmap?: boolean
  /**
   * Where the buffers live so that a killed process loses nothing: a file beside the log, /dev/shm,
   * or plain memory (false). Default 'file'.
   */
  crashSafe?: 'file' | 'shm' | false
  /**
   * For a descriptor only: file that lines which a kill left are recovered to, at the next start;
   * turns `crashSafe` on. The buffers lie in an arena beside it.
   */
  recoverTo?: string | URL
  /**
   * Existing directory for the arena's file, for `crashSafe: 'file'`; relative to the working
   * directory. Default: beside the log, as `.<name>.arena`.
   */
  arenaDir?: string | URL
  /**
   * O_DIRECT: use it if the file system allows ('auto', default), fail if not ('required'), or
   * never ('off').
   */
  directIO?: 'auto' | 'required' | 'off'
  /** O_DSYNC: a flushed block is on the device, not just handed to it. Default true. */
  dsync?: boolean
  /**
   * When no buffer has room: drop the entry and count it ('drop', default), or wait for the flusher
   * ('block').
   */
  onFull?: 'drop' | 'block'
  /**
   * Longest wait of one call under `onFull: 'block'`; after it the entry is dropped and counted.
   * Default 1,000 ms; Infinity is allowed.
   */
  blockTimeout?: number
  /**
   * For a descriptor only: how long its end (of the process, or by `end`) may wait for a reader.
   * Default: as long as the reader is there.
   */
  exitTimeout?: number
  /**
   * Each thread keeps to one shard while it has room ('affinity', default), or each entry goes to
   * the next shard ('round-robin').
   */
  shardSelection?: 'affinity' | 'round-robin'
  /**
   * How long the opening waits for another process that has the log open and is ending. Default 0
   * ms: it is refused with ERR_SHARDLOG_LOCKED at once. Blocks the thread; Infinity is allowed.
   */
  lockTimeout?: number
  /**
   * A choice of defaults, which options given beside it override. 'low-memory': bufferSize 2 MiB,
   * flushInterval 100 ms; 'throughput': bufferSize 64 MiB; 'low-latency': crashSafe 'shm',
   * flushInterval 50 ms.
   */
  preset?: 'low-memory' | 'throughput' | 'low-latency'
  /**
   * 'auto' (default): native where a build loads, else the JavaScript engine. 'native' and 'js'
   * insist.
   */
  engine?: 'auto' | 'native' | 'js'
  /**
   * Called on the event loop when a flush fails, and with code ERR_SHARDLOG_RESUMED when writing
   * works again.
   */
  onError?: (error: ShardlogError) => void
}

export type PathOption = 'logFilePath' | 'recoverTo' | 'arenaDir'

/** A config whose paths are text. */
export type PlainConfig = Omit<Config, PathOption> & { logFilePath: string; recoverTo?: string; arenaDir?: string }

/** Options without a default. */
export type OptionalOption = 'onError' | 'recoverTo' | 'exitTimeout' | 'arenaDir'

/** A config with every default filled in and `%p` substituted. */
export type ResolvedConfig = Required<Omit<PlainConfig, OptionalOption | 'preset'>> &
  Pick<PlainConfig, OptionalOption> & {
    /** Where lines go instead of a file; `logFilePath` is its name for messages. */
    descriptor?: number
    /** Logs that other processes have from the same path with `%p`. */
    siblings?: { directory: string; name: RegExp } | undefined
  }

export interface StatsSnapshot {
  /** Calls of log and logBytes, dropped ones included. */
  totalLogs: number
  /** Entries not accepted, for whatever reason, and entries given up after failed writes. */
  droppedLogs: number
  /** Of droppedLogs: larger than a shard can hold. */
  oversizedLogs: number
  /** Of droppedLogs: empty entries, which the format cannot represent. */
  emptyLogs: number
  /** Calls that had to wait under `onFull: 'block'`. */
  blockedLogs: number
  /** Bytes the kernel accepted, headers, padding and trailers included. */
  bytesWritten: number
  /** Bytes of entries among them, without length prefixes. */
  payloadBytes: number
  /** Entries on the device. */
  writtenLogs: number
  /** Buffer sets written successfully. */
  flushes: number
  /** Failed attempts to write a set (each one after bounded retries). */
  flushErrors: number
  /** Buffer set swaps. */
  setSwaps: number
  /**
   * Entries found in dead processes' arenas when this logger was opened, and written to the log,
   * or, with `%p` in its name, to theirs.
   */
  recoveredLogs: number
  /** Times the log file was opened anew because it was deleted or replaced under us. */
  reopens: number
  /**
   * Producer threads attached to this file now. In the JavaScript engine one that
   * `worker.terminate()` ended still counts, and keeps what was counted: the log goes on from there
   * when it is opened again.
   */
  producers: number
  /** Engine in force. */
  engine: 'native' | 'js'
  /** Crash safety in force; false with the JavaScript engine. */
  crashSafe: 'file' | 'shm' | false
  /** File that holds the buffers, or null. */
  arenaPath: string | null
  /** Whether writes bypass the page cache. */
  directIO: boolean
  /** Why not, in words, when `directIO` is false; null when it is true. */
  directIOReason: string | null
  /** Alignment of writes in bytes, as the kernel told it. */
  ioAlignment: number
  /** The last failure, or null. It stays after logging has resumed. */
  lastError: ShardlogError | null
}

export interface FlushBucket {
  /** Upper end of the bucket, in ms. */
  leMs: number
  /** Flushes that took no longer, to within 3 % of the bound. */
  count: number
}

export interface FlushMetrics {
  /** Flushes measured. The percentiles are over all of them, to within 3 %. */
  count: number
  avgFlushDurationMs: number
  maxFlushDurationMs: number
  p50: number
  p90: number
  p99: number
  p999: number
  /** A histogram of the durations: bounds from 0.1 ms to 10 s, counts that add up. */
  buckets: FlushBucket[]
  lastError: ShardlogError | null
}

export interface ShardStats {
  shardId: number
  /** Share of the active set's shard in use, 0 to 100. */
  utilizationPct: number
  /**
   * Entries written through this shard, both sets together, since the logger was opened; counted as
   * they are flushed.
   */
  writeCount: number
}

/** What a recorder's ring counts. */
export interface RecorderNumbers {
  /** Events that were ever recorded. */
  recorded: number
  /** Of these, the ones that later ones have taken the place of before anybody drained them. */
  overwritten: number
  /** Of these, the ones that a snapshot with `drain` has taken out. */
  drained: number
  /** Events that were too large, or that no place was found for. */
  dropped: number
  /** Events of which fields beyond `maxFields` were left out. */
  truncated: number
  /** Bytes of events, and of the ring. */
  usedBytes: number
  bytes: number
  /** Threads that record. */
  producers: number
}
