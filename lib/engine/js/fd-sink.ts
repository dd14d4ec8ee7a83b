/** The sink for a descriptor: a pipe, terminal, socket or open file that lines are written to. */

import fs from 'node:fs'
import net from 'node:net'
import tty from 'node:tty'
import { isMainThread } from 'node:worker_threads'
import { fromSystemError } from '../../errors'
import { performance } from '../../timers'
import type { ResolvedConfig } from '../../types'
import type { BufferSet, Run } from './buffers'
import { countLines } from './encoders'
import { type Sink, SinkGone, type SinkWriter, type Step } from './flusher'
import type { Counters } from './statistics'

const { O_WRONLY, O_NONBLOCK, O_NOCTTY, O_RDONLY } = fs.constants
/** The bits of a descriptor's flags that say what it is open for. */
const O_ACCMODE = 3
/** What a pipe or socket takes as a whole or not at all (PIPE_BUF). */
const ATOMIC_BYTES = 4096
const WHOLE_WRITES = 1 << 20
const NO_ROOM = new Set(['EAGAIN', 'EINTR', 'ENOMEM', 'ENOBUFS'])
const FINAL_FOR_FILES = new Set(['EPIPE', 'EBADF', 'EINVAL', 'ENXIO'])

/** A descriptor that bytes are written to as far as somebody takes them there. */
export interface Descriptor {
  /** What tells it from others: equal for those that lead to the same pipe, terminal or socket. */
  readonly key: string
  /**
   * Up to so many bytes come before or after what others write to the same place, not around it.
   */
  readonly atomicBytes: number
  /** Bytes taken of [start, end); 0: none at the moment. @throws the error of `node:fs` */
  write(bytes: Uint8Array, start: number, end: number): number
  /** Whether an error of `write` may pass, as that of a full disk. */
  mayPass(error: unknown): boolean
  close(): void
}

/** A stream of Node's own over a descriptor, which makes it non-blocking. */
interface Holder {
  _handle?: { setBlocking?: (blocking: boolean) => void } | null
}

/** Kept, since one that is collected closes its descriptor. */
const holders = new Map<number, Holder>()

function flagsOf(fd: number): number | undefined {
  try {
    const [, flags] = /^flags:\s*([0-7]+)$/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1')) ?? []
    return flags === undefined ? undefined : Number.parseInt(flags, 8)
  } catch {
    return undefined // Not Linux: a write tells.
  }
}

/**
 * A new open file for what a pipe or terminal leads to, so that flags that others share are left
 * alone; undefined where that cannot be had.
 */
function openAnew(fd: number): number | undefined {
  try {
    return fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY)
  } catch {
    return undefined // Another user's, a socket, a pipe without a reader, or no /proc.
  }
}

function holderOf(fd: number): Holder {
  if (fd === 1) return process.stdout as Holder
  if (fd === 2) return process.stderr as Holder
  return new net.Socket({ fd, readable: false, writable: true }).unref() as unknown as Holder
}

/**
 * Makes a pipe or socket non-blocking, as Node does with its own standard streams; again where
 * another process, at its end, took that back.
 */
function unblock(fd: number): void {
  // The end of a worker would close the descriptor of the whole process.
  if (!isMainThread) return
  const holder = holders.get(fd) ?? holderOf(fd)
  holders.set(fd, holder)
  holder._handle?.setBlocking?.(false)
}

function checkWritable(fd: number, info: fs.BigIntStats): void {
  const flags = flagsOf(fd)
  const problem = (code: string): Error => Object.assign(new Error(`${code}: write`), { code, syscall: 'write' })
  if (flags !== undefined && (flags & O_ACCMODE) === O_RDONLY) throw problem('EBADF')
  if (info.isDirectory()) throw problem('EISDIR')
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? ''
}

function writeOnce(fd: number, bytes: Uint8Array, start: number, end: number): number {
  try {
    return fs.writeSync(fd, bytes, start, end - start)
  } catch (error) {
    if (NO_ROOM.has(codeOf(error))) return 0
    throw error
  }
}

/** A pipe, terminal or socket: what reads there may stop, and may go for good. */
function openStream(fd: number, info: fs.BigIntStats): Descriptor {
  const own = info.isSocket() ? undefined : openAnew(fd)
  return {
    key: `${info.dev}:${info.ino}`,
    atomicBytes: ATOMIC_BYTES,
    write(bytes, start, end) {
      if (own !== undefined) return writeOnce(own, bytes, start, end)
      unblock(fd)
      return writeOnce(fd, bytes, start, end)
    },
    mayPass: () => false,
    close: () => {
      if (own !== undefined) fs.closeSync(own)
    }
  }
}

/**
 * A file, at the offset that it is shared with others at; and whatever else takes what it is given,
 * as /dev/null does.
 */
function openPlain(fd: number, info: fs.BigIntStats): Descriptor {
  return {
    key: `${info.dev}:${info.ino}${info.isFile() ? `:${fd}` : ''}`,
    atomicBytes: WHOLE_WRITES,
    write: (bytes, start, end) => writeOnce(fd, bytes, start, end),
    mayPass: error => !FINAL_FOR_FILES.has(codeOf(error)),
    close: () => undefined
  }
}

