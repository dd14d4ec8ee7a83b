/**
 * The rotated files of a log that are still to be read, in their order. The folder is not looked
 * through for each of them; and the cursor says beforehand which ones come next, so that a batch
 * may have records of several files and a crash leaves no doubt about their ids.
 */

import { performance } from '../timers'
import { inodeOf } from './marks'
import { fileAt, type LogFile, type OpenFile } from './rotation'
import type { FileMark, PlannedFile } from './state'

/** What was seen of the folder is good for so long. */
const SEEN_MS = 5_000
/** So many files are planned at once: as many are read again after a crash, at the most. */
const PLANNED = 200
/** How often a file that has been renamed meanwhile is looked for anew. */
const TRIES = 10

/** A file that comes next, open; from the mark on, or from its start. */
export interface Upcoming {
  opened: OpenFile
  mark: FileMark | null
}

export interface Listing {
  rotated: LogFile[]
  own: LogFile | null
}

export interface BacklogEvents {
  /** Looks through the folder. */
  list(): Promise<Listing>
  /** Whether a file need not be opened: it is being read, or has been. */
  isDone(file: LogFile): boolean
  /** Opens a file that has something unread; null: it is not there, or cannot be read. */
  judge(file: LogFile): Promise<Upcoming | 'read' | null>
}

export const plannedAs = ({ dev, ino, size }: LogFile): PlannedFile => ({ dev, ino, size })

const isPlanned = (file: LogFile, planned: PlannedFile | undefined): boolean =>
  planned !== undefined && inodeOf(file) === inodeOf(planned) && file.size === planned.size

export class Backlog {
  /** The oldest one. */
  upcoming: Upcoming | null = null
  /** Files that records with ids may have been sent of are not what they were. */
  uncertain = false
  /** Those behind it, the last one first; null: one that is not there any more. */
  private queue: (LogFile | null)[] = []
  private seenAt = Number.NEGATIVE_INFINITY
  /** What the cursor says: the file that is being read, and those that follow it. */
  private planned: PlannedFile[] = []
  /** The files as they were last seen, and the one at the log's path. */
  seen: readonly LogFile[] = []
  own: LogFile | null = null

  constructor(private readonly events: BacklogEvents) {}

  /**
   * Goes on where a shipper that crashed was.
   *
   * @param ahead files of its plan that have not been delivered
   */
  resume(ahead: readonly PlannedFile[], { rotated }: Listing): void {
    const there = new Map(rotated.map(file => [inodeOf(file), file]))
    this.queue = ahead
      .flatMap(one => {
        const file = there.get(inodeOf(one)) ?? null
        // One that has grown may have had fewer ids.
        return file !== null && file.size !== one.size ? [null, file] : [file]
      })
      .reverse()
    if (ahead.length > 0) this.seenAt = Number.POSITIVE_INFINITY
  }

  /**
   * The oldest rotated file that has something unread, which is `upcoming` then; null: there is
   * none, and `own` is the file at the log's path, as it is now.
   */
  async next(): Promise<LogFile | null> {
    if (this.upcoming === null && performance.now() - this.seenAt < SEEN_MS) await this.first()
    for (let tries = 1; this.upcoming === null && tries <= TRIES; tries++) {
      await this.look()
      if ((await this.first()) !== 'moved') break
    }
    return this.upcoming?.opened.file ?? null
  }

  /** Opens the first one of the queue that has something unread. */
  private async first(): Promise<'moved' | undefined> {
    while (this.queue.length > 0) {
      const file = this.queue.at(-1) ?? null
      const isDone = file !== null && this.events.isDone(file)
      // One that a disk does not give is asked for again: it keeps its place.
      const judged = isDone ? 'read' : file && (await this.events.judge(file))
      this.queue.pop()
      if (judged === 'read') continue
      if (judged !== null) {
        this.upcoming = judged
        return undefined
      }
      // One that is there and cannot be read yet holds nothing up.
      if (file !== null && isStillThere(file)) continue
      if (this.seenAt === Number.POSITIVE_INFINITY) this.uncertain = true
      else {
        this.queue = []
        return 'moved'
      }
    }
    return undefined
  }

  /** Whether the file that is being read may be left before it is delivered. */
  mayPass(reading: LogFile): boolean {
    const [current, next] = this.planned
    const file = this.upcoming?.opened.file
    return file !== undefined && !this.uncertain && isPlanned(reading, current) && isPlanned(file, next)
  }

  /** The file that comes next is being read now, or given up. */
  take(): Upcoming | null {
    const { upcoming } = this
    this.upcoming = null
    return upcoming
  }

  /** `take` follows a planned file by the next one. */
  advance(): void {
    this.planned.shift()
  }

  /** What the cursor has to say before more than the file that is being read may be sent. */
  plan(reading: LogFile): PlannedFile[] {
    this.planned = []
    const next: PlannedFile[] = []
    for (let at = this.queue.length - 1; at >= 0 && next.length < PLANNED; at--) {
      const file = this.queue[at]
      if (!file) break
      if (!this.events.isDone(file)) next.push(plannedAs(file))
    }
    return next.length > 0 ? [plannedAs(reading), ...next] : []
  }

  /** The cursor says it now. */
  follow(planned: readonly PlannedFile[]): void {
    this.planned = [...planned]
  }

  /** Forgets what was seen of the folder. */
  async reset(): Promise<void> {
    await this.take()?.opened.close()
    this.queue = []
    this.planned = []
    this.seenAt = Number.NEGATIVE_INFINITY
  }

  private async look(): Promise<void> {
    const { rotated, own } = await this.events.list()
    this.queue = rotated.filter(file => !this.events.isDone(file)).reverse()
    this.seen = own ? [...rotated, own] : rotated
    this.own = own
    this.seenAt = performance.now()
  }
}

function isStillThere(file: LogFile): boolean {
  const there = fileAt(file.path)
  return there !== null && inodeOf(there) === inodeOf(file)
}
