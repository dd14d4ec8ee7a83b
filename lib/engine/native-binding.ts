import type { FlushMetrics, ResolvedConfig, ShardlogError, ShardStats, StatsSnapshot } from '../types'
import type { DirectWords } from './lease'

/** How a log is opened: its options, what its entries are, and what the file is. */
export type NativeConfig = ResolvedConfig & { content: Content; form: 'blocks' | 'text' }

export type Content = 'entries' | 'records'

/** The addon's own: while it is reachable, the log that was opened is there. */
export type Keeper = { readonly [KEEPER]: never }
declare const KEEPER: unique symbol

export interface RecoveryOptions {
  force: boolean
  directIO: ResolvedConfig['directIO']
  /** Absolute. */
  arenaDir?: string | undefined
}

/** What the addon exports (`native/napi/`). Everything here is internal to lib/engine. */
export interface NativeBinding {
  /** Opens (or joins, if this process has the file open already) the log. Throws with a `code`. `onError(null)`: writing works again. */
  open<C extends Content>(
    config: NativeConfig & { content: C },
    onError: ((error: ShardlogError | null) => void) | undefined
  ): NativeHandle<C>
  flush(of: Keeper): Promise<void>
  flushSync(of: Keeper): void
  /** At the process's end, for a descriptor: has everything written, or, after `exitTimeout`, given up, counted and said. Never throws. */
  finish(of: Keeper): void
  close(of: Keeper): Promise<void>
  closeSync(of: Keeper): void
  stats(of: Keeper): StatsSnapshot
  flushMetrics(of: Keeper): FlushMetrics
  shardStats(of: Keeper): ShardStats[]
  /** For the direct route: the memory of one shard of one set, or of the draft, which has the index 0. Makes a new ArrayBuffer at each call. */
  buffer(of: Keeper, index: number): ArrayBuffer
  /**
   * Drains the arenas of dead processes (beside the log, in `arenaDir`, and in /dev/shm) into the log at the absolute path. One item for each that was found.
   * With `force` also those set aside because they are of another boot. Synchronous. Throws with a `code`.
   */
  recover(logFilePath: string, options: RecoveryOptions): NativeRecovery[]
  /** CRC-32C of `bytes[start, end)`, going on from `seed`. Throws a RangeError for a range outside of `bytes`. */
  crc32c(bytes: Uint8Array, seed: number, start: number, end: number): number
}

export interface NativeRecovery {
  arenaPath: string
  /** Pid of the process that left it. */
  ownerPid: number
  entries: number
  blocks: number
  bytes: number
  /** Segments whose content was not whole entries and was cut to those that were. */
  damagedSegments: number
  /** Where the arena is now if it could not be trusted, and why; else null. */
  setAside: string | null
  reason: string | null
}

/** One thread's view of an open log. Its functions may be taken from it. */
export type NativeHandle<C extends Content> = C extends 'entries' ? EntryHandle : RecordHandle

interface AnyHandle {
  readonly keeper: Keeper
  /** The call route: used for sub-ranges, under round-robin, and whenever the lease below has no room. */
  logBytes(bytes: Uint8Array, start?: number, end?: number): boolean
  /**
   * The direct route: JavaScript writes entries into the leased segment by itself; records on btrfs into a draft of it. Null where external
   * buffers are forbidden (Electron), under round-robin, for entries on btrfs, and where 48 threads, or two for each core if that is more,
   * log already.
   */
  readonly direct: DirectWords | null
}

export interface EntryHandle extends AnyHandle {
  log(text: string): boolean
}

export interface RecordHandle extends AnyHandle {
  /** Writes a string as UTF-8 into the entry that JavaScript is writing: see LEASE.END. */
  putText(text: string): void
  /**
   * Accepts the entry that JavaScript has written into the leased segment, but for its length: see LEASE.END and LEASE.TIME. Step *accept*
   * of docs/internals/memory-model.md.
   */
  publish(): void
  /** Leases another segment with room for an entry of `bytes`, waiting for one as a log call does. One of RENEWAL. */
  renew(bytes: number): number
}
