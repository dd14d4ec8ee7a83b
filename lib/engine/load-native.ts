/** The addon: what it exports, and how its build is found. */

import fs = require('node:fs')

import { createRequire } from 'node:module'

import path = require('node:path')

import { isError, ShardlogError } from '../errors'
import { ownFile, ownFolder } from '../own-place'
import type { FlushMetrics, RecorderNumbers, ResolvedConfig, ShardStats, StatsSnapshot } from '../types'
import type { DirectWords } from './direct-route'

/** How a log is opened: its options, what its entries are, and what the file is. */
export type NativeConfig = ResolvedConfig & { content: Content; format: 'shard' | 'ndjson' }

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
  /**
   * Opens (or joins, if this process has the file open already) the log. Throws with a `code`.
   * `onError(null)`: writing works again.
   */
  open<C extends Content>(
    config: NativeConfig & { content: C },
    onError: ((error: ShardlogError | null) => void) | undefined
  ): NativeHandle<C>
  readonly lanes: LaneCalls
  /** As `LaneCalls.logBytes`, of a handle that is closed: counts what is dropped. */
  drop(of: Keeper, bytes: Uint8Array, start?: number, end?: number): boolean
  /**
   * Has a closed handle give up what its statistics are read from. False if it has not: its log
   * goes on, or what was in it could not all be written.
   */
  forget(of: Keeper): boolean
  /** What was dropped since `forget` returned true. */
  drops(of: Keeper): { all: number; empty: number }
  flush(of: Keeper): Promise<void>
  flushSync(of: Keeper): void
  /**
   * At the process's end, for a descriptor: has everything written, or, after `exitTimeout`, given
   * up, counted and said. Never throws.
   */
  finish(of: Keeper): void
  close(of: Keeper): Promise<void>
  closeSync(of: Keeper): void
  stats(of: Keeper): StatsSnapshot
  /** @param bounds upper ends of buckets, in ns; `buckets` has their counts. */
  flushMetrics(of: Keeper, bounds: readonly number[]): Omit<FlushMetrics, 'buckets'> & { buckets: number[] }
  shardStats(of: Keeper): ShardStats[]
  /**
   * The direct route: JavaScript writes entries into the leased segment by itself; records on btrfs
   * into a draft of it. Null where external buffers are forbidden (Electron), under round-robin,
   * for entries on btrfs, where 48 threads, or two for each core if that is more, log already, and
   * once the handle is closed.
   */
  route(of: Keeper): DirectWords | null
  /**
   * For the direct route: the memory of one shard of one set, or of the draft, which has the index
   * 0. Makes a new ArrayBuffer at each call.
   */
  buffer(of: Keeper, index: number): ArrayBuffer
  /**
   * Drains the arenas of dead processes (beside the log, in `arenaDir`, and in /dev/shm) into the
   * log at the absolute path. One item for each that was found. With `force` also those set aside
   * because they are of another boot. Synchronous. Throws with a `code`.
   */
  recover(logFilePath: string, options: RecoveryOptions): NativeRecovery[]
  /**
   * The numbers that both sides have a name for, by group and name: for the test that compares
   * them.
   */
  controlWords(): Record<string, Record<string, number>>
  /**
   * Opens the ring of a recorder, or joins it if this process has it open. `path` is absolute;
   * empty: memory. Throws with a `code`, and a RangeError for a number of segments that cannot be.
   */
  openRecorder(options: RingOpening): RecorderHandle
  recorderStats(of: Keeper): RecorderNumbers
  /** A copy of the arena's bytes, without runs that have changed while they were copied. */
  recorderImage(of: Keeper): ArrayBuffer
  /**
   * For the direct route: the memory of all segments. Makes a new ArrayBuffer at each call.
   */
  recorderBuffer(of: Keeper): ArrayBuffer
  countTruncated(of: Keeper): void
  /** @param runs in threes: sequence, offset behind the last entry, events up to there */
  drainRecorder(of: Keeper, runs: Float64Array): void
  /** Its file is given up, as by `closeRecorder`; what is recorded still goes into its memory. */
  leaveRecorder(of: Keeper, keep: boolean): void
  closeRecorder(of: Keeper, keep: boolean): void
  /**
   * CRC-32C of `bytes[start, end)`, going on from `seed`. Throws a RangeError for a range outside
   * of `bytes`.
   */
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
  /** What `LaneCalls.lane` names it by, until it is closed: then the number is another's. */
  readonly lane: number
}

export interface EntryHandle extends AnyHandle {
  log(text: string): boolean
}

export type RecordHandle = AnyHandle

/** Calls that all handles of a thread share: of that whose lane stands in `lane[0]`. */
export interface LaneCalls extends RecordCalls {
  readonly lane: Int32Array
}

