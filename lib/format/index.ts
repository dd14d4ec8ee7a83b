export * from './block'
export * from './constants'
export * from './crc32c'
export * from './trailer'
