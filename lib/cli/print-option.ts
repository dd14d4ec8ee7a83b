import { existsSync } from 'node:fs'
import path from 'node:path'
import { CODE_CONFIGS, prettyOptionsFrom, prettyOptionsIn } from '../pretty/config-file'
import { makePrettifier, type Prettifier, type PrettyOptions } from '../pretty/load'
import type { Entry } from '../reader/items'
import { type HelpRow, UsageError } from './command'
import { entryJson } from './entry-output'
import { isForTerminal, visibleButColors, visibleBytes, visibleJson, visibleStrings } from './shown-text'
import { say } from './stderr'

/** The options that say how entries are printed. */
export const PRINT_OPTIONS = {
  json: { type: 'boolean' },
  pretty: { type: 'boolean' },
  config: { type: 'string' },
  color: { type: 'boolean' },
  'no-color': { type: 'boolean' },
  raw: { type: 'boolean' }
} as const

export const PRINT_HELP: readonly HelpRow[] = [
  [
    '--pretty',
    'readable, by the package pino-pretty, which is looked for beside shardlog and beside this command, never in the',
    'working directory; with the options in .pino-prettyrc or .pino-prettyrc.json there, which are JSON; in colours',
    'on a terminal, unless NO_COLOR is set. A line that pino-pretty cannot make readable is printed as it is'
  ],
  [
    '--config FILE',
    "with --pretty: pino-pretty's options from this file instead; one that is code (.js, .cjs, .mjs) is run"
  ],
  ['--[no-]color', 'with --pretty: colours in any case, or in none'],
  [
    '--raw',
    'on a terminal too, bytes as they are. By default control characters are shown there as less shows them',
    '(ESC, ^G, <U+009B>); what goes to a pipe or file is never changed'
  ]
]

interface PrintValues {
  json?: boolean
  pretty?: boolean
  config?: string
  color?: boolean
  'no-color'?: boolean
  raw?: boolean
}

/** How entries are printed. */
export interface EntryPrinter {
  /** Whether each entry says itself where it is from. */
  readonly namesFile: boolean
  /** The text of an entry, newline included; empty for none. */
  print(entry: Entry, withPath: boolean): string
}

const LINE_END = /\r?\n$/

/** The readable text of a line; the line itself if pino-pretty cannot make any of it: its content decides what that throws. */
function prettyLine(prettify: Prettifier, line: string): string {
  try {
    return prettify(line) ?? ''
  } catch {
    return `${line}\n`
  }
}

/** Says so if there is code that pino-pretty's own command would run, and this one does not. */
function sayIgnoredCode(directory: string): void {
  const file = CODE_CONFIGS.find(name => existsSync(path.join(directory, name)))
  if (file) say(`${file} is code, and not run unless asked for: --config ${file}`)
}

async function prettyPrinter(own: PrettyOptions, config: string | undefined, terminal: boolean): Promise<EntryPrinter> {
  const directory = process.cwd()
  if (config === undefined) sayIgnoredCode(directory)
  const options = config === undefined ? await prettyOptionsIn(directory) : await prettyOptionsFrom(config)
  const prettify = makePrettifier({ ...options, ...own })
  // What the text of a line holds is shown; the colours that pino-pretty adds are obeyed.
  const print = (line: string): string => {
    return terminal ? visibleButColors(prettyLine(prettify, visibleStrings(line))) : prettyLine(prettify, line)
  }
  return {
    namesFile: false,
    print: entry => {
      const lines = entry.text.replace(LINE_END, '').split('\n')
      return lines.map(print).join('')
    }
  }
}

const plainPrinter: EntryPrinter = {
  namesFile: false,
  print: ({ bytes }) => {
    const text = visibleBytes(bytes)
    return text.endsWith('\n') ? text : `${text}\n`
  }
}

function jsonPrinter(terminal: boolean): EntryPrinter {
  const print = (entry: Entry, withPath: boolean) => entryJson(entry, withPath)
  if (!terminal) return { namesFile: true, print }
  return { namesFile: true, print: (entry, withPath) => visibleJson(print(entry, withPath)) }
}

function checkValues(values: PrintValues): void {
  const { json, pretty, color, config, 'no-color': plain } = values
  if (json && pretty) throw new UsageError('--json and --pretty exclude each other')
  if (color && plain) throw new UsageError('--color and --no-color exclude each other')
  if ((color || plain) && !pretty) throw new UsageError('--color and --no-color go with --pretty')
  if (config !== undefined && !pretty) throw new UsageError('--config goes with --pretty')
}

/**
 * What the options ask for; null: entries as they are.
 * @throws UsageError; ShardlogError `ERR_SHARDLOG_NO_PRETTY`
 */
export async function printerOf(values: PrintValues): Promise<EntryPrinter | null> {
  checkValues(values)
  const { json = false, pretty = false, color = false, 'no-color': plain = false, raw = false, config } = values
  const terminal = isForTerminal(raw)
  if (pretty) return prettyPrinter(color || plain ? { colorize: color } : {}, config, terminal)
  if (json) return jsonPrinter(terminal)
  return terminal ? plainPrinter : null
}
