import type { BufferSet, Run } from './buffer-set'

/** What of a run is whole in a file. */
export interface Whole {
  /** Bytes of its entries. */
  bytes: number
  entries: number
}

/** What a log's file is made of: how it may end, and how a set's runs lie in it. */
export interface FileForm {
  /** What is written lies in the file at multiples of it. */
  readonly alignment: number
  /** Whether a file of `size` bytes ends as such files do. `end`: where the last that we wrote to it ended. */
  isWhole(path: string, size: number, end: number): boolean
  /** Makes an existing file ready for appending. Its size then. */
  mend(path: string): number
  /** Bytes of a run in the file. */
  size(run: Run): number
  /** Puts a run of `set` at `at` of `to`; it will be number `index` of those that `wrote` has not been told of. Its end. */
  put(run: Run, set: BufferSet, to: Buffer, at: number, index: number): number
  /** What readers find of a run of which the first `out` bytes of what `put` made are the last in the file. */
  whole(run: Run, out: number): Whole
  /** Somebody has appended behind the first `out` bytes of a run, which lie at `offset`. What of it stays as it is. */
  cutOff(run: Run, path: string, offset: number, out: number): Whole
  /** So many runs are in the file now. */
  wrote(runs: number): void
  /** The next runs go to another file. */
  startFile(): void
}
