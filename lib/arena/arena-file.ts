/** An arena, seen from another process: its layout, its owner, and its file. */

import { closeSync, constants, fstatSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs'
import { ShardlogError } from '../errors'
import { crc32c } from '../format/block'

// The byte offsets of an arena. docs/reference/log-format.md, section 2, explains them.

export const ARENA_MAGIC = 'SHLARENA'
/** Of one that is in the log as a whole and could not be removed. */
const EMPTIED_MAGIC = 'SHLEMPTY'
/** Versions that can be read; the last one is written. */
export const ARENA_VERSIONS: readonly number[] = [1, 2]
export const ARENA_HEADER_BYTES = 4096
/** The header fields that never change, under the header's checksum. */
export const ARENA_CRC_BYTES = 56
/** A claim word and a segment slot each lie alone in a cache line. */
export const LINE_BYTES = 64
/** journal.generation while nothing is being written. */
const NO_GENERATION = 0xffff_ffff_ffff_ffffn

/**
 * What the payloads of an arena's entries are: what goes to the log as it lies, or records
 * (docs/reference/record-format.md).
 */
export const CONTENT_RAW = 0
export const CONTENT_RECORDS = 1

/** What the log of an arena is: blocks, or lines and nothing else. */
export const FORMAT_SHARD = 0
export const FORMAT_NDJSON = 1

export const HEADER = {
  version: 8,
  numShards: 12,
  segmentsPerShard: 16,
  segmentBytes: 20,
  dataOffset: 24,
  totalBytes: 32,
  stream: 40,
  createdTime: 48,
  logDevice: 56,
  logInode: 64,
  ownerPid: 72,
  pathBytes: 76,
  ownerStart: 80,
  bootId: 88,
  headerCrc: 104,
  content: 112,
  format: 116,
  pidNamespace: 120,
  active: 256,
  recycled: 320,
  journalGeneration: 384,
  journalBase: 392,
  written: 448,
  path: 1024
} as const

/** Claim word: generation:32 | fullOrder:14 | full:1 | sealed:1 | claimed:16. */
export const CLAIM = { claimedMask: 0xffff, fullBit: 1 << 17, orderShift: 18 } as const

export const SLOT = { offset: 0, claimedTime: 8, releasedTime: 16, span: 24, producer: 28 } as const
/** Of the offset word: no further entry is accepted. */
export const OFFSET_MASK = 0x7fff_ffff

export interface ArenaOwner {
  pid: number
  /** The namespace in which the pid counts; 0 if it is not known. */
  pidNamespace: bigint
  /**
   * Clock ticks after boot at which it started: tells it from a later process with the same pid.
   */
  start: bigint
  /** Hex digits of the boot's id. */
  bootId: string
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // No such process, or no procfs: the caller decides what that means.
    return null
  }
}

/**
 * Whether the machine has been running since the arena was made; also where that cannot be told.
 */
export function isOfThisBoot(owner: ArenaOwner): boolean {
  const boot = readProc('/proc/sys/kernel/random/boot_id')
  return boot === null || boot.replaceAll('-', '').trim() === owner.bootId
}

/** Inode of the pid namespace whose processes /proc shows; undefined without /proc. */
function ownPidNamespace(): bigint | undefined {
  try {
    return BigInt(/\[(\d+)\]/.exec(readlinkSync('/proc/self/ns/pid'))![1]!)
  } catch {
    return undefined
  }
}

/** Whether the kernel knows a process with the pid, be it one that /proc hides from us. */
function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/**
 * Whether the process that made an arena may still be running: also where that cannot be told,
 * since it runs in another pid namespace (a container's), or there is no /proc.
 */
export function isOwnerAlive(owner: ArenaOwner): boolean {
  if (!isOfThisBoot(owner)) return false
  const namespace = ownPidNamespace()
  if (namespace === undefined) return true
  if (owner.pidNamespace !== 0n && owner.pidNamespace !== namespace) return true
  const stat = readProc(`/proc/${owner.pid}/stat`)
  if (stat === null) return exists(owner.pid)
  // The command name in parentheses may hold anything, so fields are counted from behind it; the
  // state is field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  return fields[19] === String(owner.start) && state !== 'Z' && state !== 'X'
}

const MIB = 1024 * 1024
/** Bounds of what the engine makes, so that a made-up header cannot ask for memory. */
const LIMITS = { numShards: 256, segmentsPerShard: 1024, segmentBytes: MIB } as const

