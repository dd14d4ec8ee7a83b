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
  export import Logger = names.Logger
  export import ShardlogError = names.ShardlogError
  export import defaultConfig = names.defaultConfig
  export import readLog = names.readLog
  export import recoverLog = names.recoverLog
  export import verifyLog = names.verifyLog
  export import version = names.version

  export type BlockInfo = names.BlockInfo
  export type Config = names.Config
  export type Damage = names.Damage
  export type DamageKind = names.DamageKind
  export type Entry = names.Entry
  export type FlushMetrics = names.FlushMetrics
  export type LogEntries = names.LogEntries
  export type ReadOptions = names.ReadOptions
  export type RecoveredArena = names.RecoveredArena
  export type RecoverOptions = names.RecoverOptions
  export type RecoverReport = names.RecoverReport
  export type SequenceRange = names.SequenceRange
  export type ShardStats = names.ShardStats
  export type StatsSnapshot = names.StatsSnapshot
  export type VerifyOptions = names.VerifyOptions
  export type VerifyProgress = names.VerifyProgress
  export type VerifyReport = names.VerifyReport
}

export = shardlog
