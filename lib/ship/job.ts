/** A shipper by the options of an appender: what a worker thread and `shardlog ship` run. */

import path from 'node:path'
import { bytesOf } from '../appenders/rolling-file'
import { substitute } from '../config'
import { asShardlogError } from '../errors'
import { clientConfig } from './kafka-config'
import { pause, Shipper, type ShipperOptions, type ShipperStats } from './shipper'
import type { Sink } from './sink'

type Options = Readonly<Record<string, unknown>>

/** What is to be shipped where. Plain values, for a thread. */
export interface Job {
  /** Name of the appender. */
  name: string
  type: string
  /** In camelCase, with defaults. */
  options: Options
}

/** To the worker. */
export type Request = { kind: 'flush'; id: number } | { kind: 'close' }

/** From the worker. */
export type Reply =
  | { kind: 'stats'; stats: ShipperStats }
  | { kind: 'problem'; code: string; message: string }
  | { kind: 'flushed'; id: number }
  | { kind: 'closed' }

const MS_PER_S = 1_000
/** A reload or a restart may still have the cursor. */
const LOCK_RETRY_MS = 200

/** The local log of an appender, absolute. */
export function logOf({ name, options }: Job): string {
  const { fileName = defaultLog(name) } = options
  return path.resolve(substitute(String(fileName)))
}

/** The local log of an appender that names none. */
export const defaultLog = (name: string): string => path.join('shardlog-spool', `${name.replace(/[^\w.-]/g, '_')}.log`)

export function cursorOf(job: Job): string {
  const log = logOf(job)
  const { cursor } = job.options
  if (typeof cursor === 'string') return path.resolve(cursor)
  return path.join(path.dirname(log), `.${path.basename(log)}.${job.name.replace(/[^\w.-]/g, '_')}.cursor`)
}

const ms = (value: unknown): number => (value as number) * MS_PER_S
const textOr = <Other>(value: unknown, other: Other): string | Other => (typeof value === 'string' ? value : other)

/** The shipper's options of an appender's. */
export function shipperOptions(job: Job): ShipperOptions {
  const { name, options } = job
  const log = logOf(job)
  const cursor = cursorOf(job)
  const retry = options.retry as Record<string, number>
  const circuit = options.circuit as Record<string, number>
  const batching = job.type === 'Kafka' ? clientConfig(options.producerConfig as Options).batching : {}
  return {
    log,
    cursor,
    folder: path.dirname(cursor),
    format: options.format as ShipperOptions['format'],
    arenaDir: textOr(options.arenaDir, undefined),
    rotated: textOr(options.rotated, null),
    start: options.start as ShipperOptions['start'],
    recoverAfter: ms(options.recoverAfter),
    deadLetters: textOr(options.deadLetters, `${log}.${name.replace(/[^\w.-]/g, '_')}.dead`),
    deadLetterBytes: bytesOf(options.deadLetterSize),
    batchSize: batching.batchSize ?? (options.batchSize as number),
    batchBytes: bytesOf(options.batchBytes),
    flushInterval: batching.flushInterval ?? ms(options.flushInterval) / 2,
    pollInterval: Math.min(100, ms(options.flushInterval) / 2),
    commitInterval: ms(options.commitInterval),
    timeout: ms(options.timeout),
    closeTimeout: ms(options.closeTimeout),
    retry: {
      base: ms(retry.base),
      cap: ms(retry.cap),
      attempts: retry.attempts!,
      afterCap: ms(retry.afterCap)
    },
    circuit: { failures: circuit.failures!, recovery: ms(circuit.recovery), successes: circuit.successes! }
  }
}

/**
 * Starts a shipper as soon as nobody else has its cursor.
 *
 * @param signal ends the waiting: null is returned then
 */
export async function startWhenFree(
  options: ShipperOptions,
  sink: Sink,
  onProblem: (error: Error) => void,
  signal: AbortSignal
): Promise<Shipper | null> {
  for (let told = false; !signal.aborted; ) {
    try {
      return await Shipper.start(options, sink, onProblem)
    } catch (thrown) {
      const error = asShardlogError(thrown)
      if (error.code !== 'ERR_SHARDLOG_LOCKED') throw error
      if (!told) onProblem(error)
      told = true
      await pause(LOCK_RETRY_MS, signal)
    }
  }
  return null
}