function look(fd: number, name: string): fs.BigIntStats {
  try {
    // A plain stat of a pipe leaves its kind in memory that Node's own module resolution reads
    // afterwards.
    const info = fs.fstatSync(fd, { bigint: true })
    checkWritable(fd, info)
    return info
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot write to ${name}`, error)
  }
}

/**
 * What `fd` leads to. The descriptor has to stay open.
 *
 * @param name for messages
 * @throws ShardlogError `ERR_SHARDLOG_IO`
 */
export function openDescriptor(fd: number, name: string): Descriptor {
  const info = look(fd, name)
  return info.isFIFO() || info.isSocket() || tty.isatty(fd) ? openStream(fd, info) : openPlain(fd, info)
}

const NEWLINE = 0x0a
/**
 * Bytes of one step, and so the longest that the event loop is held up at a time; more only for one
 * longer line.
 */
const STEP_BYTES = 256 * 1024
const MIN_WAIT_BUDGET_MS = 1

/**
 * End of the part of [from, to) that goes out by one call: whole lines that are taken together, or
 * else one line.
 */
function nextPart(bytes: Buffer, from: number, to: number, atomicBytes: number): number {
  if (to - from <= atomicBytes) return to
  const last = bytes.subarray(from, from + atomicBytes).lastIndexOf(NEWLINE)
  if (last >= 0) return from + last + 1
  const first = bytes.subarray(from + atomicBytes, to).indexOf(NEWLINE)
  return first < 0 ? to : from + atomicBytes + first + 1
}

/**
 * Writes sealed sets as lines to a descriptor. A reader that takes nothing stops it, and nobody
 * else.
 */
export class FdWriter implements SinkWriter {
  #set: BufferSet | undefined
  /** Runs of the set that are out. */
  #done = 0
  /** Bytes of the next one that are. */
  #delivered = 0
  #gone = false
  /** When the reader was first seen to take nothing; undefined: it takes. */
  #stalledSince: number | undefined
  #shutdownAt = 0

  constructor(
    private readonly descriptor: Descriptor,
    private readonly name: string,
    private readonly blockTimeout: number,
    private readonly exitTimeout: number | undefined,
    private readonly counters: Counters
  ) {}

  begin(set: BufferSet): void {
    set.seal()
    this.#set = set
    this.#done = 0
    this.#delivered = 0
  }

  step(): Step {
    const { runs } = this.#set!
    if (this.#gone) this.counters.add('droppedLogs', this.discard())
    for (let sent = 0; this.#done < runs.length && sent < STEP_BYTES; ) {
      const taken = this.#send(runs[this.#done]!)
      if (taken === 0) return 'stalled'
      sent += taken
    }
    return this.#done === runs.length ? 'done' : 'more'
  }

  /** Writes the next part of a run. The bytes taken. */
  #send(run: Run): number {
    const { bytes } = run
    const end = nextPart(bytes, this.#delivered, bytes.length, this.descriptor.atomicBytes)
    const taken = this.#write(bytes, this.#delivered, end)
    if (taken === 0) {
      this.#stalledSince ??= performance.now()
      return 0
    }
    this.#stalledSince = undefined
    this.#delivered += taken
    this.counters.add('bytesWritten', taken)
    this.counters.add('payloadBytes', taken)
    if (this.#delivered === bytes.length) this.#finish(run, run.entries)
    return taken
  }

  #write(bytes: Buffer, start: number, end: number): number {
    try {
      return this.descriptor.write(bytes, start, end)
    } catch (cause) {
      if (this.descriptor.mayPass(cause)) throw cause
      throw this.#lose(cause)
    }
  }

  #finish(run: Run, entries: number): void {
    this.counters.add('writtenLogs', entries)
    this.counters.countWritten(run.shard.id, entries)
    this.#done++
    this.#delivered = 0
  }

  #lose(cause: unknown): SinkGone {
    this.#gone = true
    const told = fromSystemError(
      'ERR_SHARDLOG_WRITE',
      `${this.name} takes no more: lines are dropped from now on`,
      cause
    )
    // That a reader ends before its writer is usual: `| head`.
    return new SinkGone(told, told.errno === 'EPIPE')
  }

  waitBudget(): number {
    const now = performance.now()
    if (this.#shutdownAt > 0)
      return Math.max(0, this.#shutdownAt + (this.exitTimeout ?? Number.POSITIVE_INFINITY) - now)
    return Math.max(0, (this.#stalledSince ?? now) + Math.max(MIN_WAIT_BUDGET_MS, this.blockTimeout) - now)
  }

  beginShutdown(): void {
    if (this.#shutdownAt === 0) this.#shutdownAt = performance.now()
  }

  discard(): number {
    const runs = this.#set?.runs ?? []
    let lost = runs.slice(this.#done).reduce((sum, run) => sum + run.entries, 0)
    const run = runs[this.#done]
    if (run !== undefined && this.#delivered > 0) {
      const out = Math.min(run.entries, countLines(run.bytes.subarray(0, this.#delivered)))
      this.#finish(run, out)
      lost -= out
    }
    this.#done = runs.length
    return lost
  }
}

/** A descriptor that lines go to. */
export class FdSink implements Sink {
  readonly writer: FdWriter
  readonly path = undefined
  readonly ioAlignment = 1
  readonly ioReason: string

  constructor(
    private readonly descriptor: Descriptor,
    readonly name: string,
    { blockTimeout, exitTimeout }: Pick<ResolvedConfig, 'blockTimeout' | 'exitTimeout'>,
    counters: Counters
  ) {
    this.writer = new FdWriter(descriptor, name, blockTimeout, exitTimeout, counters)
    this.ioReason = `${name} is written to through the kernel's buffers`
  }

  unlock(): void {
    // Nobody is kept off: what others write comes between lines.
  }

  close(): void {
    this.descriptor.close()
  }
}
