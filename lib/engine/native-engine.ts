/**
 * The native engine: logs that the addon keeps open, and the arenas of sibling processes that it
 * recovers first.
 */

import fs from 'node:fs'
import path from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { arenaPaths } from '../arena/locate'
import { asShardlogError, resumed, ShardlogError } from '../errors'
import type { FlushMetrics, ResolvedConfig, ShardStats, StatsSnapshot } from '../types'
import { type ClosableLogBytes, type DirectRoute, directLogBytes, type Lane } from './direct-route'
import {
  awaitLock,
  coalesced,
  deliver,
  type Engine,
  type EngineControls,
  FLUSH_BOUNDS_MS,
  flushAtExit,
  forgetAtExit
} from './engine'
import { jsLockHolder, lockedError } from './js/lock'
import {
  type Content,
  loadNative,
  type NativeBinding,
  type NativeConfig,
  type NativeHandle,
  type NativeRecovery,
  type RecordCalls
} from './load-native'

interface Wanted extends Pick<ResolvedConfig, 'logFilePath' | 'recoverTo' | 'directIO' | 'arenaDir' | 'onError'> {
  siblings: NonNullable<ResolvedConfig['siblings']>
}

const ARENA_NAME = /^\.?(.*)\.arena$/s

/**
 * Names of logs in the directory that the pattern fits: of files, and of arenas whose log has gone.
 */
function namesIn(directory: string, name: RegExp): string[] {
  const found = fs.readdirSync(directory).flatMap(file => [file, ARENA_NAME.exec(file)?.[1] ?? file])
  return [...new Set(found)].filter(file => name.test(file))
}

const exists = (file: string): boolean => fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined

/**
 * The log of a dead process in which nothing was, and which nobody will ask for again. That it had
 * an arena says that it is ours.
 */
function removeIfEmpty(log: string, recovered: readonly NativeRecovery[]): void {
  const stat = fs.lstatSync(log, { throwIfNoEntry: false })
  const drained = recovered.length > 0 && recovered.every(({ setAside }) => setAside === null)
  if (drained && stat?.isFile() && stat.size === 0) fs.rmSync(log, { force: true })
}

function recoverSibling(native: NativeBinding, log: string, { directIO, arenaDir, onError }: Wanted): number {
  try {
    const arenas = native.recover(log, { force: false, directIO, arenaDir })
    removeIfEmpty(log, arenas)
    return arenas.reduce((sum, { entries }) => sum + entries, 0)
  } catch (error) {
    const problem = asShardlogError(error)
    // Its process lives, or another one that starts just now recovers it.
    if (problem.code !== 'ERR_SHARDLOG_LOCKED') onError?.(problem)
    return 0
  }
}

/**
 * Writes what dead processes left in the arenas of their logs into those logs, where `%p` gave each
 * process one of its own: no process will have their name. What fails is told to `onError`, and is
 * no reason not to log.
 *
 * @returns the number of entries
 */
function recoverSiblings(native: NativeBinding, config: Wanted): number {
  const { siblings, arenaDir, onError } = config
  const own = config.recoverTo ?? config.logFilePath
  let entries = 0
  try {
    for (const name of namesIn(siblings.directory, siblings.name)) {
      const log = path.join(siblings.directory, name)
      if (log !== own && arenaPaths(log, arenaDir).some(exists)) entries += recoverSibling(native, log, config)
    }
  } catch (error) {
    const message = `cannot look for logs of dead processes in ${siblings.directory}: ${(error as Error).message}`
    onError?.(new ShardlogError('ERR_SHARDLOG_RECOVERY', message, { path: siblings.directory, cause: error }))
  }
  return entries
}

/** What the addon calls: null says that writing works again. */
type Report = (error: ShardlogError | null) => void

/** Runs `call`; what it throws or rejects with becomes a ShardlogError. */
function translated<T>(call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw asShardlogError(error)
  }
}

function translatedAsync(promise: Promise<void>): Promise<void> {
  return promise.catch(error => {
    throw asShardlogError(error)
  })
}

function assertNotHeldByJs(log: string): void {
  const holder = jsLockHolder(log)
  if (holder !== undefined) throw lockedError(log, holder, 'JavaScript')
}

/** Assigned, not spread, for what lib/config.ts says of it. */
function withContent<C extends Content>(
  config: ResolvedConfig,
  content: C,
  format: NativeConfig['format']
): NativeConfig & { content: C } {
  return Object.assign({}, config, { content, format })
}

