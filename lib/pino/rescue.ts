/** Records whose making failed. The call does not throw; the line has what can be had, and says where what failed. */

import { Failures, textOf } from './failures'
import { guardedLine, guardedMessage } from './guarded-line'
import { isHttpObject, loggedObject } from './http-objects'
import type { Internals, Stream } from './internals'
import { noteMetadata } from './metadata'
import { errorTextSym, msgPrefixSym, streamSym } from './symbols'
import { trailingFields } from './trailing-fields'

/** Destinations that have been complained about: once each, or a broken one would fill the terminal. */
const complained = new WeakSet<object>()

interface Record {
  fields: object | null | undefined
  message: unknown
}

function failuresOf(logger: Internals): Failures {
  return new Failures(Boolean(logger[errorTextSym]))
}

/** The object whose fields join the line, of what a call was given first. */
function guardedObject(failures: Failures, first: object): object | null {
  const isHttp = failures.guard('fields', () => isHttpObject(first), false)
  return isHttp ? failures.guard('fields', () => loggedObject(first), null) : first
}

/** What the arguments of a level method say, as `level-methods.ts` reads them. */
function recordOf(logger: Internals, failures: Failures, level: number, args: readonly unknown[]): Record {
  const [first, ...rest] = args
  const prefix = logger[msgPrefixSym]
  if (typeof first === 'object') {
    const fields = first === null ? null : guardedObject(failures, first)
    const message = first === null && rest.length === 0 ? null : rest[0]
    return { fields, message: guardedMessage(logger, failures, prefix, message, rest.slice(1)) }
  }
  const [message, values] = first === undefined ? [rest[0], rest.slice(1)] : [first, rest]
  const joins =
    values.length === 1 && first !== undefined ? () => trailingFields(logger, level, first, values[0]) : null
  const joining = joins && failures.guard('fields', joins, null)
  return {
    fields: joining && guardedObject(failures, joining),
    message: guardedMessage(logger, failures, prefix, message, values)
  }
}

function write(logger: Internals, failures: Failures, record: Record, level: number, thrown: unknown): void {
  // What fails a second time says where.
  const made = guardedLine(logger, failures, record.fields, record.message, level)
  const isExplained = failures.mended || failures.text !== undefined
  const line = isExplained ? made.line : again(logger, failures, record, level, thrown)
  const stream = logger[streamSym]
  noteMetadata(logger, stream, made.fields, made.message, level, made.time)
  writeLine(stream, line)
}

/** The line of a record that fails only now and then. */
function again(logger: Internals, failures: Failures, record: Record, level: number, thrown: unknown): string {
  failures.note('the call', thrown)
  return guardedLine(logger, failures, record.fields, record.message, level).line
}

/**
 * Writes what can be said of a record that could not be made.
 *
 * @param args what the level method was called with
 * @param thrown what came up
 */
export function writeRescued(logger: Internals, level: number, args: readonly unknown[], thrown: unknown): void {
  const failures = failuresOf(logger)
  write(logger, failures, recordOf(logger, failures, level, args), level, thrown)
}

/** As `writeRescued`, of a record that has come as far as `logger[writeSym]`. */
export function writeRescuedRecord(
  logger: Internals,
  fields: object | null | undefined,
  message: unknown,
  level: number,
  thrown: unknown
): void {
  write(logger, failuresOf(logger), { fields, message }, level, thrown)
}

/** As `writeRescued`, where the hook `logMethod` failed: it may be what hides things in the fields. */
export function writeUnhooked(logger: Internals, level: number, args: readonly unknown[], thrown: unknown): void {
  const failures = failuresOf(logger)
  failures.note('hooks.logMethod', thrown)
  const message = args.find(argument => typeof argument === 'string')
  write(logger, failures, { fields: null, message }, level, thrown)
}

/** Writes a line; a destination that throws is reported by a process warning, once. */
export function writeLine(stream: Stream, line: string): void {
  try {
    stream.write(line)
  } catch (thrown) {
    if (complained.has(stream)) return
    complained.add(stream)
    process.emitWarning(`A destination refuses lines: ${textOf(thrown)}`, { code: 'SHARDLOG_DESTINATION' })
  }
}
