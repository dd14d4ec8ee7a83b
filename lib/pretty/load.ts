import { createRequire } from 'node:module'
import path from 'node:path'
import { ShardlogError } from '../errors'

/** Options of pino-pretty, which its own documentation lists. */
export type PrettyOptions = Record<string, unknown>

/** Makes a readable text of a line without its newline; undefined where the options leave the line out. */
export type Prettifier = (line: string) => string | undefined

interface PinoPretty {
  prettyFactory(options: PrettyOptions): Prettifier
}

function resolvePinoPretty(): string | null {
  // Ours, if it was installed beside this package, or the project's in which a global command was started.
  for (const from of [__filename, path.join(process.cwd(), 'from')]) {
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
      'readable output is made by the package pino-pretty, which is not installed; npm install pino-pretty'
    throw new ShardlogError('ERR_SHARDLOG_NO_PRETTY', message)
  }
  return (createRequire(__filename)(file) as PinoPretty).prettyFactory(options)
}
