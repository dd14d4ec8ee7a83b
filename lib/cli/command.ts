/**
 * What the commands have in common: their arguments, their options, and the logs that these name.
 */

import { fstatSync } from 'node:fs'
import { resolve } from 'node:path'
import { type ParseArgsConfig, parseArgs } from 'node:util'
import type { LogPlace } from '../arena/locate'
import { nearestName } from '../errors'
import { FORMAT_CHOICES, type FormatChoice, type ScanItem } from '../reader/items'
import type { OpenOptions } from '../reader/open-log'
import { scanLog, scanSource } from '../reader/scan-log'
import { StreamSource } from '../reader/source'
import { type VerifyChoices, type VerifyReport, verifyFile, verifySource } from '../reader/verify-log'

export const EXIT_OK = 0
export const EXIT_FAILED = 1
export const EXIT_USAGE = 2

export interface Command {
  readonly name: string
  /** One line for the list of commands. */
  readonly summary: string
  /** What `--help` prints. */
  readonly help: string
  /** @returns the exit code. */
  run(args: string[]): Promise<number>
}

/** An option, and the lines that explain it. */
export type HelpRow = readonly [option: string, ...lines: string[]]

/** The lines of `--help` on some options, their texts from column `width` on. */
export function helpOf(width: number, ...rows: readonly HelpRow[]): string {
  const indent = ' '.repeat(width)
  return rows.map(([option, ...lines]) => `  ${option}`.padEnd(width) + lines.join(`\n${indent}`)).join('\n')
}

/** The command line is wrong; the message says how. */
export class UsageError extends Error {}

type Options = NonNullable<ParseArgsConfig['options']>
/** What parseArgs makes of `T`: a string or boolean for each option given. */
interface Parsed<T extends Options> {
  values: {
    [K in keyof T]?: T[K]['type'] extends 'boolean' ? boolean : T[K]['multiple'] extends true ? string[] : string
  }
  positionals: string[]
}

/**
 * Parses a command's arguments. Options not in `options` are refused by name, with a proposal where
 * one is near.
 * @throws UsageError
 */
export function parseCommand<T extends Options>(args: string[], options: T): Parsed<T> {
  const all = { ...options, help: { type: 'boolean', short: 'h' } } as const
  try {
    return parseArgs({ args, options: all, allowPositionals: true, strict: true }) as Parsed<T>
  } catch (error) {
    throw new UsageError(explain(error as Error & { code?: string }, Object.keys(all)))
  }
}

function explain(error: Error & { code?: string }, names: string[]): string {
  if (error.code !== 'ERR_PARSE_ARGS_UNKNOWN_OPTION') return error.message
  const given = /'(-[^']*)'/.exec(error.message)?.[1] ?? ''
  const near = given.startsWith('--') ? nearestName(given.slice(2), names) : undefined
  return `unknown option ${given}${near ? `; did you mean --${near}?` : ''}`
}

/** The files named, at least one and, unless `many`, only one. */
export function requireFiles(positionals: string[], many = true): string[] {
  if (positionals.length === 0) throw new UsageError('no log file given')
  if (!many && positionals.length > 1) throw new UsageError(`one log file at a time, not ${positionals.length}`)
  if (positionals.filter(name => name === '-').length > 1)
    throw new UsageError('standard input (-) can be read only once')
  return positionals
}

/** The option of every command that looks into arenas. */
export const ARENA_OPTION = { 'arena-dir': { type: 'string' } } as const

export const ARENA_HELP: HelpRow = [
  '--arena-dir DIR',
  'look in DIR as well, for a log that was opened with the option arenaDir'
]

/**
 * The directory that was given, absolute.
 * @throws UsageError
 */
export function parseArenaDir(values: { 'arena-dir'?: string }): string | undefined {
  const directory = values['arena-dir']
  if (directory === '') throw new UsageError('--arena-dir takes a directory')
  return directory === undefined ? undefined : resolve(directory)
}

/** The option of every command that reads logs. */
export const FORMAT_OPTION = { format: { type: 'string', default: 'auto' } } as const

export const FORMAT_HELP: HelpRow = [
  '--format NAME',
  "'shard', blocks of entries, or 'ndjson', lines of text; default 'auto': what the first bytes say"
]

/** @throws UsageError */
export function parseFormat(name = 'auto'): FormatChoice {
  const found = FORMAT_CHOICES.find(choice => choice === name)
  if (found) return found
  throw new UsageError(`--format is 'auto', 'shard' or 'ndjson', not '${name}'`)
}

const STDIN = 0

/**
 * The log that is given by a file name or `-`; null for standard input that is no file. Where it is
 * a file, it is read as one, since reading can go on behind damage then.
 */
export function inputLog(given: LogPlace): LogPlace | null {
  if (given.path !== '-') return given
  return fstatSync(STDIN).isFile() ? { ...given, path: '/dev/stdin' } : null
}

/** Batches of a log, or of standard input for `-`. */
export function scanInput(given: LogPlace, options: OpenOptions): AsyncGenerator<ScanItem[], unknown> {
  const log = inputLog(given)
  return log === null ? scanSource(new StreamSource('-', process.stdin), options) : scanLog(log, options)
}

/** Verifies a log, or standard input for `-`. */
export function verifyInput(given: LogPlace, options: VerifyChoices): Promise<VerifyReport> {
  const log = inputLog(given)
  return log === null ? verifySource(new StreamSource('-', process.stdin), options) : verifyFile(log, options)
}