const { O_RDONLY, O_NONBLOCK = 0, O_NOFOLLOW = 0 } = constants
const OPEN_FLAGS = O_RDONLY | O_NONBLOCK | O_NOFOLLOW

/** What never changes in an arena. */
export interface ArenaGeometry {
  numShards: number
  segmentsPerShard: number
  segmentBytes: number
  dataOffset: number
  totalBytes: number
}

/** The words that move while its process runs. */
export interface ArenaState {
  active: bigint
  recycled: bigint
  /** Generations below it are in the log as a whole. */
  written: bigint
  /** File offset of the first block of the generation being written now; null if none is. */
  flushingAt: number | null
  /** Inode of the log it belongs to; changes when the log was replaced and opened anew. */
  logInode: bigint
}

/** An arena seen from another process, through plain reads of its file. */
export class ArenaFile {
  readonly stream: bigint
  readonly createdTime: bigint
  readonly owner: ArenaOwner
  readonly logPath: string
  readonly geometry: ArenaGeometry
  readonly inode: bigint
  /** User that it belongs to. */
  readonly uid: number
  /** CONTENT_RAW or CONTENT_RECORDS. */
  readonly content: number
  /** FORMAT_SHARD or FORMAT_NDJSON: what its log is. */
  readonly format: number

  private constructor(
    readonly path: string,
    private readonly fd: number
  ) {
    const header = this.read(0, ARENA_HEADER_BYTES)
    this.geometry = decodeGeometry(path, header)
    this.content = decodeKind(path, header, 'content', CONTENT_RECORDS)
    this.format = decodeKind(path, header, 'format', FORMAT_NDJSON)
    this.stream = header.readBigUInt64LE(HEADER.stream)
    this.createdTime = header.readBigUInt64LE(HEADER.createdTime)
    this.owner = {
      pid: header.readUInt32LE(HEADER.ownerPid),
      pidNamespace: header.readBigUInt64LE(HEADER.pidNamespace),
      start: header.readBigUInt64LE(HEADER.ownerStart),
      bootId: header.toString('hex', HEADER.bootId, HEADER.bootId + 16)
    }
    const pathBytes = Math.min(header.readUInt32LE(HEADER.pathBytes), ARENA_HEADER_BYTES - HEADER.path)
    this.logPath = header.toString('utf8', HEADER.path, HEADER.path + pathBytes)
    const { ino, uid } = fstatSync(fd, { bigint: true })
    this.inode = ino
    this.uid = Number(uid)
  }

