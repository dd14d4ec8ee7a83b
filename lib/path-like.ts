import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { ShardlogError } from './errors'

/** Whether it is a URL, of whichever realm. */
export function isUrl(value: unknown): value is URL {
  return typeof value === 'object' && value !== null && Object.prototype.toString.call(value) === '[object URL]'
}

/**
 * The path of a `file:` URL, as `node:fs` takes them; anything else as it is.
 *
 * @param option whose value it is
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for a URL of another kind
 */
export function pathOf(value: unknown, option: string): unknown {
  if (!isUrl(value)) return value
  try {
    return fileURLToPath(value.href)
  } catch (cause) {
    const message = `option ${option} must be a path or a file: URL, got ${inspect(value.href)}`
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', message, { cause })
  }
}

/** Of a log and of a destination: the options that are paths. */
const PATH_OPTIONS = ['logFilePath', 'dest', 'recoverTo', 'arenaDir'] as const

/** `Given` without URLs where paths may stand. */
export type WithPaths<Given> = {
  [Name in keyof Given]: Name extends (typeof PATH_OPTIONS)[number] ? Exclude<Given[Name], URL> : Given[Name]
}

/** The options with paths in place of URLs; anything else as it is. */
export function withPaths<Given>(given: Given): WithPaths<Given> {
  if (typeof given !== 'object' || given === null) return given as WithPaths<Given>
  const paths = Object.fromEntries(
    PATH_OPTIONS.filter(option => isUrl((given as Record<string, unknown>)[option])).map(option => [
      option,
      pathOf((given as Record<string, unknown>)[option], option)
    ])
  )
  return (Object.keys(paths).length === 0 ? given : { ...given, ...paths }) as WithPaths<Given>
}
