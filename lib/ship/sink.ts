/** What a sink is: where batches of records go; and how it says that it could not take one. */

import type { ShardlogErrorDetails } from '../errors'
import { ShardlogError } from '../errors'

/** One record, without the newline that may end it: `data[start, end)`. */
export interface ShipRecord {
  readonly data: Buffer
  readonly start: number
  readonly end: number
}

/**
 * Records that follow each other in a log. The id of a record is the batch's stream and the
 * record's sequence, which is `first` for the first one and grows by one: the same whenever it is
 * sent again.
 */
export interface Batch {
  /** 16 hexadecimal digits: of a shipper's cursor, as long as it can go on where it was. */
  readonly stream: string
  readonly first: number
  readonly records: readonly ShipRecord[]
  /** Bytes of the records. */
  readonly bytes: number
  /** ms since the epoch when the first record was read. */
  readonly time: number
}

/** The id of record `index` of a batch. */
export function idOf(batch: Batch, index: number): string {
  return `${batch.stream}-${batch.first + index}`
}

/** The records `[from, to)` of a batch, with the ids that they have in it. */
export function partOf(batch: Batch, from: number, to: number): Batch {
  const records = batch.records.slice(from, to)
  const bytes = records.reduce((sum, record) => sum + record.end - record.start, 0)
  return { ...batch, first: batch.first + from, records, bytes }
}

/** What a record says, as text. */
export function textOf({ data, start, end }: ShipRecord): string {
  return data.toString('utf8', start, end)
}

export interface SinkErrorDetails extends ShardlogErrorDetails {
  /** The other side will never take this batch: it is split, and a single record set aside. */
  refused?: boolean
  /** With `refused`: some of it was taken, and nobody knows which; it must not be sent again. */
  whole?: boolean
  /** It may be taken in smaller parts: it is split when it has failed some times. */
  smaller?: boolean
  /** The other side asked to be left alone for so many ms. */
  retryAfter?: number | undefined
}

/** A batch was not taken, or it is not known whether it was. */
export class SinkError extends ShardlogError {
  readonly refused: boolean
  readonly whole: boolean
  readonly smaller: boolean
  readonly retryAfter: number | undefined

  constructor(message: string, details: SinkErrorDetails = {}) {
    super('ERR_SHARDLOG_SHIP_SEND', message, details)
    this.refused = details.refused ?? false
    this.whole = details.whole ?? false
    this.smaller = details.smaller ?? false
    this.retryAfter = details.retryAfter
  }
}

/** Where batches go. Batches are sent one after the other. */
export interface Sink {
  /** What it is and where it leads, without secrets, for messages and the status. */
  readonly target: string
  /** Most bytes of records that it takes at once; default: what the shipper is told. */
  readonly batchBytes?: number
  /**
   * Sends a batch; resolves when the other side has taken all of it.
   *
   * @param signal fires when nobody waits any more: the time is over, or the shipper ends
   * @throws SinkError if all of it has to be sent again, or is refused for good; any other error
   *   counts as one that may pass
   */
  send(batch: Batch, signal: AbortSignal): Promise<void>
  /**
   * Makes what `send` will need of a batch, while the one before it is on its way. What fails then
   * fails again when it is sent.
   */
  prepare?(batch: Batch): Promise<void>
  /** Gives up connections. Nothing is sent afterwards. */
  close(): Promise<void>
  /** What the sink counts of itself. */
  stats?(): Readonly<Record<string, number | string>>
}

/** Rejects when the signal fires, for whatever may never end by itself. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal, what: string): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(new SinkError(`${what}: no answer in time`))
    if (signal.aborted) stop()
    signal.addEventListener('abort', stop, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop))
  })
}
