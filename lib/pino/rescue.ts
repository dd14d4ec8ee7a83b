/**
 * Records whose making failed: a getter, serializer, mixin, formatter or hook threw. The call does not throw; the line tells
 * level, time, bindings, message and what went wrong. The fields are left out, since redaction may be what failed.
 */

import type { Internals, Stream } from './internals'
import { noteMetadata } from './metadata'
import { quote } from './stringify'
import {
  chindingsSym,
  endSym,
  hooksSym,
  lsCacheSym,
  messageKeyStrSym,
  messageKeySym,
  streamSym,
  stringifiersSym,
  timeSym,
  wildcardFirstSym
} from './symbols'

/** Key of the text that says what went wrong. */
const ERROR_KEY = 'loggingError'

/** Destinations that have been complained about: once each, or a broken one would fill the terminal. */
const complained = new WeakSet<object>()

/** What a thrown value says. */
function textOf(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown)
  } catch {
    return 'an error that cannot be shown'
  }
}

/** The message as it was passed; undefined if there is none, or if it is to be hidden. */
function plainMessage(logger: Internals, args: readonly unknown[]): string | undefined {
  const stringifiers = logger[stringifiersSym]
  if (stringifiers[logger[messageKeySym]] || stringifiers[wildcardFirstSym]) return undefined
  return args.find((argument): argument is string => typeof argument === 'string')
}

function timeOf(logger: Internals): string {
  try {
    return logger[timeSym]()
  } catch {
    // The time function may be what failed; a line without a time is better than none.
    return ''
  }
}

/** The line after the hook that may hide things in it; without the message if the hook fails. */
function hooked(logger: Internals, start: string, message: string): string {
  const end = logger[endSym]
  const hook = logger[hooksSym].streamWrite
  if (!hook) return start + message + end
  try {
    return hook(start + message + end)
  } catch {
    // It is likely what failed before, and what went wrong stands in the line.
    return start + end
  }
}

/**
 * Writes what can be said of a record that could not be made.
 *
 * @param args what the level method was called with
 * @param thrown what came up
 */
export function writeRescued(logger: Internals, level: number, args: readonly unknown[], thrown: unknown): void {
  const time = timeOf(logger)
  const message = plainMessage(logger, args)
  const start = `${logger[lsCacheSym][level]}${time}${logger[chindingsSym]},"${ERROR_KEY}":${quote(textOf(thrown))}`
  const line = hooked(logger, start, message === undefined ? '' : logger[messageKeyStrSym] + quote(message))
  const stream = logger[streamSym]
  noteMetadata(logger, stream, {}, message, level, time)
  writeLine(stream, line)
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
