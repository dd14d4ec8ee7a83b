import fs from 'node:fs'
import net from 'node:net'
import tty from 'node:tty'
import { isMainThread } from 'node:worker_threads'
import { fromSystemError } from '../../errors'

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
  /** Up to so many bytes come before or after what others write to the same place, not around it. */
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

/** A new open file for what a pipe or terminal leads to, so that flags that others share are left alone; undefined where that cannot be had. */
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

/** Makes a pipe or socket non-blocking, as Node does with its own standard streams; again where another process, at its end, took that back. */
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

/** A file, at the offset that it is shared with others at; and whatever else takes what it is given, as /dev/null does. */
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
    // A plain stat of a pipe leaves its kind in memory that Node's own module resolution reads afterwards.
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
