import type { LogPlace } from '../arena/locate'
import type { FormatChoice, ScanItem } from '../reader/items'
import { scanByTime } from '../reader/scan-log'
import {
  ARENA_HELP,
  ARENA_OPTION,
  type Command,
  EXIT_FAILED,
  EXIT_OK,
  FORMAT_HELP,
  FORMAT_OPTION,
  helpOf,
  inputLog,
  parseArenaDir,
  parseCommand,
  parseFormat,
  requireFiles,
  scanInput,
  UsageError
} from './command'
import { type EntryPrinter, FdWriter, PRINT_HELP, PRINT_OPTIONS, printerOf, writeEntries, writeLines } from './output'
import { sayArena, sayDamage } from './terminal'

const HELP = `Usage: shardlog cat [options] FILE...

Prints the entries of logs, one after the other: each entry as it was logged, and a newline if it has none; after those in
the file, those that wait in its arena. FILE may be - for standard input, or an arena. Damage is reported on stderr and
stepped over; the exit code is 1 then.

  --json           one JSON object a line: offset, time (of the entry's block), producer, text (or base64 if not UTF-8);
                   entries that wait in an arena have "waiting": true
${helpOf(19, ...PRINT_HELP)}
  --order ORDER    'file' (default): as the entries stand; 'time': the entries of all files by the time at which their block
                   was begun, or that the line tells
${helpOf(19, ARENA_HELP, FORMAT_HELP)}
  --salvage        print blocks whose checksum is wrong too, as far as they can be read, and a last line that is cut off
  --strict         stop at the first damage
  -h, --help       this text

Examples:
  shardlog cat app.log                          the log, as text
  shardlog cat --pretty app.log | less -R       readable
  node app.js | shardlog cat --pretty -         the same of what a program prints
  shardlog cat --order time a.log b.log         two logs, merged
  shardlog cat --json app.log | jq .text        with offsets and times of blocks
`

const OPTIONS = {
  ...PRINT_OPTIONS,
  ...FORMAT_OPTION,
  ...ARENA_OPTION,
  order: { type: 'string' },
  salvage: { type: 'boolean' },
  strict: { type: 'boolean' }
} as const

interface CatOptions {
  /** null: entries as they are. */
  printer: EntryPrinter | null
  format: FormatChoice
  byTime: boolean
  salvage: boolean
  strict: boolean
}

async function* batchesOf(logs: LogPlace[], options: CatOptions): AsyncGenerator<ScanItem[], void> {
  const { salvage, format } = options
  if (options.byTime) {
    yield* scanByTime(logs, { salvage, format })
    return
  }
  const pieces = options.printer === null
  for (const log of logs) yield* scanInput(log, { reuse: true, salvage, format, pieces })
}

async function print(logs: LogPlace[], options: CatOptions): Promise<number> {
  const writer = new FdWriter(1)
  const { printer } = options
  let code = EXIT_OK
  for await (const items of batchesOf(logs, options)) {
    let sound = items
    for (const [i, item] of items.entries()) {
      if (item.kind !== 'damage') continue
      code = EXIT_FAILED
      sayDamage(item.damage)
      if (options.strict) {
        sound = items.slice(0, i)
        break
      }
    }
    if (printer) await writeEntries(sound, writer, entry => printer.print(entry, logs.length > 1))
    else await writeLines(sound, writer)
    if (sound !== items) break
  }
  return code
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, OPTIONS)
  const { order = 'file', salvage = false, strict = false } = values
  if (order !== 'file' && order !== 'time') throw new UsageError(`--order is 'file' or 'time', not '${order}'`)
  const files = requireFiles(positionals)
  if (order === 'time' && files.includes('-')) throw new UsageError('--order time needs files, not standard input')
  const arenaDir = parseArenaDir(values)
  const format = parseFormat(values.format)
  const logs = files.map(path => ({ path, arenaDir }))
  const options = { printer: await printerOf(values), format, salvage, strict }
  let code = await print(logs, { ...options, byTime: order === 'time' })
  for (const given of logs) {
    const log = inputLog(given)
    if (log !== null && !sayArena(log)) code = EXIT_FAILED
  }
  return code
}

export const cat: Command = { name: 'cat', summary: 'print the entries of logs', help: HELP, run }
