/**
 * The keys of a logger's inner state. Integrations of pino reach for them (`pino.symbols`), so they have pino's names and
 * descriptions, and those that pino registers globally are registered here too.
 */

export const asJsonSym: unique symbol = Symbol('pino.asJson')
export const chindingsSym: unique symbol = Symbol('pino.chindings')
export const endSym: unique symbol = Symbol('pino.end')
export const errorKeySym: unique symbol = Symbol('pino.errorKey')
export const formatOptsSym: unique symbol = Symbol('pino.formatOpts')
export const formattersSym: unique symbol = Symbol.for('pino.formatters')
export const getLevelSym: unique symbol = Symbol('pino.getLevel')
export const hooksSym: unique symbol = Symbol.for('pino.hooks')
export const levelCompSym: unique symbol = Symbol('pino.levelComp')
export const levelValSym: unique symbol = Symbol('pino.levelVal')
export const lsCacheSym: unique symbol = Symbol('pino.lsCache')
export const messageKeySym: unique symbol = Symbol('pino.messageKey')
export const mixinMergeStrategySym: unique symbol = Symbol('pino.mixinMergeStrategy')
export const mixinSym: unique symbol = Symbol('pino.mixin')
export const msgPrefixSym: unique symbol = Symbol('pino.msgPrefix')
export const needsMetadataGsym: unique symbol = Symbol.for('pino.metadata')
export const nestedKeyStrSym: unique symbol = Symbol('pino.nestedKeyStr')
export const nestedKeySym: unique symbol = Symbol('pino.nestedKey')
export const redactFmtSym: unique symbol = Symbol('pino.redactFmt')
export const serializersSym: unique symbol = Symbol.for('pino.serializers')
export const setLevelSym: unique symbol = Symbol('pino.setLevel')
export const streamSym: unique symbol = Symbol('pino.stream')
export const stringifiersSym: unique symbol = Symbol('pino.stringifiers')
export const stringifySafeSym: unique symbol = Symbol('pino.stringifySafe')
export const stringifySym: unique symbol = Symbol('pino.stringify')
export const timeSliceIndexSym: unique symbol = Symbol('pino.timeSliceIndex')
export const timeSym: unique symbol = Symbol('pino.time')
export const transportUsesMultistreamSym: unique symbol = Symbol.for('pino.transport.usesMultistream')
export const useLevelLabelsSym: unique symbol = Symbol('pino.useLevelLabels')
export const useOnlyCustomLevelsSym: unique symbol = Symbol('pino.useOnlyCustomLevels')
export const wildcardFirstSym: unique symbol = Symbol('pino.wildcardFirst')
export const writeSym: unique symbol = Symbol('pino.write')

/** The message key as it begins the message in a line; ours alone. */
export const messageKeyStrSym: unique symbol = Symbol('shardlog.messageKeyStr')

/** Those that pino has too, by name: `shardlog.symbols`. */
export const symbols = {
  asJsonSym,
  chindingsSym,
  endSym,
  errorKeySym,
  formatOptsSym,
  formattersSym,
  getLevelSym,
  hooksSym,
  levelCompSym,
  levelValSym,
  lsCacheSym,
  messageKeySym,
  mixinMergeStrategySym,
  mixinSym,
  msgPrefixSym,
  needsMetadataGsym,
  nestedKeyStrSym,
  nestedKeySym,
  redactFmtSym,
  serializersSym,
  setLevelSym,
  streamSym,
  stringifiersSym,
  stringifySafeSym,
  stringifySym,
  timeSliceIndexSym,
  timeSym,
  transportUsesMultistreamSym,
  useLevelLabelsSym,
  useOnlyCustomLevelsSym,
  wildcardFirstSym,
  writeSym
} as const
