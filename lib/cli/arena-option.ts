import { resolve } from 'node:path'
import { type HelpRow, UsageError } from './command'

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
