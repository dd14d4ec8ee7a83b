/**
 * Batches of records as a broker stores them, and the requests and answers that carry them
 * (Kafka's protocol: RecordBatch of magic 2, Produce of versions 3 to 7): written straight from the
 * bytes of the log, without an object for each record.
 */

import { checksum } from '../reader/parse-block'
import type { IdBytes } from './id-bytes'
import type { ShipRecord } from './sink'

/** Bytes of a batch before its records. */
const HEADER_BYTES = 61
const LENGTH_AT = 8
const EPOCH_AT = 12
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_OFFSET_AT = 23
const FIRST_TIME_AT = 27
const LAST_TIME_AT = 35
const PRODUCER_AT = 43
const PRODUCER_EPOCH_AT = 51
const SEQUENCE_AT = 53
const COUNT_AT = 57
const MAGIC = 2
/** Of memory; it grows to what the largest batch takes. */
const FIRST_BYTES = 64 * 1024

/** Of a record, at the most, beside its key, value and id: lengths, attributes, times. */
const FIELD_BYTES = 32
/** One header, named `id`; lengths and counts are written doubled, as signed numbers are. */
const ID_HEADER = [0x02, 0x04, 0x69, 0x64]
/** Shorter values are copied by hand: the call would cost more. */
const COPY_BYTES = 64

/** Bytes of a number from 0 to 2^30 as a variable-length signed one. */
function varintBytes(value: number): number {
  const doubled = value * 2
  return doubled < 0x80 ? 1 : doubled < 0x4000 ? 2 : doubled < 0x20_0000 ? 3 : doubled < 0x1000_0000 ? 4 : 5
}

function writeVarint(target: Buffer, at: number, value: number): number {
  let rest = value * 2
  let next = at
  for (; rest > 0x7f; rest >>>= 7) target[next++] = (rest & 0x7f) | 0x80
  target[next++] = rest
  return next
}

/** Who produces, for the broker to tell a repeated batch by; -1 each: nobody. */
export interface ProducerId {
  id: bigint
  epoch: number
}

/** Records of one partition on their way into a batch. Its memory is used again. */
export class PartitionBatch {
  count = 0
  private buffer = Buffer.allocUnsafe(FIRST_BYTES)
  private end = HEADER_BYTES

  /** Bytes of the batch as it is, not packed. */
  get size(): number {
    return this.end
  }

  clear(): void {
    this.count = 0
    this.end = HEADER_BYTES
  }

  /** Bytes that a record takes at the most. */
  static bytesOf(key: Buffer, { start, end }: ShipRecord, ids: IdBytes): number {
    return FIELD_BYTES + key.length + end - start + ids.length
  }

  add(key: Buffer, record: ShipRecord, ids: IdBytes): void {
    const { data, start, end } = record
    const valueBytes = end - start
    this.room(PartitionBatch.bytesOf(key, record, ids))
    const { buffer, count } = this
    const keyBytes = key.length
    const fields = 2 + varintBytes(count) + varintBytes(keyBytes) + keyBytes + varintBytes(valueBytes) + valueBytes
    let at = writeVarint(buffer, this.end, fields + ID_HEADER.length + varintBytes(ids.length) + ids.length)
    // No attributes, and the batch's time.
    buffer[at++] = 0
    buffer[at++] = 0
    at = writeVarint(buffer, at, count)
    at = writeVarint(buffer, at, keyBytes)
    for (let i = 0; i < keyBytes; i++) buffer[at++] = key[i]!
    at = writeVarint(buffer, at, valueBytes)
    if (valueBytes < COPY_BYTES) for (let i = start; i < end; i++) buffer[at++] = data[i]!
    else at += data.copy(buffer, at, start, end)
    for (const byte of ID_HEADER) buffer[at++] = byte
    at = writeVarint(buffer, at, ids.length)
    this.end = ids.writeTo(buffer, at)
    this.count++
  }

  private room(bytes: number): void {
    if (this.end + bytes <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(2 * this.buffer.length, this.end + bytes))
    this.buffer.copy(larger, 0, 0, this.end)
    this.buffer = larger
  }

  /** The records without the batch's header, for who packs them. */
  get records(): Buffer {
    return this.buffer.subarray(HEADER_BYTES, this.end)
  }

  /**
   * The batch.
   *
   * @param packed the records as `codec` has packed them; null: as they are
   * @param sequence the producer's, of the first record
   */
  finish(producer: ProducerId, sequence: number, codec: number, packed: Buffer | null): Buffer {
    const batch = packed === null ? this.buffer.subarray(0, this.end) : Buffer.allocUnsafe(HEADER_BYTES + packed.length)
    packed?.copy(batch, HEADER_BYTES)
    const now = BigInt(Date.now())
    batch.writeBigInt64BE(0n, 0)
    batch.writeInt32BE(batch.length - EPOCH_AT, LENGTH_AT)
    batch.writeInt32BE(-1, EPOCH_AT)
    batch.writeInt8(MAGIC, MAGIC_AT)
    batch.writeInt16BE(codec, ATTRIBUTES_AT)
    batch.writeInt32BE(this.count - 1, LAST_OFFSET_AT)
    batch.writeBigInt64BE(now, FIRST_TIME_AT)
    batch.writeBigInt64BE(now, LAST_TIME_AT)
    batch.writeBigInt64BE(producer.id, PRODUCER_AT)
    batch.writeInt16BE(producer.epoch, PRODUCER_EPOCH_AT)
    batch.writeInt32BE(sequence, SEQUENCE_AT)
    batch.writeInt32BE(this.count, COUNT_AT)
    batch.writeUInt32BE(checksum(batch, 0, ATTRIBUTES_AT, batch.length), CRC_AT)
    return batch
  }
}

// Requests and answers.

const int16 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(2)
  bytes.writeInt16BE(value)
  return bytes
}
const int32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeInt32BE(value)
  return bytes
}
const string = (text: string): Buffer[] => [int16(Buffer.byteLength(text)), Buffer.from(text)]

/** The body of a Produce request with a batch for each of some partitions of a topic. */
export function produceRequest(
  { topic, acks, timeout }: { topic: string; acks: number; timeout: number },
  batches: readonly { partition: number; batch: Buffer }[]
): Buffer {
  const head = [int16(-1), int16(acks), int32(timeout), int32(1), ...string(topic), int32(batches.length)]
  const bodies = batches.flatMap(({ partition, batch }) => [int32(partition), int32(batch.length), batch])
  return Buffer.concat([...head, ...bodies])
}

/** What a broker answers: the error of each partition, 0 for none, and how long it wants peace. */
export interface ProduceAnswer {
  errors: Map<number, number>
  /** In ms. */
  clientSideThrottleTime: number
}

/** From this version on a partition's answer tells where its log begins. */
const WITH_LOG_START = 5
/** From this version on it is the client that waits. */
const CLIENT_WAITS = 6

/** @throws RangeError if the answer is cut off */
export function produceAnswer(body: Buffer, version: number): ProduceAnswer {
  const errors = new Map<number, number>()
  let at = 4
  for (let topics = body.readInt32BE(0); topics > 0; topics--) {
    at += 2 + body.readInt16BE(at)
    const partitions = body.readInt32BE(at)
    at += 4
    for (let i = 0; i < partitions; i++) {
      errors.set(body.readInt32BE(at), body.readInt16BE(at + 4))
      // Behind both: the base offset, and a time.
      at += 22 + (version >= WITH_LOG_START ? 8 : 0)
    }
  }
  return { errors, clientSideThrottleTime: version >= CLIENT_WAITS ? body.readInt32BE(at) : 0 }
}
