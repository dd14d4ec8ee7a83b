import type { ShardlogError } from '../../errors'
import type { BufferSet } from './buffer-set'

/** What a step of writing came to. 'stalled': nobody takes anything at the moment. */
export type Step = 'done' | 'more' | 'stalled'

/** Writes sealed sets, one after the other, a step at a time. */
export interface Writer {
  begin(set: BufferSet): void
  /**
   * Writes a part of the present set. 'done' when all of it is written, or nobody wants it any more.
   *
   * @throws what kept it from being written; the next call goes on there
   */
  step(): Step
  /** After a step that is 'stalled': how many ms a call may still wait; 0: no longer. */
  patience(): number
  /** The log is at its end: `patience` is `exitTimeout` from now. */
  hurry(): void
  /** Gives the rest of the present set up. The number of entries that are lost. */
  abandon(): number
}

/** Where a log's entries go. */
export interface Outlet {
  readonly writer: Writer
  /** For messages. */
  readonly name: string
  /** Of a file. */
  readonly path: string | undefined
  readonly ioAlignment: number
  /** Why writes do not bypass the page cache. */
  readonly ioReason: string
  /** Lets other processes have it. */
  unlock(): void
  close(): void
}

/** Nothing can be written any more, which is no reason to try again: entries are dropped and counted from now on. */
export class OutletGone extends Error {
  constructor(
    readonly told: ShardlogError,
    /** Whether that is usual, and told by `lastError` alone. */
    readonly isUsual: boolean
  ) {
    super(told.message)
  }
}