/** A log that is open, and the addon that opened it. */
interface Opened<C extends Content> {
  readonly binding: NativeBinding
  readonly handle: NativeHandle<C>
  /** Entries of dead processes that were written into logs of their own. */
  readonly ofSiblings: number
}

function openHandle<C extends Content>(config: NativeConfig & { content: C }): Opened<C> {
  const binding = translated(loadNative)
  const { siblings } = config
  const ofSiblings = siblings === undefined ? 0 : recoverSiblings(binding, Object.assign({}, config, { siblings }))
  return { binding, handle: awaitLock(config.lockTimeout, () => tryToOpen(binding, config)), ofSiblings }
}

function tryToOpen<C extends Content>(binding: NativeBinding, config: NativeConfig & { content: C }): NativeHandle<C> {
  const { onError, logFilePath, descriptor } = config
  const report: Report | undefined =
    onError && (error => deliver(onError, error ? asShardlogError(error) : resumed(logFilePath)))
  if (descriptor !== undefined) return translated(() => binding.open(config, report))
  assertNotHeldByJs(logFilePath)
  const handle = translated(() => binding.open(config, report))
  // Again now that the addon holds its flock, which a JavaScript engine that starts later sees.
  try {
    assertNotHeldByJs(logFilePath)
  } catch (error) {
    binding.closeSync(handle.keeper)
    throw error
  }
  return handle
}

/** The direct route of an open log; null if it has none. */
function routeOf({ binding, handle: { keeper } }: Opened<Content>): DirectRoute | null {
  const direct = binding.route(keeper)
  if (direct === null) return null
  const { lease, words, changes } = direct
  return { lease, words, changes, buffer: index => binding.buffer(keeper, index) }
}

/** `value` as the addon has made it, with an error of ours in it. Not spread, see lib/config.ts. */
const withLastError = <T extends { lastError: ShardlogError | null }>(value: T): T =>
  Object.assign(value, { lastError: value.lastError === null ? null : asShardlogError(value.lastError) })

/** The calls of one log, and how to take them from whoever closes it. */
interface ClosableCalls extends RecordCalls {
  /** Whoever makes a call but `logBytes` sets the lane first, and makes none once it is closed. */
  readonly lane: Lane
  close(): void
}

/** In place of a lane's number. */
const CLOSED_LANE = -1

/**
 * The shared calls as those of one log. The functions are JavaScript's own: what V8 makes for one
 * of the addon's stays until its next full collection.
 */
function callsOf({ binding, handle }: Opened<Content>): ClosableCalls {
  const { keeper } = handle
  const { lane: word, logBytes, putText, putTexts, publish, publishTexts, renew } = binding.lanes
  const lane: Lane = { word, own: handle.lane }
  return {
    lane,
    logBytes: (bytes, start, end) => {
      if (lane.own < 0) return binding.drop(keeper, bytes, start, end)
      word[0] = lane.own
      return logBytes(bytes, start, end)
    },
    putText,
    putTexts,
    publish,
    publishTexts,
    renew,
    close: () => {
      lane.own = CLOSED_LANE
    }
  }
}

/** The fastest `logBytes` there is, and how to take it from a logger that closes. */
function openLogBytes(opened: Opened<'entries'>): ClosableLogBytes {
  const calls = callsOf(opened)
  const direct = directLogBytes(calls, () => routeOf(opened))
  const close = (): void => {
    direct.close()
    calls.close()
  }
  return { logBytes: direct.logBytes, close }
}

/**
 * The addon writes what is left when the process ends. Of a descriptor, whose reader may be slow,
 * that begins earlier, so that handlers of 'exit' find the counters final. Returns what forgets the
 * handle. A thread's end is not that of a log which other threads share.
 */
function watchExit({ binding, handle: { keeper } }: Opened<'records'>, { descriptor }: ResolvedConfig): () => void {
  if (descriptor === undefined || !isMainThread) return () => undefined
  const ending = { atExit: () => binding.finish(keeper) }
  flushAtExit(ending)
  return () => forgetAtExit(ending)
}

const NS_PER_MS = 1e6

