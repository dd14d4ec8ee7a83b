/** Loads the module of a transport inside a worker thread. */

import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { ownFile } from '../own-place'

export type OpenTarget = (options: unknown) => unknown

interface WithDefault {
  default?: unknown
}

const COULD_NOT_IMPORT: ReadonlySet<string> = new Set([
  'ENOTDIR',
  'ERR_MODULE_NOT_FOUND',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING',
  'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING_FLAG'
])

/** Loads it by `require`, which knows archives, loaders and extensions that `import` does not. */
function loadByRequire(target: string): unknown {
  return createRequire(ownFile)(target.startsWith('file://') ? fileURLToPath(target) : target)
}

async function load(target: string): Promise<unknown> {
  try {
    return await import(target.startsWith('file://') ? target : pathToFileURL(target).href)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined || !COULD_NOT_IMPORT.has(code)) throw error
    return loadByRequire(target)
  }
}

function exportedFunction(loaded: unknown): unknown {
  let candidate = loaded
  // Compiled modules that are imported have their default below the default.
  for (let depth = 0; depth < 3 && typeof candidate === 'object' && candidate !== null; depth++) {
    candidate = (candidate as WithDefault).default
  }
  return candidate
}

/**
 * The function that a transport's module exports.
 *
 * @param target absolute path or file URL
 * @throws if it cannot be loaded or exports no function
 */
export async function loadTarget(target: string): Promise<OpenTarget> {
  const exported = exportedFunction(await load(target))
  if (typeof exported !== 'function') throw Error('exported worker is not a function')
  return exported as OpenTarget
}
