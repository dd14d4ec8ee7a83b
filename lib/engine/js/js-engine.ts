import fs from 'node:fs'
import path from 'node:path'
import { fromSystemError, ShardlogError } from '../../errors'
import type { FlushMetrics, ResolvedConfig, ShardStats, StatsSnapshot } from '../../types'
import { deliver } from '../deliver'
import type { Engine } from '../engine'
import { checkNoArena } from './arena-check'
import { flushAtExit, forgetAtExit } from './exit-hook'
import type { Form } from './geometry'
import { JsLog } from './js-log'

const IO_ALIGNMENT = 512
const NO_DIRECT_IO = 'the JavaScript engine writes through the page cache'

/** A log and the loggers of this thread that share it. */
interface Shared {
  key: string
  log: JsLog
  handles: Set<JsEngine>
}

/** By real path. Each thread has its own. */
const registry = new Map<string, Shared>()

function report(handles: Set<JsEngine>, error: ShardlogError): void {
  for (const handle of handles) {
    if (handle.onError !== undefined) deliver(handle.onError, error)
  }
}

/** The path without symbolic links; of a log that does not exist yet, its directory's. */
function realPathOf(file: string): string {
  try {
    if (fs.existsSync(file)) return fs.realpathSync(file)
    return path.join(fs.realpathSync(path.dirname(file)), path.basename(file))
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot open ${file}`, error, file)
  }
}

const KINDS: Record<Form, string> = { blocks: 'log of entries', text: 'text file' }

function otherForm(path: string, open: Form, wanted: Form): ShardlogError {
  const message = `${path} is open in this process as a ${KINDS[open]}, not as a ${KINDS[wanted]}`
  return new ShardlogError('ERR_SHARDLOG_CONFIG', message, { path })
}

function openLog(config: ResolvedConfig, form: Form): Shared {
  const key = realPathOf(config.logFilePath)
  const known = registry.get(key)
  if (known !== undefined) {
    if (known.log.form !== form) throw otherForm(key, known.log.form, form)
    return known
  }
  checkNoArena(key)
  const handles = new Set<JsEngine>()
  const log = new JsLog(config, form, key, error => report(handles, error))
  const shared = { key, log, handles }
  registry.set(key, shared)
  flushAtExit(log)
  return shared
}

/** One logger's view of a log in the JavaScript engine. */
class JsEngine implements Engine {
  readonly kind = 'js'
  readonly log: (text: string) => boolean
  readonly logBytes: (bytes: Uint8Array, start?: number, end?: number) => boolean
  readonly onError: ResolvedConfig['onError']
  readonly #shared: Shared
  /** Whether entries are refused. */
  #closed = false
  /** Whether a close has ended. */
  #left = false

  constructor(config: ResolvedConfig, form: Form) {
    this.onError = config.onError
    this.#shared = openLog(config, form)
    this.#shared.handles.add(this)
    const { log } = this.#shared
    log.flusher.closing = false
    // Closures rather than methods, so that they can be passed around without their logger.
    this.log = text => (this.#closed ? refuse(log) : log.log(text))
    this.logBytes = (bytes, start, end) => (this.#closed ? refuse(log) : log.logBytes(bytes, start, end))
  }

  async flush(): Promise<void> {
    if (!this.#closed) await this.#shared.log.flusher.flush()
  }

  flushSync(): void {
    if (!this.#closed) this.#shared.log.flusher.flushSync()
  }

  async close(): Promise<void> {
    if (this.#left) return
    this.#beginClose()
    try {
      await this.#shared.log.flusher.flush()
    } finally {
      this.#leave()
    }
  }

  closeSync(): void {
    if (this.#left) return
    this.#beginClose()
    try {
      this.#shared.log.flusher.flushSync()
    } finally {
      this.#leave()
    }
  }

  #beginClose(): void {
    const { log, handles } = this.#shared
    this.#closed = true
    log.flusher.closing = [...handles].every(handle => handle.#closed)
  }

  #leave(): void {
    const { key, log, handles } = this.#shared
    this.#left = true
    if (!handles.delete(this) || handles.size > 0) return
    registry.delete(key)
    forgetAtExit(log)
    log.shut()
  }

  stats(): StatsSnapshot {
    const { log, handles } = this.#shared
    const { writesOfShard: _, ...counted } = log.counters
    return {
      ...counted,
      recoveredLogs: 0,
      producers: handles.size > 0 ? 1 : 0,
      engine: 'js',
      crashSafe: false,
      arenaPath: null,
      directIO: false,
      directIOReason: NO_DIRECT_IO,
      ioAlignment: IO_ALIGNMENT,
      lastError: log.flusher.lastError
    }
  }

  flushMetrics(): FlushMetrics {
    const { log } = this.#shared
    return { ...log.times.metrics(), lastError: log.flusher.lastError }
  }

  shardStats(): ShardStats[] {
    const { log } = this.#shared
    const room = log.geometry.shardBytes - 8
    return log.buffers.active.shards.map(shard => ({
      shardId: shard.id,
      utilizationPct: Math.min(100, (shard.usedBytes / room) * 100),
      writeCount: log.counters.writesOfShard[shard.id]!
    }))
  }
}

/** A log call after close: counted, never an error. */
function refuse(log: JsLog): false {
  log.counters.totalLogs++
  return log.counters.drop()
}

/**
 * @param form what the file is made of
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if this process has the file open in another form, `ERR_SHARDLOG_DIRECT_IO`, `ERR_SHARDLOG_LOCKED`, `ERR_SHARDLOG_ARENA_LEFT`, `ERR_SHARDLOG_IO`
 */
export function openJsEngine(config: ResolvedConfig, form: Form = 'blocks'): Engine {
  if (config.directIO === 'required') {
    const message = `option directIO is 'required', but ${NO_DIRECT_IO}; it needs engine 'native' or directIO 'auto' or 'off'`
    throw new ShardlogError('ERR_SHARDLOG_DIRECT_IO', message, { path: config.logFilePath })
  }
  return new JsEngine(config, form)
}
