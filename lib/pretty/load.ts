import { createRequire } from 'node:module'
import path from 'node:path'
import { ShardlogError } from '../errors'
import { ownFile } from '../own-place'

/** Options of pino-pretty, which its own documentation lists. */
export type PrettyOptions = Record<string, unknown>

/** Makes a readable text of a line without its newline; undefined where the options leave the line out. */
export type Prettifier = (line: string) => string | undefined

interface PinoPretty {
  prettyFactory(options: PrettyOptions): Prettifier
}

/** The script that the process was started with, as it was named and as it was found; none if there is none, as with --eval. */
function programFiles(): string[] {
  const [, script] = process.argv
  // Of code that was given on the command line, this is its first argument, which may be anything.
  const evaluated = (process as { _eval?: unknown })._eval !== undefined
  const named = script !== undefined && !evaluated && path.isAbsolute(script) ? [script] : []
  return require.main?.filename ? [require.main.filename, ...named] : named
}

/** Where it was installed beside this package or beside the program, never in the working directory: that may be anybody's. */
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
