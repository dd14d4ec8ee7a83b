import names = require('./public')

/**
 * Opens a log: short for `new shardlog.Logger(config)`.
 *
 * @param config the options, or the path of the log alone
 */
function shardlog(config: names.Config | string): names.Logger {
  return new names.Logger(config)
}

// One function with every public name as a property, so that `require('shardlog')` can be called and `import shardlog, {
// Logger } from 'shardlog'` means the same in both module systems.
namespace shardlog {
  export type Config = names.Config
  export type FlushMetrics = names.FlushMetrics
  export import Logger = names.Logger
  export type ShardStats = names.ShardStats
  export import ShardlogError = names.ShardlogError
  export type StatsSnapshot = names.StatsSnapshot
  export import defaultConfig = names.defaultConfig
  export import version = names.version
}

export = shardlog
