/** The packages that a snapshot's file is made with, loaded when they are needed. */

import { createRequire } from 'node:module'
import { ShardlogError } from '../errors'
import { ownFile } from '../own-place'

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
  decode(bytes: Buffer): unknown
  /** As a block of LZ4 behind its length before compression, a u32. */
  compress(bytes: Buffer): Promise<Buffer>
  compressSync(bytes: Buffer): Buffer
  /** Throws what the package throws. */
  uncompressSync(bytes: Buffer): Buffer
}

/** A key that the package calls otherwise in objects, whose prototype it could set. */
const PROTOTYPE_KEY = '__proto__'

/** Maps as objects, with every key. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (!(value instanceof Map)) return value
  return Object.fromEntries([...value].map(([key, item]) => [key, plain(item)]))
}

let loaded: Codec | undefined

// Bundlers, which would look for the packages when they bundle, do not follow it.
const requireInstalled = createRequire(ownFile)

function load<Package>(name: string): Package {
  try {
    return requireInstalled(name) as Package
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
  const { Encoder, Decoder } = load<Cbor>('cbor-x')
  const lz4 = load<Lz4>('lz4-napi')
  // Maps with text keys and nothing of the package's own, so that every decoder reads them.
  const encoder = new Encoder({ useRecords: false, mapsAsObjects: true, tagUint8Array: false, variableMapSize: true })
  const decoder = new Decoder({ useRecords: false, mapsAsObjects: true, int64AsType: 'bigint' })
  const mapDecoder = new Decoder({ useRecords: false, mapsAsObjects: false, int64AsType: 'bigint' })
  loaded = {
    encode: value => encoder.encode(value),
    decode: bytes => (bytes.includes(PROTOTYPE_KEY) ? plain(mapDecoder.decode(bytes)) : decoder.decode(bytes)),
    compress: bytes => lz4.compress(bytes),
    compressSync: bytes => lz4.compressSync(bytes),
    uncompressSync: bytes => lz4.uncompressSync(bytes)
  }
  return loaded
}
