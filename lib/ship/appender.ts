/**
 * A remote appender in an application: a local log, which takes records as any of the engine's, and
 * a worker thread that ships it.
 */

import path from 'node:path'
import { Worker } from 'node:worker_threads'
import {
  type Appender,
  type AppenderContext,
  type AppenderStats,
  type Destination,
  knownKinds
} from '../appenders/kinds'
import { asShardlogError, ShardlogError } from '../errors'
import type { Reading } from '../metrics'
import { ownFolder } from '../own-place'
import { readingsSym } from '../pino/symbols'
import { clearTimeout, setTimeout } from '../timers'
import { type Job, logOf, type Reply, type Request } from './job'
import type { ShipperStats } from './shipper'

// Bundlers' tracers recognise this form, and copy the file.
function workerFile(): string {
  return path.join(__dirname, 'worker.js')
}

/** The worker's file lies in the package; a bundle has it if it was copied beside it. */
const workerPath = (): string => (ownFolder === null ? workerFile() : path.join(ownFolder, 'ship', 'worker.js'))

/** Longer than the shipper goes on after being told to close. */
const SLACK_MS = 2_000
const MS_PER_S = 1_000
/** First and longest wait before a thread is started again. */
const RESTART_MS = 1_000
const MAX_RESTART_MS = 60_000
const LOCK_MS = 5_000
/**
 * Of what a thread ships nearly all dies young, batch by batch. V8 would let that grow to 48 MiB,
 * and the bytes of as many batches with it; with this it takes no longer.
 */
const YOUNG_MB = 12

class Shipping {
  private worker: Worker
  private readonly flushes = new Map<number, () => void>()
  private nextFlush = 0
  private closed = false
  private onClosed: (() => void) | null = null
  private restart = RESTART_MS
  latest: ShipperStats | null = null
  /** How often the thread has ended by itself. */
  restarts = 0

  constructor(
    private readonly job: Job,
    private readonly report: (error: ShardlogError) => void
  ) {
    this.worker = this.start()
  }

  private start(): Worker {
    const worker = new Worker(workerPath(), {
      workerData: this.job,
      name: `shardlog ship ${this.job.name}`,
      execArgv: [],
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB }
    })
    worker.unref()
    worker.on('message', (reply: Reply) => this.take(reply))
    worker.on('error', error => this.fail(error.message))
    worker.on('exit', code => this.exited(code))
    return worker
  }

  /** A thread that ends by itself is started again: what it has not shipped is in the log. */
  private exited(code: number): void {
    this.settle()
    if (this.closed) return
    this.fail(`the shipping thread ended with ${code}, and is started again`)
    this.restarts++
    const timer = setTimeout(() => {
      if (!this.closed) this.worker = this.start()
    }, this.restart)
    timer.unref()
    this.restart = Math.min(2 * this.restart, MAX_RESTART_MS)
  }

  private take(reply: Reply): void {
    if (reply.kind === 'stats') {
      this.latest = reply.stats
      this.restart = RESTART_MS
    } else if (reply.kind === 'problem') this.report(new ShardlogError(reply.code, reply.message))
    else if (reply.kind === 'closed') this.settle()
    else {
      this.flushes.get(reply.id)?.()
      this.flushes.delete(reply.id)
    }
  }

  private fail(message: string): void {
    this.report(new ShardlogError('ERR_SHARDLOG_SHIP_WORKER', `appender ${this.job.name}: ${message}`))
  }

  /** Nobody waits for a thread that has ended. */
  private settle(): void {
    for (const done of this.flushes.values()) done()
    this.flushes.clear()
    this.onClosed?.()
  }

  private say(request: Request): void {
    this.worker.postMessage(request)
  }

  flush(): Promise<void> {
    if (this.closed || this.worker.threadId < 0) return Promise.resolve()
    const id = this.nextFlush++
    // Who waits is kept alive by the thread.
    this.worker.ref()
    return new Promise<void>(resolve => {
      this.flushes.set(id, resolve)
      this.say({ kind: 'flush', id })
    }).finally(() => this.worker.unref())
  }

  async close(most: number): Promise<void> {
    if (this.closed) return
    this.closed = true
    // Of one that is to be started again nothing is to be had.
    if (this.worker.threadId < 0) return
    this.worker.ref()
    await new Promise<void>(resolve => {
      const timer = setTimeout(resolve, most)
      this.onClosed = () => {
        clearTimeout(timer)
        resolve()
      }
      this.say({ kind: 'close' })
    })
    await this.worker.terminate()
  }
}

