import { createRequire } from 'node:module'
import path from 'node:path'
import type * as names from '../../lib/public'

/** The root of the repository, which is also the package's. */
export const packageRoot = path.resolve(__dirname, '..', '..')

type Shardlog = ((
  options?: names.LoggerOptions | names.DestinationStream | string | null,
  stream?: names.DestinationStream | string
) => names.StructuredLogger) &
  typeof names

/**
 * The package as `require` sees it: the built one, so that children and workers run the same code.
 */
export const shardlog = createRequire(__filename)(packageRoot) as Shardlog

export const { Logger, defaultConfig, ShardlogError } = shardlog
export type Logger = names.RawLogger
/** Tests give paths as text. */
export type Config = names.Config & { logFilePath: string }
export type ShardlogError = names.ShardlogError
export type StatsSnapshot = names.StatsSnapshot
