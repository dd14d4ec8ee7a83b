import { stat } from 'node:fs/promises'
import type { LogPlace } from '../arena/locate'
import { checkFollowed, runFollowers, tailStart } from '../reader/follow'
import { type DamageReport, type Entry, entrySlices, type FormatChoice, type ScanItem } from '../reader/items'
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
import { checkLevel, FILTER_HELP, FILTER_OPTIONS, filterOf, hasFilter } from './event-filter'
import { eventOfLine, logSource, type ViewedEvent } from './events'
import { type EntryPrinter, FdWriter, NEWLINE, PRINT_HELP, PRINT_OPTIONS, printerOf } from './output'
import {
  followRecorder,
  isRecorder,
  levelsOf,
  printRecorderEnd,
  RecorderFollower,
  type RecorderTail
} from './tail-ring'
import { say, sayArena, sayDamage, visibleLine } from './terminal'

const HELP = `Usage: shardlog tail [options] FILE...

Prints the last entries of logs, those included that wait in an arena. FILE may be an arena, or the file of a flight recorder, whose events
are printed as lines of JSON.

  -n, --lines N    how many of each file, default 10
  -f, --follow     then go on with what is logged, until interrupted: at once also what a running process has not written to
                   the file yet; over rotation and truncation
  --json           one JSON object a line, as cat --json; with more than one file with its path. Entries that wait in an arena
                   have "waiting": true
${helpOf(19, ...FILTER_HELP)}
${helpOf(19, ...PRINT_HELP)}
${helpOf(19, ARENA_HELP, FORMAT_HELP)}
  -h, --help       this text

Examples:
  shardlog tail -n 100 app.log             the last hundred entries
  shardlog tail -f --pretty app.log        readable, as they are logged
  shardlog tail -f -n 0 a.log b.log        of two logs, only what is new
  shardlog tail -f --level warn --where userId=7 app.log
  shardlog tail -f --level debug .app.log.recorder    also what is below the log's level
`

