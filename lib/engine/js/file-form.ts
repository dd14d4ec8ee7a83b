import type { BufferSet, Run } from './buffer-set'

/** What a log's file is made of: how it may end, and how a set's runs lie in it. */
export interface FileForm {
  /** Whether a file of `size` bytes ends as such files do. `end`: where the last that we wrote to it ended. */
  isWhole(path: string, size: number, end: number): boolean
  /** Makes an existing file ready for appending. Its size then. */
  mend(path: string): number
  /** Bytes of a run in the file. */
  size(run: Run): number
  /** Puts a run of `set` at `at` of `to`; it will be number `index` of those that `wrote` has not been told of. Its end. */
  put(run: Run, set: BufferSet, to: Buffer, at: number, index: number): number
  /** So many runs are in the file now. */
  wrote(runs: number): void
  /** The next runs go to another file. */
  startFile(): void
}
