/** The public face of recorders: what lies behind is loaded with the first one. */

import { type MetricLabels, openMetrics, type Reading, recorderReading } from './metrics'
import { readingsSym } from './pino/symbols'
import type { RecordedEvent } from './recorder/decode'
import type { EventBuilder, EventDraft, EventFields } from './recorder/events'
import type { RecorderOptions } from './recorder/options'
import { type RecorderStats, RingRecorder, type SnapshotOptions } from './recorder/recorder'
import { readSnapshot as read, type Snapshot } from './recorder/snapshot'

/**
 * The flight recorder of one thread: keeps its latest events, and makes snapshots of them. Threads
 * of a process that name one path share its ring.
 */
export class Recorder {
  readonly #recorder: RingRecorder

  /**
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG`, `ERR_SHARDLOG_LOCKED`, `ERR_SHARDLOG_NO_NATIVE`,
   *   `ERR_SHARDLOG_ARENA_OWNER`, `ERR_SHARDLOG_IO`
   */
  constructor(options: RecorderOptions = {}) {
    this.#recorder = new RingRecorder(options)
  }

  /**
   * Keeps an event.
   *
   * @param level name of its level
   * @param target name of what it is of: a logger, a module
   * @param fields its values; of more than `maxFields`, the first are kept
   * @returns false: dropped and counted, below the recorder's level, or closed
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for an unknown level; what a getter of a field
   *   throws
   */
  record(level: string, target: string, message: string, fields: EventFields | null = null): boolean {
    return this.#recorder.record(level, target, message, fields, Recorder.prototype.record)
  }

  /** As `record`, of an event that a builder has made. */
  add(event: EventDraft): boolean {
    return this.#recorder.add(event, Recorder.prototype.add)
  }

  /** An event to be made piece by piece. */
  event(): EventBuilder {
    return this.#recorder.event()
  }

  /**
   * The events that the ring holds now, in the order of time. They stay in it but with `drain`.
   *
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for an unknown option
   */
  takeSnapshot(options: SnapshotOptions = {}): RecordedEvent[] {
    return this.#recorder.takeSnapshot(options)
  }

  /**
   * Writes a file of the events that the ring holds at the call, in steps of some milliseconds.
   *
   * @param reason becomes part of the file's name. Default 'manual'
   * @param options `drain`: takes them out of the ring once the file is written
   * @returns its path. Rejects with ShardlogError `ERR_SHARDLOG_SNAPSHOT` or
   *   `ERR_SHARDLOG_PACKAGE`, which is also told on stderr once, and counted;
   *   `ERR_SHARDLOG_CONFIG` for an unknown option
   */
  snapshot(reason = 'manual', options: SnapshotOptions = {}): Promise<string> {
    return this.#recorder.snapshot(reason, options)
  }

  /**
   * Snapshots of what earlier processes left at the path when they were killed, once they are
   * written. Never rejects.
   */
  get harvested(): Promise<string[]> {
    return this.#recorder.harvested
  }

  /**
   * Once the snapshots written so far are uploaded, or given up until another upload succeeds or
   * the next start: whether all are. True if there is no option `upload`. Never rejects.
   */
  uploaded(): Promise<boolean> {
    return this.#recorder.uploaded()
  }

  /**
   * For other addons, which record into the ring by it without a call of JavaScript: an external
   * value, `shardlog_recorder` of the package's `include/shardlog/recorder.h`. null with the
   * JavaScript engine.
   */
  get native(): object | null {
    return this.#recorder.native
  }

  /** Counters of the ring, and of this thread's snapshots. */
  get stats(): RecorderStats {
    return this.#recorder.stats
  }

  /** Events in the ring. */
  get length(): number {
    return this.#recorder.length
  }

  /**
   * Events that the ring is laid out for; of one that is laid out for bytes, as many of the mean
   * size of those in it.
   */
  get capacity(): number {
    return this.#recorder.capacity
  }

  /** Used share of the ring, 0 to 1. */
  get utilization(): number {
    return this.#recorder.utilization
  }

  /**
   * Its counters as OpenMetrics text.
   *
   * @param labels of all samples; each has the `path` of the ring, if it is a file
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for labels that the format has no place for
   */
  metrics(labels: MetricLabels = {}): string {
    return openMetrics(this[readingsSym](), labels)
  }

  /** @internal */
  [readingsSym](): Reading[] {
    return [recorderReading(this.#recorder)]
  }

  /**
   * Ends it for this thread; its file is removed with the last one. Runs by itself at the end of
   * the process or thread. Idempotent.
   */
  close(): void {
    this.#recorder.close()
  }
}

/**
 * What a snapshot's file says.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CORRUPT`, `ERR_SHARDLOG_IO`, `ERR_SHARDLOG_PACKAGE`
 */
export function readSnapshot(file: string): Snapshot {
  return read(file)
}