function flushMetrics({ binding, handle: { keeper } }: Opened<Content>): FlushMetrics {
  const bounds = FLUSH_BOUNDS_MS.map(bound => Math.round(bound * NS_PER_MS))
  const metrics = binding.flushMetrics(keeper, bounds)
  const { buckets: counts } = metrics
  const buckets = FLUSH_BOUNDS_MS.map((leMs, i) => ({ leMs, count: counts[i]! }))
  return withLastError(Object.assign(metrics, { buckets }) as unknown as FlushMetrics)
}

/** What the statistics of a log were when it was closed. */
interface LastNumbers {
  readonly stats: StatsSnapshot
  readonly flushes: FlushMetrics
  readonly shards: ShardStats[]
}

/**
 * The statistics of an open log. Those of one that has ended are kept here, and not by the addon,
 * whose memory V8 does not know of: it would be in no hurry to collect a closed logger.
 */
class Numbers {
  readonly #opened: Opened<Content>
  #last: LastNumbers | null = null

  constructor(opened: Opened<Content>) {
    this.#opened = opened
  }

  /** The log is closed. */
  keep(): void {
    if (this.#last !== null) return
    const { binding, handle } = this.#opened
    const last = { stats: this.stats(), flushes: this.flushes(), shards: this.shards() }
    if (binding.forget(handle.keeper)) this.#last = last
  }

  stats(): StatsSnapshot {
    const { binding, handle, ofSiblings } = this.#opened
    if (this.#last === null) {
      const stats = withLastError(binding.stats(handle.keeper))
      return Object.assign(stats, { recoveredLogs: stats.recoveredLogs + ofSiblings })
    }
    const { all, empty } = binding.drops(handle.keeper)
    const { stats } = this.#last
    return {
      ...stats,
      totalLogs: stats.totalLogs + all,
      droppedLogs: stats.droppedLogs + all,
      emptyLogs: stats.emptyLogs + empty
    }
  }

  flushes(): FlushMetrics {
    return this.#last === null ? flushMetrics(this.#opened) : { ...this.#last.flushes }
  }

  shards(): ShardStats[] {
    const { binding, handle } = this.#opened
    return this.#last === null ? binding.shardStats(handle.keeper) : this.#last.shards.map(shard => ({ ...shard }))
  }
}

/** The controls of an open log. `closing`: stops what writes past the handle. */
function controls(opened: Opened<Content>, closing: () => void): EngineControls {
  const {
    binding,
    handle: { keeper }
  } = opened
  const numbers = new Numbers(opened)
  return {
    kind: 'native',
    flush: coalesced(() => translatedAsync(binding.flush(keeper))),
    flushSync: () => translated(() => binding.flushSync(keeper)),
    close: () => {
      closing()
      return translatedAsync(binding.close(keeper)).finally(() => numbers.keep())
    },
    closeSync: () => {
      closing()
      translated(() => binding.closeSync(keeper))
      numbers.keep()
    },
    stats: () => numbers.stats(),
    flushMetrics: () => numbers.flushes(),
    shardStats: () => numbers.shards()
  }
}

/**
 * Opens (or joins) the log with the addon. Throws with the addon's codes, and
 * ERR_SHARDLOG_NO_NATIVE.
 */
export function openNativeEngine(config: ResolvedConfig): Engine {
  const opened = openHandle(withContent(config, 'entries', 'shard'))
  const { logBytes, close } = openLogBytes(opened)
  return Object.assign(controls(opened, close), { log: opened.handle.log, logBytes })
}

/** A log of records: what `lib/record/record-encoder.ts` writes to, and the rest of an engine. */
export interface NativeRecords {
  readonly target: RecordCalls & { readonly direct: DirectRoute | null; readonly lane: Lane }
  /** @param closing called first by close and closeSync */
  controls(closing: () => void): EngineControls
}

/** As `openNativeEngine`, for records. `format`: what is made of them. */
export function openNativeRecords(config: ResolvedConfig, format: NativeConfig['format']): NativeRecords {
  const opened = openHandle(withContent(config, 'records', format))
  const { lane, logBytes, putText, putTexts, publish, publishTexts, renew, close } = callsOf(opened)
  const forget = watchExit(opened, config)
  const end = (closing: () => void): void => {
    forget()
    closing()
    close()
  }
  return {
    target: { direct: routeOf(opened), lane, logBytes, putText, putTexts, publish, publishTexts, renew },
    controls: closing => controls(opened, () => end(closing))
  }
}
