import { isMainThread } from 'node:worker_threads'
import { asShardlogError, resumed, type ShardlogError } from '../errors'
import type { ResolvedConfig, StatsSnapshot } from '../types'
import { awaitLock } from './await-lock'
import { coalesced } from './coalesced'
import { deliver } from './deliver'
import { type ClosableLogBytes, directLogBytes, withIndexes } from './direct-route'
import type { Engine, EngineControls } from './engine'
import { flushAtExit, forgetAtExit } from './exit-hook'
import { jsLockHolder, lockedError } from './js/lock'
import { loadNative } from './load-native'
import type { NativeConfig, NativeHandle } from './native-binding'
import { recoverSiblings } from './recover-siblings'

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

function refuseIfHeldByJs(log: string): void {
  const holder = jsLockHolder(log)
  if (holder !== undefined) throw lockedError(log, holder, 'JavaScript')
}

function openHandle(config: NativeConfig): NativeHandle {
  recoverSiblings(translated(loadNative), config)
  return awaitLock(config.lockTimeout, () => tryToOpen(config))
}

function tryToOpen(config: NativeConfig): NativeHandle {
  const { onError, logFilePath, descriptor } = config
  const report: Report | undefined =
    onError && (error => deliver(onError, error ? asShardlogError(error) : resumed(logFilePath)))
  if (descriptor !== undefined) return translated(() => loadNative().open(config, report))
  refuseIfHeldByJs(logFilePath)
  const handle = translated(() => loadNative().open(config, report))
  // Again now that the addon holds its flock, which a JavaScript engine that starts later sees.
  try {
    refuseIfHeldByJs(logFilePath)
  } catch (error) {
    handle.closeSync()
    throw error
  }
  return handle
}

const withLastError = <T extends { lastError: ShardlogError | null }>(value: T): T => ({
  ...value,
  lastError: value.lastError === null ? null : asShardlogError(value.lastError)
})

/** The fastest `logBytes` there is, and how to take it from a logger that closes. */
function openLogBytes(handle: NativeHandle): ClosableLogBytes {
  if (handle.direct !== null) return directLogBytes(handle, handle.direct)
  return { logBytes: withIndexes(handle.logBytes), close: () => undefined }
}

/**
 * The addon writes what is left when the process ends. Of a descriptor, whose reader may be slow, that begins earlier, so that handlers of
 * 'exit' find the counters final. Returns what forgets the handle. A thread's end is not that of a log which other threads share.
 */
function watchExit(handle: NativeHandle, { descriptor }: ResolvedConfig): () => void {
  if (descriptor === undefined || !isMainThread) return () => undefined
  const ending = { atExit: () => handle.finish() }
  flushAtExit(ending)
  return () => forgetAtExit(ending)
}

/** The controls of an open log. `closing`: stops what writes past the handle. */
function controls(handle: NativeHandle, closing: () => void): EngineControls {
  return {
    kind: 'native',
    flush: coalesced(() => translatedAsync(handle.flush())),
    flushSync: () => translated(() => handle.flushSync()),
    close: () => {
      closing()
      return translatedAsync(handle.close())
    },
    closeSync: () => {
      closing()
      translated(() => handle.closeSync())
    },
    stats: (): StatsSnapshot => withLastError(handle.stats()),
    flushMetrics: () => withLastError(handle.flushMetrics()),
    shardStats: () => handle.shardStats()
  }
}

/** Opens (or joins) the log with the addon. Throws with the addon's codes, and ERR_SHARDLOG_NO_NATIVE. */
export function openNativeEngine(config: ResolvedConfig): Engine {
  const handle = openHandle({ ...config, content: 'entries', form: 'blocks' })
  const bytes = openLogBytes(handle)
  return { ...controls(handle, bytes.close), log: handle.log, logBytes: bytes.logBytes }
}

/** A log of records: what `lib/record/encode.ts` writes to, and the rest of an engine. */
export interface NativeRecords {
  readonly target: Pick<NativeHandle, 'direct' | 'logBytes' | 'putText' | 'publish' | 'renew'>
  /** @param closing called first by close and closeSync */
  controls(closing: () => void): EngineControls
}

/** As `openNativeEngine`, for records. `form`: what is made of them. */
export function openNativeRecords(config: ResolvedConfig, form: NativeConfig['form']): NativeRecords {
  const handle = openHandle({ ...config, content: 'records', form })
  const forget = watchExit(handle, config)
  const end = (closing: () => void): void => {
    forget()
    closing()
  }
  return { target: handle, controls: closing => controls(handle, () => end(closing)) }
}
