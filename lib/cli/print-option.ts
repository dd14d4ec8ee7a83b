import { prettyOptionsOf } from '../pretty/config-file'
import { makePrettifier, type PrettyOptions } from '../pretty/load'
import type { Entry } from '../reader/entry'
import { type HelpRow, UsageError } from './command'
import { entryJson } from './entry-output'

/** The options that say how entries are printed. */
export const PRINT_OPTIONS = {
  json: { type: 'boolean' },
  pretty: { type: 'boolean' },
  color: { type: 'boolean' },
  'no-color': { type: 'boolean' }
} as const

export const PRETTY_HELP: readonly HelpRow[] = [
  [
    '--pretty',
    'readable, by the package pino-pretty with the options of its configuration file (.pino-prettyrc) in the',
    'working directory; in colours on a terminal, unless NO_COLOR is set'
  ],
  ['--[no-]color', 'with --pretty: colours in any case, or in none']
]

interface PrintValues {
  json?: boolean
  pretty?: boolean
  color?: boolean
  'no-color'?: boolean
}

/** How entries are printed. */
export interface EntryPrinter {
  /** Whether each entry says itself where it is from. */
  readonly namesFile: boolean
  /** The text of an entry, newline included; empty for none. */
  print(entry: Entry, withPath: boolean): string
}

const LINE_END = /\r?\n$/

async function prettyPrinter(options: PrettyOptions): Promise<EntryPrinter> {
  const prettify = makePrettifier({ ...(await prettyOptionsOf(process.cwd())), ...options })
  const print = (entry: Entry): string => {
    const lines = entry.text.replace(LINE_END, '').split('\n')
    return lines.map(line => prettify(line) ?? '').join('')
  }
  return { namesFile: false, print }
}

/**
 * What the options ask for; null: entries as they are.
 * @throws UsageError; ShardlogError `ERR_SHARDLOG_NO_PRETTY`
 */
export async function printerOf(values: PrintValues): Promise<EntryPrinter | null> {
  const { json = false, pretty = false, color = false, 'no-color': plain = false } = values
  if (json && pretty) throw new UsageError('--json and --pretty exclude each other')
  if (color && plain) throw new UsageError('--color and --no-color exclude each other')
  if ((color || plain) && !pretty) throw new UsageError('--color and --no-color go with --pretty')
  if (pretty) return prettyPrinter(color || plain ? { colorize: color } : {})
  return json ? { namesFile: true, print: entryJson } : null
}
