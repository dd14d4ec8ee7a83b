/**
 * Records whose making failed: a getter, serializer, mixin, formatter or hook threw. The call does not throw; the line tells
 * level, time, bindings, message and what went wrong. The fields are left out, since redaction may be what failed.
 */

import type { Internals, Stream } from './internals'
import { quote } from './stringify'
import {
  chindingsSym,
  endSym,
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

/** The message as it was passed, unless it is to be hidden. */
function plainMessage(logger: Internals, args: readonly unknown[]): string {
  const stringifiers = logger[stringifiersSym]
  if (stringifiers[logger[messageKeySym]] || stringifiers[wildcardFirstSym]) return ''
  const message = args.find(argument => typeof argument === 'string')
  return message === undefined ? '' : logger[messageKeyStrSym] + quote(message as string)
}

function timeOf(logger: Internals): string {
  try {
    return logger[timeSym]()
  } catch {
    // The time function may be what failed; a line without a time is better than none.
    return ''
  }
}

/**
 * Writes what can be said of a record that could not be made.
 *
 * @param args what the level method was called with
 * @param thrown what came up
 */
export function writeRescued(logger: Internals, level: number, args: readonly unknown[], thrown: unknown): void {
  const start = logger[lsCacheSym][level] + timeOf(logger) + logger[chindingsSym]
  const body = `,"${ERROR_KEY}":${quote(textOf(thrown))}${plainMessage(logger, args)}`
  writeLine(logger[streamSym], start + body + logger[endSym])
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