/** A local appender's engine, of which metrics are read. */
interface Local extends Appender {
  closeSync?(): void
  readonly stream?: { [readingsSym]?: () => Reading[]; getStatsSnapshot?: () => unknown }
}

class ShippingAppender implements Appender {
  private closing: Promise<void> | null = null

  constructor(
    private readonly local: Local,
    private readonly shipping: Shipping | null,
    private readonly options: {
      name: string
      log: string
      waits: boolean
      closeTimeout: number
      report: (error: ShardlogError) => void
    }
  ) {}

  /** What loggers that write here read metrics of. */
  get stream(): NonNullable<Local['stream']> {
    const { stream } = this.local
    const counts = stream?.getStatsSnapshot ? { getStatsSnapshot: () => stream.getStatsSnapshot?.() } : {}
    return { [readingsSym]: () => this.readings(), ...counts }
  }

  private readings(): Reading[] {
    const { local, shipping } = this
    const { name, log } = this.options
    const latest = shipping?.latest
    const own: Reading[] = latest ? [{ kind: 'ship', of: shipping, path: log, appender: name, stats: latest }] : []
    return [...(local.stream?.[readingsSym]?.() ?? []), ...own]
  }

  get destination(): Destination | undefined {
    return this.local.destination
  }

  writeRaw(lines: readonly string[]): void | Promise<void> {
    return this.local.writeRaw(lines)
  }

  async flush(): Promise<void> {
    await this.local.flush()
    if (this.options.waits) await this.shipping?.flush()
  }

  flushSync(): void {
    this.local.flushSync?.()
  }

  /** Gives the local log up before it returns: another appender opens it next. */
  closeSync(): void {
    this.local.closeSync?.()
    // The cursor is free for the next one when the thread has ended.
    this.close().catch((error: Error) => this.options.report(asShardlogError(error)))
  }

  close(): Promise<void> {
    this.closing ??= this.end()
    return this.closing
  }

  private async end(): Promise<void> {
    await this.local.close()
    const { shipping } = this
    if (!shipping) return
    await shipping.close(this.options.closeTimeout + SLACK_MS)
  }

  stats(): AppenderStats {
    const local = this.local.stats?.() ?? {}
    const latest = this.shipping?.latest
    const shipping = this.shipping === null ? 'process' : latest ? 'worker' : 'starting'
    if (!latest) return { ...local, shipping }
    const { records, deadLetters, failures, gaps, damaged, lagBytes, lagSeconds, circuit, lastError, sequence } = latest
    return {
      ...local,
      shipping,
      restarts: this.shipping?.restarts ?? 0,
      shipped: records,
      sequence,
      deadLetters,
      sendFailures: failures,
      gaps,
      damaged,
      lagBytes,
      lagSeconds,
      circuit,
      lastShippingError: lastError?.message ?? null
    }
  }
}

/**
 * Opens a remote appender: its local log, which rolls, and the thread that ships it. Neither waits
 * for the other side.
 *
 * @throws ShardlogError what the local log cannot be opened for
 */
export function openShipping(type: string, context: AppenderContext): Appender {
  const { name, options, report } = context
  const job: Job = { name, type, options }
  const log = logOf(job)
  const { dir, name: stem, ext } = path.parse(log)
  const format = options.format === 'shard' ? 'shard' : 'ndjson'
  const local = knownKinds()
    .get('RollingFile')!
    .open({
      ...context,
      options: {
        ...options,
        fileName: log,
        filePattern: path.join(dir, `${stem}-%i${ext}`).replaceAll('%%i', '%i'),
        format,
        // `shardlog ship` may be recovering what the process before has left.
        lockTimeout: LOCK_MS,
        maxSize: options.spoolFileSize,
        maxTotalSize: options.spoolSize,
        flushInterval: (options.flushInterval as number) / 2
      }
    })
  const shipping =
    options.shipping === 'process' ? null : new Shipping({ ...job, options: { ...options, format } }, report)
  return new ShippingAppender(local, shipping, {
    name,
    log,
    report,
    waits: options.asyncSend === false,
    closeTimeout: (options.closeTimeout as number) * MS_PER_S
  })
}
