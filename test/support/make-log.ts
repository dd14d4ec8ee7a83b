import { finishBlock, finishedBytes, type TrailerFields } from '../../lib/format/block'

export const STREAM = 0xabcdn

/** Length prefixes and payloads. */
export function pack(entries: readonly (string | Buffer)[]): Buffer {
  const parts = entries.flatMap(entry => {
    const payload = Buffer.from(entry)
    const prefix = Buffer.alloc(4)
    prefix.writeUInt32LE(payload.length)
    return [prefix, payload]
  })
  return Buffer.concat(parts)
}

/** A whole block with a trailer. */
export function makeBlock(
  entries: readonly (string | Buffer)[],
  fields: Partial<TrailerFields> = {},
  alignment = 512
): Buffer {
  const data = pack(entries)
  const target = Buffer.alloc(finishedBytes(data.length, alignment))
  data.copy(target, 8)
  const sequence = fields.sequence ?? 0n
  const trailer = {
    flags: 0,
    stream: STREAM,
    sequence,
    firstTime: 1000n + sequence,
    lastTime: 2000n + sequence,
    entries: entries.length,
    generation: 0,
    segment: Number(sequence),
    producer: 1,
    ...fields
  }
  finishBlock(target, 0, { capacity: 8 + data.length, valid: data.length }, trailer, alignment)
  return target
}

/** A whole block as a writer without trailers makes it. */
export function makePlainBlock(entries: readonly (string | Buffer)[]): Buffer {
  const data = pack(entries)
  const target = Buffer.alloc(Math.ceil((8 + data.length) / 512) * 512)
  target.writeUInt32LE(8 + data.length)
  target.writeUInt32LE(data.length, 4)
  data.copy(target, 8)
  return target
}

/** `count` entries that name themselves. */
export function lines(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${name} ${i}`)
}
