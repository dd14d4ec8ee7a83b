import { loadNative } from '../engine/load-native'
import { crc32c } from '../format/crc32c'

type Checksum = (bytes: Uint8Array, seed: number, start: number, end: number) => number

/** Below this the call into the addon costs more than it saves. */
const NATIVE_FROM_BYTES = 2048

let native: Checksum | undefined

function bestChecksum(): Checksum {
  try {
    return loadNative().crc32c
  } catch {
    // No build for this machine: the JavaScript one reads the same files, only slower.
    return crc32c
  }
}

/** CRC-32C of `bytes[start, end)`, going on from `seed`: with the processor's instruction where the addon loads. */
export function checksum(bytes: Uint8Array, seed: number, start: number, end: number): number {
  if (end - start < NATIVE_FROM_BYTES) return crc32c(bytes, seed, start, end)
  native ??= bestChecksum()
  return native(bytes, seed, start, end)
}
