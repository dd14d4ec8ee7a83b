import fs from 'node:fs'
import { type StructuredLogger as Logger, logger } from '../../lib/pino/logger'
import { destination } from '../../lib/pino/public'
import type { LoggerOptions } from '../../lib/pino/types'
import { tempLog } from '../support/temp'

export type Line = Record<string, unknown>

interface Logged {
  log: Logger
  /** What was written so far. */
  lines(): Line[]
}

const PLAIN = { base: null, timestamp: false } as const

/** A logger with neither time nor bindings. */
export function plainLogger(options: LoggerOptions, stream: { write(line: string): unknown }): Logger {
  return logger({ ...PLAIN, ...options }, stream as never)
}

function parsed(text: string): Line[] {
  return text
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Line)
}

function textLogger(options: LoggerOptions): Logged {
  const written: string[] = []
  const log = plainLogger(options, { write: line => written.push(line) })
  return { log, lines: () => parsed(written.join('')) }
}

function recordingLogger(options: LoggerOptions): Logged {
  const file = tempLog()
  const stream = destination({ dest: file, format: 'ndjson', crashSafe: false, bufferSize: 1 << 20, numShards: 1 })
  const log = plainLogger(options, stream)
  return {
    log,
    lines() {
      stream.flushSync()
      return parsed(fs.readFileSync(file, 'utf8'))
    }
  }
}

/** The two ways of a record: made into text in the call, or recorded and made later. */
export const destinations = [
  ['text', textLogger],
  ['recording', recordingLogger]
] as const
