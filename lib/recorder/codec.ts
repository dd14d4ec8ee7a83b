/** The packages that a snapshot's file is made with, loaded when they are needed. */

import { ShardlogError } from '../errors'

interface Cbor {
  Encoder: new (options: object) => { encode(value: unknown): Buffer }
  Decoder: new (options: object) => { decode(bytes: Uint8Array): unknown }
}

interface Lz4 {
  compress(bytes: Buffer): Promise<Buffer>
  compressSync(bytes: Buffer): Buffer
  uncompressSync(bytes: Buffer): Buffer
}

export interface Codec {
  encode(value: unknown): Buffer
  decode(bytes: Uint8Array): unknown
  /** As a block of LZ4 behind its length before compression, a u32. */
  compress(bytes: Buffer): Promise<Buffer>
  compressSync(bytes: Buffer): Buffer
  /** Throws what the package throws. */
  uncompressSync(bytes: Buffer): Buffer
}

let loaded: Codec | undefined

function load<Package>(name: string, get: () => Package): Package {
  try {
    return get()
  } catch (error) {
    const message =
      `snapshots of a recorder need the package ${name}, which cannot be loaded: ` +
      `${(error as Error).message.split('\n')[0]}. To install it: npm install cbor-x lz4-napi`
    throw new ShardlogError('ERR_SHARDLOG_PACKAGE', message, { cause: error })
  }
}

/** @throws ShardlogError `ERR_SHARDLOG_PACKAGE` if one of them is not installed */
export function codec(): Codec {
  if (loaded !== undefined) return loaded
  const { Encoder, Decoder } = load('cbor-x', () => require('cbor-x') as Cbor)
  const lz4 = load('lz4-napi', () => require('lz4-napi') as Lz4)
  // Maps with text keys and nothing of the package's own, so that every decoder reads them.
  const encoder = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false, variableMapSize: true })
  const decoder = new Decoder({ useRecords: false, mapsAsObjects: true, int64AsType: 'bigint' })
  loaded = {
    encode: value => encoder.encode(value),
    decode: bytes => decoder.decode(bytes),
    compress: bytes => lz4.compress(bytes),
    compressSync: bytes => lz4.compressSync(bytes),
    uncompressSync: bytes => lz4.uncompressSync(bytes)
  }
  return loaded
}
