/**
 * The keys of a logger's inner state. Integrations of pino reach for it by `pino.symbols`: see `symbols` below. What shapes a line is under
 * symbols of our own, with pino's in front of them (`state-access.ts`), so that a change from outside is noticed.
 */

export const asJsonSym: unique symbol = Symbol('pino.asJson')
export const chindingsSym: unique symbol = Symbol('shardlog.chindings')
export const endSym: unique symbol = Symbol('shardlog.end')
export const errorKeySym: unique symbol = Symbol('shardlog.errorKey')
export const formatOptsSym: unique symbol = Symbol('pino.formatOpts')
export const formattersSym: unique symbol = Symbol('shardlog.formatters')
export const getLevelSym: unique symbol = Symbol('pino.getLevel')
export const hooksSym: unique symbol = Symbol('shardlog.hooks')
export const levelCompSym: unique symbol = Symbol('pino.levelComp')
export const levelValSym: unique symbol = Symbol('pino.levelVal')
export const lsCacheSym: unique symbol = Symbol('shardlog.lsCache')
export const messageKeySym: unique symbol = Symbol('shardlog.messageKey')
export const mixinMergeStrategySym: unique symbol = Symbol('pino.mixinMergeStrategy')
export const mixinSym: unique symbol = Symbol('shardlog.mixin')
export const msgPrefixSym: unique symbol = Symbol('shardlog.msgPrefix')
export const needsMetadataGsym: unique symbol = Symbol.for('pino.metadata')
export const nestedKeyStrSym: unique symbol = Symbol('pino.nestedKeyStr')
export const nestedKeySym: unique symbol = Symbol('shardlog.nestedKey')
export const redactFmtSym: unique symbol = Symbol('pino.redactFmt')
export const serializersSym: unique symbol = Symbol('shardlog.serializers')
export const setLevelSym: unique symbol = Symbol('pino.setLevel')
export const streamSym: unique symbol = Symbol('shardlog.stream')
export const stringifiersSym: unique symbol = Symbol('shardlog.stringifiers')
export const stringifySafeSym: unique symbol = Symbol('shardlog.stringifySafe')
export const stringifySym: unique symbol = Symbol('shardlog.stringify')
export const timeSliceIndexSym: unique symbol = Symbol('pino.timeSliceIndex')
export const timeSym: unique symbol = Symbol('shardlog.time')
export const transportUsesMultistreamSym: unique symbol = Symbol.for('pino.transport.usesMultistream')
export const useLevelLabelsSym: unique symbol = Symbol('pino.useLevelLabels')
export const useOnlyCustomLevelsSym: unique symbol = Symbol('pino.useOnlyCustomLevels')
export const wildcardFirstSym: unique symbol = Symbol('pino.wildcardFirst')
export const writeSym: unique symbol = Symbol('pino.write')

/** Whether lines that could not be made whole have the text of what was thrown; ours alone. */
export const errorTextSym: unique symbol = Symbol('shardlog.errorText')
/** Whether lines are made at the call, whatever the destination; ours alone. */
export const jsonAtCallSym: unique symbol = Symbol('shardlog.jsonAtCall')
/** Whether fields after the message join the line; ours alone. */
export const trailingFieldsSym: unique symbol = Symbol('shardlog.trailingFields')
/** pino's own, by name; `state-access.ts` hands them out. */
export const symbols = {
  asJsonSym,
  chindingsSym: Symbol('pino.chindings'),
  endSym: Symbol('pino.end'),
  errorKeySym: Symbol('pino.errorKey'),
  formatOptsSym,
  formattersSym: Symbol.for('pino.formatters'),
  getLevelSym,
  hooksSym: Symbol.for('pino.hooks'),
  levelCompSym,
  levelValSym,
  lsCacheSym: Symbol('pino.lsCache'),
  messageKeySym: Symbol('pino.messageKey'),
  mixinMergeStrategySym,
  mixinSym: Symbol('pino.mixin'),
  msgPrefixSym: Symbol('pino.msgPrefix'),
  needsMetadataGsym,
  nestedKeyStrSym,
  nestedKeySym: Symbol('pino.nestedKey'),
  redactFmtSym,
  serializersSym: Symbol.for('pino.serializers'),
  setLevelSym,
  streamSym: Symbol('pino.stream'),
  stringifiersSym: Symbol('pino.stringifiers'),
  stringifySafeSym: Symbol('pino.stringifySafe'),
  stringifySym: Symbol('pino.stringify'),
  timeSliceIndexSym,
  timeSym: Symbol('pino.time'),
  transportUsesMultistreamSym,
  useLevelLabelsSym,
  useOnlyCustomLevelsSym,
  wildcardFirstSym,
  writeSym
} as const

/** What stands behind those of pino's symbols that are not the logger's own keys. */
export const stateSymbols: readonly (readonly [outer: symbol, inner: symbol])[] = [
  [symbols.chindingsSym, chindingsSym],
  [symbols.endSym, endSym],
  [symbols.errorKeySym, errorKeySym],
  [symbols.formattersSym, formattersSym],
  [symbols.hooksSym, hooksSym],
  [symbols.lsCacheSym, lsCacheSym],
  [symbols.messageKeySym, messageKeySym],
  [symbols.mixinSym, mixinSym],
  [symbols.msgPrefixSym, msgPrefixSym],
  [symbols.nestedKeySym, nestedKeySym],
  [symbols.serializersSym, serializersSym],
  [symbols.streamSym, streamSym],
  [symbols.stringifiersSym, stringifiersSym],
  [symbols.stringifySafeSym, stringifySafeSym],
  [symbols.stringifySym, stringifySym],
  [symbols.timeSym, timeSym]
]
