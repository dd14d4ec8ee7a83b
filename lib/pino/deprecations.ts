/** Warnings about configurations that cannot work as they are meant. */

/** Lines without a numeric level cannot be told apart by level in the worker of a transport with several targets. */
export function warnOfLevelFormatter(): void {
  process.emitWarning(
    'The custom level formatter is incompatible with a transport with several targets: their levels are told apart by the numeric "level" field.',
    { code: 'PINO_TRANSPORT_MULTI_TARGETS_LEVEL_FORMATTER' }
  )
}
