import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { fromSystemError, ShardlogError } from '../errors'
import type { PrettyOptions } from './load'

/** Where pino-pretty's own command looks first: code, which is never run for lying somewhere. */
export const CODE_CONFIGS = ['pino-pretty.config.cjs', 'pino-pretty.config.js']
/** Where it looks then. */
const TEXTS = ['.pino-prettyrc', '.pino-prettyrc.json']
const CODE = /\.[cm]?js$/
const STRINGS_AND_COMMENTS = /("(?:\\.|[^"\\])*")|\/\/.*|\/\*[\s\S]*?\*\//g
/** More is no configuration. */
const MAX_BYTES = 1024 * 1024

async function loadModule(file: string): Promise<unknown> {
  const loaded = (await import(pathToFileURL(path.resolve(file)).href)) as { default?: unknown }
  return loaded.default
}

async function textOf(handle: FileHandle): Promise<string> {
  const stats = await handle.stat()
  if (!stats.isFile()) throw new Error('it is not a regular file')
  if (stats.size > MAX_BYTES) throw new Error(`it has more than ${MAX_BYTES} bytes`)
  return handle.readFile('utf8')
}

/** JSON in which comments are allowed. */
async function loadText(file: string): Promise<unknown> {
  // Nobody is waited for: what lies there may be a pipe.
  const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  try {
    const text = await textOf(handle)
    return JSON.parse(text.replace(STRINGS_AND_COMMENTS, (_, quoted: string | undefined) => quoted ?? ''))
  } finally {
    await handle.close()
  }
}

/**
 * pino-pretty's options out of a file that somebody has named: JSON in which comments are allowed, or a module.
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if it cannot be read
 */
export async function prettyOptionsFrom(file: string): Promise<PrettyOptions> {
  let found: unknown
  try {
    found = await (CODE.test(file) ? loadModule(file) : loadText(file))
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_CONFIG', `cannot read pino-pretty's options from ${file}`, error, file)
  }
  if (typeof found === 'object' && found !== null) return found as PrettyOptions
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `${file} holds no object with options of pino-pretty`, { path: file })
}

/**
 * pino-pretty's options out of the configuration file in a directory; none if there is no such file. Only of one that is JSON: nothing
 * in the directory is run.
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if there is one that cannot be read
 */
export async function prettyOptionsIn(directory: string): Promise<PrettyOptions> {
  for (const name of TEXTS) {
    try {
      return await prettyOptionsFrom(path.join(directory, name))
    } catch (error) {
      if ((error as ShardlogError).errno !== 'ENOENT') throw error
    }
  }
  return {}
}
