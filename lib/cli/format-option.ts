import { FORMAT_CHOICES, type FormatChoice } from '../reader/items'
import { type HelpRow, UsageError } from './command'

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
