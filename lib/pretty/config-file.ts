import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { fromSystemError, ShardlogError } from '../errors'
import type { PrettyOptions } from './load'

/** Where pino-pretty's own command looks, in its order. */
const MODULES = ['pino-pretty.config.cjs', 'pino-pretty.config.js']
const TEXTS = ['.pino-prettyrc', '.pino-prettyrc.json']
const STRINGS_AND_COMMENTS = /("(?:\\.|[^"\\])*")|\/\/.*|\/\*[\s\S]*?\*\//g

async function loadModule(file: string): Promise<unknown> {
  const loaded = (await import(pathToFileURL(file).href)) as { default?: unknown }
  return loaded.default
}

/** JSON in which comments are allowed. */
async function loadText(file: string): Promise<unknown> {
  const text = await readFile(file, 'utf8')
  return JSON.parse(text.replace(STRINGS_AND_COMMENTS, (_, quoted: string | undefined) => quoted ?? ''))
}

async function load(file: string, read: (file: string) => Promise<unknown>): Promise<PrettyOptions | null> {
  let found: unknown
  try {
    found = await read(file)
  } catch (error) {
    const { code, url } = error as NodeJS.ErrnoException & { url?: string }
    const itself = code === 'ENOENT' || (code === 'ERR_MODULE_NOT_FOUND' && url === pathToFileURL(file).href)
    if (itself) return null
    throw fromSystemError('ERR_SHARDLOG_CONFIG', `cannot read pino-pretty's options from ${file}`, error, file)
  }
  if (typeof found === 'object' && found !== null) return found as PrettyOptions
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', `${file} holds no object with options of pino-pretty`, { path: file })
}

/**
 * pino-pretty's options out of the configuration file in a directory, as its own command takes them; none if there is no such file.
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if there is one that cannot be read
 */
export async function prettyOptionsOf(directory: string): Promise<PrettyOptions> {
  for (const name of MODULES) {
    const options = await load(path.join(directory, name), loadModule)
    if (options) return options
  }
  for (const name of TEXTS) {
    const options = await load(path.join(directory, name), loadText)
    if (options) return options
  }
  return {}
}
