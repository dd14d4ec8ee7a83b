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

/**
 * Each engine with what its `crashSafe` may be where the log's own file system is out of order: no
 * file beside the log.
 */
export const enginesWithoutFileArena = engines.flatMap((engine): [Config['engine'], Config['crashSafe']][] =>
  engine === 'native'
    ? [
        [engine, 'shm'],
        [engine, false]
      ]
    : [[engine, false]]
)