  /**
   * Opens an arena for reading; null if there is none. Waits for nobody, and opens no more than
   * regular files: what lies at an arena's place may be a pipe or a device.
   * @throws ShardlogError `ERR_SHARDLOG_ARENA_VERSION`, `ERR_SHARDLOG_ARENA_CORRUPT`; what the
   *   kernel said otherwise.
   */
  static open(path: string): ArenaFile | null {
    let fd: number
    try {
      fd = openSync(path, OPEN_FLAGS)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      if (code === 'ENOENT') return null
      if (code === 'ELOOP' || code === 'ENXIO') throw corrupt(path, 'is not a regular file, so it is no arena')
      throw error
    }
    try {
      if (!fstatSync(fd).isFile()) throw corrupt(path, 'is not a regular file, so it is no arena')
      if (!isEmptied(fd)) return new ArenaFile(path, fd)
      closeSync(fd)
      return null
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  /**
   * Reads the moving words. They are not read at one instant: whoever needs that reads them again
   * afterwards.
   */
  state(): ArenaState {
    const words = this.read(0, 512)
    const written = words.readBigUInt64LE(HEADER.written)
    const generation = words.readBigUInt64LE(HEADER.journalGeneration)
    const flushing = generation !== NO_GENERATION && generation >= written
    return {
      active: words.readBigUInt64LE(HEADER.active),
      recycled: words.readBigUInt64LE(HEADER.recycled),
      written,
      flushingAt: flushing ? Number(words.readBigUInt64LE(HEADER.journalBase)) : null,
      logInode: words.readBigUInt64LE(HEADER.logInode)
    }
  }

  /** Claim words and segment slots, as they are now. */
  readControl(): Buffer {
    const { numShards, segmentsPerShard } = this.geometry
    return this.read(ARENA_HEADER_BYTES, 2 * LINE_BYTES * numShards * (1 + segmentsPerShard))
  }

  /** Reads `length` bytes at `position`; shorter only if the file is. */
  read(position: number, length: number): Buffer {
    const there = Math.max(0, Math.min(length, fstatSync(this.fd).size - position))
    const bytes = Buffer.allocUnsafeSlow(there)
    let done = 0
    while (done < there) {
      const count = readSync(this.fd, bytes, done, there - done, position + done)
      if (count === 0) break
      done += count
    }
    return bytes.subarray(0, done)
  }

  close(): void {
    closeSync(this.fd)
  }
}

/**
 * Whether bytes from the start of a file, eight or more, are those of an arena, of whatever
 * version. Text may begin with the same letters, but no text has the zeros of the version's number
 * behind them.
 */
export function isArenaHead(head: Buffer): boolean {
  if (head.toString('latin1', 0, ARENA_MAGIC.length) !== ARENA_MAGIC) return false
  return head.length < HEADER.version + 4 || head.readUInt32LE(HEADER.version) < 0x1_0000
}

/** Whether what lies at an arena's place is one that was emptied. */
export function isEmptiedArena(path: string): boolean {
  let fd: number
  try {
    fd = openSync(path, OPEN_FLAGS)
  } catch {
    return false // Not there any more, or not for us to read.
  }
  try {
    return fstatSync(fd).isFile() && isEmptied(fd)
  } finally {
    closeSync(fd)
  }
}

function isEmptied(fd: number): boolean {
  const magic = Buffer.alloc(EMPTIED_MAGIC.length)
  readSync(fd, magic, 0, magic.length, 0)
  return magic.toString('latin1') === EMPTIED_MAGIC
}

/** A field of the header that counts kinds, of which `last` is the last one known. */
function decodeKind(path: string, header: Buffer, name: 'content' | 'format', last: number): number {
  const kind = header.readUInt32LE(HEADER[name])
  if (kind <= last) return kind
  const message = `${path} has ${name} ${kind}, which this shardlog cannot read`
  throw new ShardlogError('ERR_SHARDLOG_ARENA_VERSION', message, { path })
}

function corrupt(path: string, what: string): ShardlogError {
  return new ShardlogError('ERR_SHARDLOG_ARENA_CORRUPT', `${path} ${what}`, { path })
}

/** Whether the numbers are ones that the engine could have made. */
function isSane({ numShards, segmentsPerShard, segmentBytes, dataOffset, totalBytes }: ArenaGeometry): boolean {
  const few = numShards <= LIMITS.numShards && segmentsPerShard <= LIMITS.segmentsPerShard
  const control = ARENA_HEADER_BYTES + 2 * LINE_BYTES * numShards * (1 + segmentsPerShard)
  const data = 2 * numShards * segmentsPerShard * segmentBytes
  return (
    few && data > 0 && segmentBytes <= LIMITS.segmentBytes && dataOffset >= control && totalBytes >= dataOffset + data
  )
}

function decodeGeometry(path: string, header: Buffer): ArenaGeometry {
  if (header.length < ARENA_HEADER_BYTES || header.toString('latin1', 0, 8) !== ARENA_MAGIC) {
    throw corrupt(path, 'is not an arena')
  }
  const version = header.readUInt32LE(HEADER.version)
  if (!ARENA_VERSIONS.includes(version)) {
    const message = `${path} was written by arena version ${version}; this shardlog reads versions ${ARENA_VERSIONS.join(' and ')}`
    throw new ShardlogError('ERR_SHARDLOG_ARENA_VERSION', message, { path })
  }
  if (crc32c(header, 0, 0, ARENA_CRC_BYTES) !== header.readUInt32LE(HEADER.headerCrc))
    throw corrupt(path, 'has a damaged header')
  const geometry = {
    numShards: header.readUInt32LE(HEADER.numShards),
    segmentsPerShard: header.readUInt32LE(HEADER.segmentsPerShard),
    segmentBytes: header.readUInt32LE(HEADER.segmentBytes),
    dataOffset: Number(header.readBigUInt64LE(HEADER.dataOffset)),
    totalBytes: Number(header.readBigUInt64LE(HEADER.totalBytes))
  }
  if (!isSane(geometry)) throw corrupt(path, 'has a header with impossible sizes')
  return geometry
}
