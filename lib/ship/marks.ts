/**
 * What is known of a log's files: how far each has been read. A file is found by its inode, or by
 * what it holds, without being compared with all others.
 */

import { type LogFile, logFiles, type OpenFile, rotatedNames } from './rotation'
import { type FileMark, type Proof, proofOf, type ShipState } from './state'

/** Behind what recovery may change of a block's header. */
const HEAD_FROM = 8
/** Most bytes by which files that cannot be the same are told apart. */
const HEAD_BYTES = 256

type Inode = Pick<FileMark, 'dev' | 'ino'>

/** Names an inode. */
export const inodeOf = ({ dev, ino }: Inode): string => `${dev} ${ino}`

const nameOf = ({ bytes, sha256 }: Proof): string => `${bytes} ${sha256}`

/**
 * The first bytes of a file that has been read as far as `end`, of which a copy has the same.
 *
 * @returns undefined if that is too short to tell anything
 */
export async function headOf(file: OpenFile, end: number): Promise<Proof | undefined> {
  const length = Math.min(HEAD_BYTES, end - HEAD_FROM)
  return length > 0 ? proofOf(HEAD_FROM, await file.bytes(HEAD_FROM, length)) : undefined
}

export class FileMarks {
  private readonly marks = new Map<string, FileMark>()
  /** What the cursor has: of files that have been read and not delivered, the mark before. */
  private readonly settled = new Map<string, FileMark>()
  /** Inodes of these files. */
  private readonly passed = new Set<string>()
  /** Inodes by what their files begin with; how many have a beginning of so many bytes. */
  private readonly heads = new Map<string, Set<string>>()
  private readonly lengths = new Map<number, number>()
  /** Inodes whose files' beginnings are not known. */
  private readonly headless = new Set<string>()

  /** @param state gets those of files that are delivered, as `files` */
  constructor(private readonly state: Pick<ShipState, 'files'>) {
    for (const mark of state.files) {
      this.put(mark)
      this.settled.set(inodeOf(mark), mark)
    }
  }

  of(file: Inode): FileMark | undefined {
    return this.marks.get(inodeOf(file))
  }

  /** Whether a file is, untouched, one that was read to its end. */
  isRead(file: LogFile): boolean {
    const mark = this.of(file)
    return mark !== undefined && mark.size === file.size && mark.mtime === file.mtime
  }

  /** Whether a file has been read, and not delivered. */
  isPassed(file: Inode): boolean {
    return this.passed.has(inodeOf(file))
  }

  add(mark: FileMark): void {
    this.put(mark)
    this.settle([mark])
  }

  /** Adds the mark of a file that has been read; `settle` says that it is delivered. */
  pass(mark: FileMark): void {
    this.put(mark)
    this.passed.add(inodeOf(mark))
  }

  settle(marks: readonly FileMark[]): void {
    for (const mark of marks) {
      const key = inodeOf(mark)
      this.passed.delete(key)
      this.settled.delete(key)
      this.settled.set(key, mark)
    }
    if (marks.length > 0) this.write()
  }

  forget(file: Inode): void {
    this.take(inodeOf(file))
    this.settled.delete(inodeOf(file))
    this.write()
  }

  /** Forgets those of files that are not there, but for the last `most` of these. */
  prune(files: readonly LogFile[], most: number): void {
    const there = new Set(files.map(inodeOf))
    const gone = [...this.marks.keys()].filter(key => !there.has(key) && !this.passed.has(key))
    const forgotten = gone.slice(0, Math.max(0, gone.length - most))
    for (const key of forgotten) {
      this.take(key)
      this.settled.delete(key)
    }
    if (forgotten.length > 0) this.write()
  }

  /** Marks of files that an open one may be: that of its own inode first. */
  async like(opened: OpenFile): Promise<FileMark[]> {
    const own = inodeOf(opened.file)
    const keys = new Set(this.marks.has(own) ? [own] : [])
    const bytes = await opened.bytes(HEAD_FROM, Math.max(0, ...this.lengths.keys()))
    for (const length of this.lengths.keys()) {
      if (length > bytes.length) continue
      const head = proofOf(HEAD_FROM, bytes.subarray(0, length))
      for (const key of this.heads.get(nameOf(head)) ?? []) keys.add(key)
    }
    for (const key of this.headless) keys.add(key)
    return [...keys].map(key => this.marks.get(key)!)
  }

  private put(mark: FileMark): void {
    const key = inodeOf(mark)
    this.take(key)
    this.marks.set(key, mark)
    // Without a proof only the inode tells.
    if (mark.proof === null) return
    if (!mark.head) {
      this.headless.add(key)
      return
    }
    const name = nameOf(mark.head)
    const inodes = this.heads.get(name) ?? new Set()
    this.heads.set(name, inodes.add(key))
    this.lengths.set(mark.head.bytes, (this.lengths.get(mark.head.bytes) ?? 0) + 1)
  }

  private take(key: string): void {
    const mark = this.marks.get(key)
    if (!mark) return
    this.marks.delete(key)
    this.passed.delete(key)
    this.headless.delete(key)
    if (!mark.proof || !mark.head) return
    const name = nameOf(mark.head)
    const inodes = this.heads.get(name)!
    inodes.delete(key)
    if (inodes.size === 0) this.heads.delete(name)
    const left = this.lengths.get(mark.head.bytes)! - 1
    if (left > 0) this.lengths.set(mark.head.bytes, left)
    else this.lengths.delete(mark.head.bytes)
  }

  private write(): void {
    this.state.files = [...this.settled.values()]
  }
}

/** Bytes on the disk behind a cursor: what has not been delivered. */
export async function lagOf(
  { current, files }: Pick<ShipState, 'current' | 'files'>,
  log: string,
  rotated: string | null
): Promise<number> {
  const found = await logFiles(rotatedNames(log, rotated), log)
  const marks = new FileMarks({ files })
  let bytes = 0
  for (const file of found.own ? [...found.rotated, found.own] : found.rotated) {
    if (marks.isRead(file)) continue
    const isCurrent = current !== null && inodeOf(file) === inodeOf(current)
    const mark = isCurrent ? current : marks.of(file)
    bytes += Math.max(0, file.size - (mark?.offset ?? 0))
  }
  return bytes
}