const OPTIONS = {
  lines: { type: 'string', short: 'n', default: '10' },
  follow: { type: 'boolean', short: 'f' },
  ...FILTER_OPTIONS,
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

/** Whether an entry is to be shown. */
type EntryFilter = (entry: Entry) => boolean

/** The entries that a filter lets through; null: all. */
const passing = (entries: Entry[], filter: EntryFilter | null): Entry[] =>
  filter === null ? entries : entries.filter(filter)

/** The same for entries of logs; null: all pass. */
function entryFilter(passes: ((event: ViewedEvent) => boolean) | null): EntryFilter | null {
  if (passes === null) return null
  const source = logSource('')
  return ({ block, text }) => {
    source.file = block.path
    return passes(eventOfLine(text.trimEnd(), source, block.firstTime ?? 0n))
  }
}

/** Keeps the last `limit` entries that pass. */
class LastEntries {
  private entries: Entry[] = []

  constructor(
    private readonly limit: number,
    private readonly filter: EntryFilter | null
  ) {}

  add(items: readonly ScanItem[]): void {
    for (const item of items) {
      if (item.kind !== 'block' && item.kind !== 'lines') continue
      for (const entries of entrySlices(item, SLICE_ENTRIES)) {
        for (const entry of passing(entries, this.filter)) this.entries.push(entry)
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
  filter: EntryFilter | null
}

/** So many entries are looked at first for those that pass; then so many times as many. */
const LOOKED_AT = 10_000
const GROWTH = 16

/** What a log ends with. */
interface End {
  /** Where reading began. */
  start: number
  last: LastEntries
  damage: DamageReport[]
}

async function readEnd(given: LogPlace, start: number, { lines, format, filter }: TailOptions): Promise<End> {
  const last = new LastEntries(lines, filter)
  const damage: DamageReport[] = []
  for await (const items of scanInput(given, { start, format })) {
    for (const item of items) if (item.kind === 'damage') damage.push(item)
    last.add(items)
  }
  return { start, last, damage }
}

/** The last entries that pass, looked for ever further from the end. */
async function findEnd(given: LogPlace, options: TailOptions): Promise<End> {
  const { lines, filter } = options
  for (let wanted = filter === null ? lines : LOOKED_AT; ; wanted *= GROWTH) {
    const start = await startOf(given, { ...options, lines: wanted })
    const end = await readEnd(given, start, options)
    if (filter === null || start === 0 || end.last.take().length >= lines) return end
  }
}

/** The end of each file as it is now. */
async function printEnds(logs: LogPlace[], options: TailOptions, printer: Printer): Promise<number> {
  let code = EXIT_OK
  for (const given of logs) {
    const { last, damage } = await findEnd(given, options)
    if (reportDamage(damage)) code = EXIT_FAILED
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
    if (!source.seekable) return 0
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
  const { lines, filter, format } = options
  const start = filter === null ? await startOf(log, options) : (await findEnd(log, options)).start
  const follower = new LogFollower(log, { start, format, follow: true })
  const last = new LastEntries(lines, filter)
  for (let items = await follower.round(); items !== null; items = await follower.round()) {
    reportDamage(items)
    last.add(items)
  }
  await printer.print(last.take())
  return follower
}

/** Files of recorders, which are read by themselves. */
interface Inputs {
  logs: LogPlace[]
  recorders: RecorderTail[]
}

async function follow({ logs, recorders }: Inputs, options: TailOptions, printer: Printer): Promise<number> {
  if (logs.some(log => log.path === '-')) throw new UsageError('-f needs files, not standard input')
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  for (const recorder of recorders) await printRecorderEnd(recorder, options.lines)
  const all = [followLogs(logs, options, printer, stop.signal)]
  for (const recorder of recorders) all.push(followRecorder(recorder, stop.signal))
  // One that fails ends the others.
  await Promise.all(all.map(each => each.catch((error: Error) => stop.abort(error))))
  const { reason } = stop.signal as { reason: Error | undefined }
  if (reason !== undefined && reason.name !== 'AbortError') throw reason
  return EXIT_OK
}

async function followLogs(
  logs: LogPlace[],
  options: TailOptions,
  printer: Printer,
  signal: AbortSignal
): Promise<void> {
  if (logs.length === 0) return
  const followers: LogFollower[] = []
  for (const log of logs) followers.push(await startFollowing(log, options, printer))
  for (const follower of followers) {
    if (follower.ownerAlive() !== true) sayArena(follower.log)
    if (follower.arenaError && !isForbidden(follower.arenaError)) say(follower.arenaError.message)
  }
  for await (const items of runFollowers(followers, { byTime: false, salvage: false, signal })) {
    reportDamage(items)
    for (const item of items) {
      if (item.kind !== 'block' && item.kind !== 'lines') continue
      for (const entries of entrySlices(item, SLICE_ENTRIES)) await printer.print(passing(entries, options.filter))
    }
  }
}

/** The end of each file as it is now. */
async function printAll({ logs, recorders }: Inputs, options: TailOptions, printer: Printer): Promise<number> {
  for (const recorder of recorders) await printRecorderEnd(recorder, options.lines)
  return printEnds(logs, options, printer)
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, OPTIONS)
  const filter = hasFilter(values) ? filterOf(values) : null
  const options = {
    lines: parseLines(values.lines ?? '10'),
    format: parseFormat(values.format),
    filter: entryFilter(filter)
  }
  const arenaDir = parseArenaDir(values)
  const files = requireFiles(positionals)
  const printer = new Printer(await printerOf(values), files.length > 1)
  const print = (entries: readonly Entry[]): Promise<void> => printer.print(entries)
  const recorders = files.filter(isRecorder)
  if (values.level !== undefined) checkLevel(values.level, recorders.map(levelsOf))
  const inputs = {
    logs: files.filter(file => !recorders.includes(file)).map(path => ({ path, arenaDir })),
    recorders: recorders.map(file => ({ follower: new RecorderFollower(file), filter, print }))
  }
  return values.follow ? follow(inputs, options, printer) : printAll(inputs, options, printer)
}

export const tail: Command = { name: 'tail', summary: 'print the last entries, and follow', help: HELP, run }