export interface RecordCalls {
  /**
   * The call route: used for sub-ranges, under round-robin, and whenever the lease has no room.
   */
  logBytes(bytes: Uint8Array, start?: number, end?: number): boolean
  /** Writes a string as UTF-8 into the entry that JavaScript is writing: see LEASE.END. */
  putText(text: string): void
  /**
   * Writes up to MOST_TEXTS short strings of ASCII to the places that are left for them: see
   * LEASE.TEXTS and LEASE.END.
   */
  putTexts(...texts: string[]): void
  /**
   * Accepts the entry that JavaScript has written into the leased segment, but for its length: see
   * LEASE.END and LEASE.TIME. Step *accept* of docs/internals/memory-model.md.
   */
  publish(): void
  /** As `publish`, of an entry to which it adds what `putTexts` writes, unless it cannot. */
  publishTexts(...texts: string[]): void
  /**
   * Leases another segment with room for an entry of `bytes`, waiting for one as a log call does.
   * One of RENEWAL.
   */
  renew(bytes: number): number
}

/** What a ring is opened with. */
export interface RingOpening {
  /** Empty: memory. */
  path: string
  segments: number
  about: string
  kind: string
  thread: number
  /** For other addons' events: the number of the lowest level that is kept, and how many fields. */
  leastLevel: number
  mostFields: number
  messageKey: string
}

/** A recorder's, whose ring is one log of records that is never flushed. */
export interface RecorderHandle extends RecordCalls {
  /**
   * `publish` of the log whose lane stands in `lane[0]`, and accepts a copy of the record's bytes
   * in the ring: they end at END of each lease.
   */
  publishBeside(): void
  /** The same with `publishTexts`. */
  publishTextsBeside(...texts: string[]): void
  readonly keeper: Keeper
  /** As NativeBinding.route. */
  readonly direct: DirectWords | null
  /** An external, for other addons: `shardlog_recorder` of include/shardlog/recorder.h. */
  readonly native: object
  /** Where the arena is now that an earlier process has left at the path; null: none. */
  readonly left: string | null
}

let binding: NativeBinding | undefined
let failure: ShardlogError | undefined

/** Which libc `node-gyp-build` takes the system's to be. */
function libcName(): string {
  if (process.platform !== 'linux') return ''
  try {
    return fs.existsSync('/etc/alpine-release') ? ' musl' : ' glibc'
  } catch {
    // Under Node's permission model a file may be kept from us; the message is no worse without
    // this.
    return ''
  }
}

/** What helps against `cause`, where something does. */
function advice(cause: unknown): string {
  const { code } = (cause ?? {}) as { code?: unknown }
  if (code === 'ERR_DLOPEN_DISABLED')
    return ' Node was started without addons: --no-addons, or --permission without --allow-addons.'
  if (code === 'ERR_ACCESS_DENIED') {
    const { resource } = cause as { resource?: unknown }
    return ` Node's permission model keeps ${String(resource ?? 'a file')} from it: allow reading it and the package's folder, and --allow-addons.`
  }
  if (isError(cause) && cause.name === 'ReferenceError') {
    return ' A bundle of ES modules has no folder of its own: leave shardlog out of the bundle (external).'
  }
  return ''
}

/** The loader's message as a sentence. */
function reason(cause: unknown): string {
  const message = (isError(cause) ? cause.message : String(cause)).trim().replace(/\s*\n\s*/g, ', ')
  return message.endsWith('.') ? message : `${message}.`
}

function noNative(cause: unknown): ShardlogError {
  const { versions, arch, platform } = process
  const message =
    `no native build of shardlog loads on ${platform}-${arch}${libcName()}, Node ${versions.node} (Node-API ` +
    `${versions.napi}, ABI ${versions.modules}): ${reason(cause)}${advice(cause)}\n` +
    'One build serves every Node from 20 on. To make it, in a checkout of the repository: npm ci && npm run build:native ' +
    "(needs a C++20 compiler, make and Python 3). Without it, engine 'js' works everywhere; 'auto' chooses it by itself."
  return new ShardlogError('ERR_SHARDLOG_NO_NATIVE', message, { cause })
}

/**
 * The addon of the package as it is installed where a bundle runs, from which its own are missing.
 */
function loadInstalled(): NativeBinding | undefined {
  for (const name of ['shardlog', 'pino']) {
    try {
      const manifest = createRequire(ownFile).resolve(`${name}/package.json`)
      // The installed package's loader, too: a single executable application has only Node's
      // modules for the bundle's own.
      return createRequire(manifest)('node-gyp-build')(path.dirname(manifest)) as NativeBinding
    } catch {
      // Not installed there, or no better than what the bundle has: its own failure is what is
      // told.
    }
  }
  return undefined
}

function load(): NativeBinding {
  try {
    // This very form is what bundlers' tracers recognise and copy the prebuilds for. `path` must be
    // its own name in the compiled file too: hence `import path = require`. They do not read what
    // is newer than ES2020 in this file.
    return require('node-gyp-build')(path.join(__dirname, '..', '..')) as NativeBinding
  } catch (error) {
    const installed = ownFolder === null ? loadInstalled() : undefined
    if (installed === undefined) throw noNative(error)
    return installed
  }
}

/**
 * The addon. Looked for once per thread.
 *
 * @throws ShardlogError `ERR_SHARDLOG_NO_NATIVE`; its `cause` is the loader's own error.
 */
export function loadNative(): NativeBinding {
  if (binding !== undefined) return binding
  if (failure !== undefined) throw failure
  try {
    binding = load()
    return binding
  } catch (error) {
    failure = error as ShardlogError
    throw failure
  }
}
