import { type StructuredLogger as Logger, logger } from '../../../lib/pino/logger'
import type { LoggerOptions } from '../../../lib/pino/types'

export type Line = Record<string, unknown>

/** A level method without the care that its types take. */
export type LooseLog = Record<'info' | 'error', (...args: unknown[]) => void>

/** What a logger writes without process, host and time, parsed. */
export function linesOf(options: LoggerOptions, use: (log: Logger & LooseLog) => void): Line[] {
  const lines: string[] = []
  const log = logger({ base: null, timestamp: false, ...options }, { write: line => lines.push(line) })
  use(log as Logger & LooseLog)
  return lines.map(line => JSON.parse(line) as Line)
}
