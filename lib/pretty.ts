/** Readable lines, made by the package pino-pretty where it is installed. */

import { createRequire } from 'node:module'
import path from 'node:path'
import { inspect } from 'node:util'
import { ShardlogError } from './errors'
import { ownFile } from './own-place'

/** Options of pino-pretty, which its own documentation lists. */
export type PrettyOptions = Record<string, unknown>

/**
 * Makes a readable text of a line without its newline; undefined where the options leave the line
 * out.
 */
export type Prettifier = (line: string) => string | undefined

interface PinoPretty {
  prettyFactory(options: PrettyOptions): Prettifier
}

/**
 * The script that the process was started with, as it was named and as it was found; none if there
 * is none, as with --eval.
 */
function programFiles(): string[] {
  const [, script] = process.argv
  // Of code that was given on the command line, this is its first argument, which may be anything.
  const evaluated = (process as { _eval?: unknown })._eval !== undefined
  const named = script !== undefined && !evaluated && path.isAbsolute(script) ? [script] : []
  return require.main?.filename ? [require.main.filename, ...named] : named
}

/**
 * Where it was installed beside this package or beside the program, never in the working directory:
 * that may be anybody's.
 */
function resolvePinoPretty(): string | null {
  for (const from of [ownFile, ...programFiles()]) {
    try {
      return createRequire(from).resolve('pino-pretty')
    } catch {
      // Not to be found from there.
    }
  }
  return null
}

/** Whether pino-pretty is installed. */
export function hasPinoPretty(): boolean {
  return resolvePinoPretty() !== null
}

/** @throws ShardlogError `ERR_SHARDLOG_NO_PRETTY` if pino-pretty is not installed */
export function makePrettifier(options: PrettyOptions): Prettifier {
  const file = resolvePinoPretty()
  if (file === null) {
    const message =
      'readable output is made by the package pino-pretty, which is installed neither beside shardlog nor beside the program; ' +
      'npm install pino-pretty'
    throw new ShardlogError('ERR_SHARDLOG_NO_PRETTY', message)
  }
  return (createRequire(ownFile)(file) as PinoPretty).prettyFactory(options)
}

/** The option `pretty` of a structured logger. */
export type PrettyChoice = boolean | 'auto' | PrettyOptions

interface Target {
  write(text: string): unknown
  flush?: (callback: (error?: Error) => void) => void
  flushSync?: () => void
}

/** What is known of a logger's lines. */
export interface LineFacts {
  /** They go to standard output, since no destination was given. */
  toStdout: boolean
  messageKey?: string | undefined
  errorKey?: string | undefined
  customLevels?: Record<string, number> | undefined
}

const STDOUT = 1
const LINE_END = /\r?\n$/
/** Of pino-pretty's own streams: ours writes to the logger's destination. */
const OF_STREAMS = ['destination', 'append', 'mkdir', 'sync']
/** What pino-pretty takes for errors by default. */
const ERROR_KEYS = ['err', 'error']

function bad(message: string): ShardlogError {
  return new ShardlogError('ERR_SHARDLOG_CONFIG', message)
}

/**
 * Checks the option.
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function checkPretty(choice: unknown): void {
  if (choice === undefined || typeof choice === 'boolean' || choice === 'auto') return
  if (typeof choice !== 'object' || choice === null) {
    throw bad(
      `option pretty must be true, false, 'auto' or an object with pino-pretty's options, got ${inspect(choice)}`
    )
  }
  const wrong = OF_STREAMS.find(name => name in choice)
  if (wrong) throw bad(`option pretty takes no ${wrong}: lines go to the logger's destination, its second argument`)
}

/** Whether lines are to be readable. `toStdout`: no destination is given. */
export function isPretty(choice: PrettyChoice | undefined, toStdout: boolean): boolean {
  if (choice !== 'auto') return Boolean(choice)
  return toStdout && process.stdout.isTTY === true && hasPinoPretty()
}

function isStdout(target: Target): boolean {
  return target === process.stdout || (target as { fd?: unknown }).fd === STDOUT
}

function optionsFor(target: Target, own: PrettyOptions, facts: LineFacts): PrettyOptions {
  const { toStdout, messageKey, errorKey, customLevels } = facts
  return {
    // By itself pino-pretty looks at standard output, wherever its text goes.
    ...(toStdout || isStdout(target) ? {} : { colorize: false }),
    ...(messageKey === undefined ? {} : { messageKey }),
    ...(errorKey === undefined ? {} : { errorLikeObjectKeys: [...ERROR_KEYS, errorKey] }),
    ...(customLevels === undefined ? {} : { customLevels, useOnlyCustomProps: false }),
    ...own
  }
}

/**
 * Makes each line readable and writes it on, in the call: what was logged before the process ends
 * is not in some pipe.
 */
export class PrettyStream implements Target {
  /** By this loggers tell a stream from options. */
  readonly writable = true
  readonly #target: Target
  readonly #prettify: Prettifier

  /** @throws ShardlogError `ERR_SHARDLOG_NO_PRETTY` if pino-pretty is not installed */
  constructor(target: Target, choice: PrettyChoice, facts: LineFacts) {
    const own = typeof choice === 'object' ? choice : {}
    this.#target = target
    this.#prettify = makePrettifier(optionsFor(target, own, facts))
  }

  write(line: string): void {
    const text = this.#readable(line)
    if (text !== undefined) this.#target.write(text)
  }

  /**
   * The line itself if pino-pretty cannot make any text of it: what a line holds must not cost it,
   * nor make a log call throw.
   */
  #readable(line: string): string | undefined {
    try {
      return this.#prettify(line.replace(LINE_END, ''))
    } catch {
      return line
    }
  }

  flush(callback: (error?: Error) => void): void {
    if (this.#target.flush) this.#target.flush(callback)
    else callback()
  }

  flushSync(): void {
    this.#target.flushSync?.()
  }
}
