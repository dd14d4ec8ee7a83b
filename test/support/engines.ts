import type { Config } from './shardlog'

type EngineName = 'native' | 'js'

const wanted = (process.env.SHARDLOG_TEST_ENGINES ?? 'native,js').split(',') as EngineName[]

/** Engines the behaviour tests run on; `SHARDLOG_TEST_ENGINES=js` narrows them. */
export const engines: EngineName[] = wanted

/** A small geometry: 2 shards of 64 KiB per set, swapped only when full or asked to. */
export const small = (logFilePath: string, engine: EngineName): Config => ({
  logFilePath,
  engine,
  bufferSize: 4 * 65_536,
  numShards: 2,
  flushInterval: 0,
  dsync: false
})
