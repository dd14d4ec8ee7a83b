import { stat } from 'node:fs/promises'
import type { LogPlace } from '../arena/locate'
import { checkFollowed, runFollowers, tailStart } from '../reader/follow'
import { type Entry, entrySlices, type FormatChoice, type ScanItem } from '../reader/items'
import { LogFollower } from '../reader/log-follower'
import { isForbidden, logOfArena } from '../reader/log-place'
import { isArena, openLog, sourceFormat } from '../reader/open-log'
import { readError } from '../reader/source'
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
import { type EntryPrinter, FdWriter, NEWLINE, PRINT_HELP, PRINT_OPTIONS, printerOf } from './output'
import { say, sayArena, sayDamage, visibleLine } from './terminal'

const HELP = `Usage: shardlog tail [options] FILE...

Prints the last entries of logs, those included that wait in an arena. FILE may be an arena.

  -n, --lines N    how many of each file, default 10
  -f, --follow     then go on with what is logged, until interrupted: at once also what a running process has not written to
                   the file yet; over rotation and truncation
  --json           one JSON object a line, as cat --json; with more than one file with its path. Entries that wait in an arena
                   have "waiting": true
${helpOf(19, ...PRINT_HELP)}
${helpOf(19, ARENA_HELP, FORMAT_HELP)}
  -h, --help       this text

Examples:
  shardlog tail -n 100 app.log             the last hundred entries
  shardlog tail -f --pretty app.log        readable, as they are logged
  shardlog tail -f -n 0 a.log b.log        of two logs, only what is new
`

const OPTIONS = {
  lines: { type: 'string', short: 'n', default: '10' },
  follow: { type: 'boolean', short: 'f' },
  ...PRINT_OPTIONS,
  ...FORMAT_OPTION,
  ...ARENA_OPTION
} as const

function parseLines(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`-n takes a number of entries, 0 or more, not '${text}'`)
  return Number(text)
}

/** As many entries are objects at once, beside those that are kept. */
const SLICE_ENTRIES = 8192

/** Keeps the last `limit` entries. */
class LastEntries {
  private entries: Entry[] = []

  constructor(private readonly limit: number) {}

  add(items: readonly ScanItem[]): void {
    for (const item of items) {
      if (item.kind !== 'block' && item.kind !== 'lines') continue
      for (const entries of entrySlices(item, SLICE_ENTRIES)) {
        for (const entry of entries) this.entries.push(entry)
        if (this.entries.length > 2 * this.limit) this.entries = this.take()
      }
    }
  }

  take(): Entry[] {
    return this.limit === 0 ? [] : this.entries.slice(-this.limit)
  }
}

/** Prints entries, with a heading whenever the file changes if there are several. */
class Printer {
  private readonly writer = new FdWriter(1)
  private heading = ''

  constructor(
    private readonly printer: EntryPrinter | null,
    private readonly many: boolean
  ) {}

  async print(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      if (!this.printer?.namesFile) this.addHeading(entry.block.path)
      if (this.printer) this.writer.add(this.printer.print(entry, this.many))
      else this.addText(entry)
      if (this.writer.isFull) await this.writer.flush()
    }
    await this.writer.flush()
  }

  private addHeading(path: string): void {
    if (this.many && this.heading !== path) {
      this.writer.add(`${this.heading === '' ? '' : '\n'}==> ${visibleLine(path)} <==\n`)
      this.heading = path
    }
  }

  private addText({ bytes }: Entry): void {
    this.writer.add(bytes)
    if (bytes.at(-1) !== NEWLINE) this.writer.add('\n')
  }
}

function reportDamage(items: readonly ScanItem[]): boolean {
  let found = false
  for (const item of items) {
    if (item.kind !== 'damage') continue
    sayDamage(item.damage)
    found = true
  }
  return found
}

interface TailOptions {
  lines: number
  format: FormatChoice
}

/** The end of each file as it is now. */
async function printEnds(logs: LogPlace[], options: TailOptions, printer: Printer): Promise<number> {
  let code = EXIT_OK
  for (const given of logs) {
    const { format } = options
    const last = new LastEntries(options.lines)
    for await (const items of scanInput(given, { start: await startOf(given, options), format })) {
      if (reportDamage(items)) code = EXIT_FAILED
      last.add(items)
    }
    await printer.print(last.take())
    const log = inputLog(given)
    if (log !== null && !sayArena(log)) code = EXIT_FAILED
  }
  return code
}

/** Where to begin to read. Of what is no file, at its start. */
async function startOf(given: LogPlace, { lines, format }: TailOptions): Promise<number> {
  const log = inputLog(given)
  if (log === null || !(await isRegularFile(log.path))) return 0
  const source = await openLog(log)
  if (!source) return 0
  try {
    if (format === 'auto' && (await isArena(source))) return 0
    return await tailStart(source, lines, await sourceFormat(source, format))
  } catch (error) {
    throw readError(source.path, error)
  } finally {
    await source.close()
  }
}

/** A pipe must not be opened twice: what is read once is gone. */
async function isRegularFile(path: string): Promise<boolean> {
  return stat(path).then(
    stats => stats.isFile(),
    () => false // Whoever reads it tells why not.
  )
}

/** The log to follow: of an arena, its own. */
async function followedLog(given: LogPlace, { format }: TailOptions): Promise<LogPlace> {
  await checkFollowed(given)
  const source = format === 'auto' ? await openLog(given) : null
  try {
    if (!source || !(await isArena(source))) return given
  } finally {
    await source?.close()
  }
  const { log, named } = logOfArena(given)
  if (log !== null) return { ...given, path: log }
  throw new UsageError(
    `${given.path} is the arena of ${named}, but does not lie where it can be followed: print it without -f`
  )
}

async function startFollowing(given: LogPlace, options: TailOptions, printer: Printer): Promise<LogFollower> {
  const log = await followedLog(given, options)
  const start = await startOf(log, options)
  const follower = new LogFollower(log, { start, format: options.format, follow: true })
  const last = new LastEntries(options.lines)
  for (let items = await follower.round(); items !== null; items = await follower.round()) {
    reportDamage(items)
    last.add(items)
  }
  await printer.print(last.take())
  return follower
}

async function follow(logs: LogPlace[], options: TailOptions, printer: Printer): Promise<number> {
  if (logs.some(log => log.path === '-')) throw new UsageError('-f needs files, not standard input')
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const followers: LogFollower[] = []
  for (const log of logs) followers.push(await startFollowing(log, options, printer))
  for (const follower of followers) {
    if (follower.ownerAlive() !== true) sayArena(follower.log)
    if (follower.arenaError && !isForbidden(follower.arenaError)) say(follower.arenaError.message)
  }
  for await (const items of runFollowers(followers, { byTime: false, salvage: false, signal: stop.signal })) {
    reportDamage(items)
    for (const item of items) {
      if (item.kind !== 'block' && item.kind !== 'lines') continue
      for (const entries of entrySlices(item, SLICE_ENTRIES)) await printer.print(entries)
    }
  }
  return EXIT_OK
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, OPTIONS)
  const options = {
    lines: parseLines(values.lines ?? '10'),
    format: parseFormat(values.format)
  }
  const arenaDir = parseArenaDir(values)
  const logs = requireFiles(positionals).map(path => ({ path, arenaDir }))
  const printer = new Printer(await printerOf(values), logs.length > 1)
  return values.follow ? follow(logs, options, printer) : printEnds(logs, options, printer)
}

export const tail: Command = { name: 'tail', summary: 'print the last entries, and follow', help: HELP, run }
