import fs from 'node:fs'
import { crc32c } from '../../lib/format/block'
import { arenaOf } from './arena-path'
import { pack } from './make-log'

/** What lies in one segment. */
export interface ArenaSegment {
  /** Index in its set. */
  segment: number
  producer?: number
  generation?: bigint
  payloads: readonly (string | Buffer)[]
}

export interface ArenaFields {
  /** Path of the log. */
  logPath: string
  /** 0 raw entries, 1 records. */
  content: number
  stream?: bigint
  written?: bigint
  active?: bigint
  /** Default: this process. */
  ownerPid?: number
  segments: readonly ArenaSegment[]
}

const SHARDS = 2
const SEGMENTS_PER_SHARD = 4
const SEGMENT_BYTES = 65_536
const SLOTS = 4096 + 2 * 64 * SHARDS
const DATA = 8192
const SET_BYTES = SHARDS * SEGMENTS_PER_SHARD * SEGMENT_BYTES
const SECOND = 1_000_000_000n

function ownerStart(pid: number): bigint {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return BigInt(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!)
  } catch {
    return 0n // No such process: a dead owner.
  }
}

function writeHeader(arena: Buffer, fields: ArenaFields): void {
  const { logPath, content, stream = 0xabcdn, written = 0n, active = written, ownerPid = process.pid } = fields
  const { dev, ino } = fs.statSync(logPath, { bigint: true })
  arena.write('SHLARENA', 0)
  for (const [at, value] of [1, SHARDS, SEGMENTS_PER_SHARD, SEGMENT_BYTES].entries()) {
    arena.writeUInt32LE(value, 8 + 4 * at)
  }
  for (const [at, value] of [BigInt(DATA), BigInt(arena.length), stream, SECOND, dev, ino].entries()) {
    arena.writeBigUInt64LE(value, 24 + 8 * at)
  }
  arena.writeUInt32LE(ownerPid, 72)
  arena.writeUInt32LE(Buffer.byteLength(logPath), 76)
  arena.writeBigUInt64LE(ownerStart(ownerPid), 80)
  arena.write(fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').replaceAll('-', '').trim(), 88, 'hex')
  arena.writeUInt32LE(crc32c(arena, 0, 0, 56), 104)
  arena.writeUInt32LE(content, 112)
  arena.writeBigUInt64LE(active, 256)
  arena.writeBigUInt64LE(written, 320)
  arena.writeBigUInt64LE(0xffff_ffff_ffff_ffffn, 384)
  arena.writeBigUInt64LE(written, 448)
  arena.write(logPath, 1024)
}

function writeSegment(arena: Buffer, { segment, producer = 1, generation = 0n, payloads }: ArenaSegment): void {
  const set = Number(generation & 1n)
  const shard = Math.floor(segment / SEGMENTS_PER_SHARD)
  const claimAt = 4096 + 64 * (set * SHARDS + shard)
  const claimed = Math.max(arena.readUInt32LE(claimAt), (segment % SEGMENTS_PER_SHARD) + 1)
  arena.writeUInt32LE(claimed, claimAt)
  arena.writeUInt32LE(Number(generation & 0xffff_ffffn), claimAt + 4)
  const inArena = set * SHARDS * SEGMENTS_PER_SHARD + segment
  const slot = SLOTS + 64 * inArena
  const data = pack(payloads)
  arena.writeUInt32LE(8 + data.length, slot)
  arena.writeUInt32LE(producer, slot + 4)
  arena.writeBigUInt64LE(SECOND, slot + 8)
  arena.writeUInt32LE(1, slot + 24)
  arena.writeUInt32LE(producer, slot + 28)
  data.copy(arena, DATA + inArena * SEGMENT_BYTES + 8)
}

/**
 * The bytes of an arena: two sets of two shards of four segments of 64 KiB. The log has to be
 * there.
 */
export function makeArena(fields: ArenaFields): Buffer {
  const arena = Buffer.alloc(DATA + 2 * SET_BYTES)
  writeHeader(arena, fields)
  for (const segment of fields.segments) writeSegment(arena, segment)
  return arena
}

/**
 * Writes the arena beside its log, over the one that is there, which keeps its inode as a mapped
 * file does.
 */
export function writeArena(fields: ArenaFields): void {
  const fd = fs.openSync(arenaOf(fields.logPath), fs.constants.O_RDWR | fs.constants.O_CREAT, 0o600)
  fs.writeSync(fd, makeArena(fields))
  fs.closeSync(fd)
}
