import { collectEntries, type Entry } from '../reader/entry'
import { runFollowers } from '../reader/follow'
import { LogFollower } from '../reader/log-follower'
import { scanSource } from '../reader/scan-files'
import { tailStart } from '../reader/tail-start'
import type { ScanItem } from '../reader/types'
import { type Command, EXIT_FAILED, EXIT_OK, parseCommand, requireFiles, UsageError } from './command'
import { entryJson, NEWLINE } from './entry-output'
import { FdWriter } from './fd-writer'
import { openInput } from './input'
import { sayDamage, sayWaiting } from './stderr'

const HELP = `Usage: shardlog tail [options] FILE...

Prints the last entries of logs.

  -n, --lines N   how many of each file, default 10
  -f, --follow    then go on with what is logged, until interrupted: at once also what a running process has not written to
                  the file yet; over rotation and truncation
  --json          one JSON object a line, as cat --json; with more than one file with its path. Entries that wait in an arena
                  have "waiting": true
  -h, --help      this text
`

const OPTIONS = {
  lines: { type: 'string', short: 'n', default: '10' },
  follow: { type: 'boolean', short: 'f' },
  json: { type: 'boolean' }
} as const

function parseLines(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`-n takes a number of entries, 0 or more, not '${text}'`)
  return Number(text)
}

/** Keeps the last `limit` entries. */
class LastEntries {
  private entries: Entry[] = []

  constructor(private readonly limit: number) {}

  add(items: readonly ScanItem[]): void {
    for (const item of items) if (item.kind === 'block') collectEntries(item, this.entries)
    if (this.entries.length > 2 * this.limit) this.entries = this.take()
  }

  take(): Entry[] {
    return this.limit === 0 ? [] : this.entries.slice(-this.limit)
  }
}

/** Prints entries, with a heading whenever the file changes if there are several. */
class Printer {
  private readonly writer = new FdWriter(1)
  private heading = ''
  private printed = false

  constructor(
    private readonly json: boolean,
    private readonly many: boolean
  ) {}

  async print(entries: readonly Entry[]): Promise<void> {
    for (const entry of entries) {
      if (this.json) this.writer.add(entryJson(entry, this.many))
      else this.addText(entry)
      if (this.writer.isFull) await this.writer.flush()
    }
    await this.writer.flush()
  }

  private addText(entry: Entry): void {
    if (this.many && this.heading !== entry.block.path) {
      this.heading = entry.block.path
      this.writer.add(`${this.printed ? '\n' : ''}==> ${this.heading} <==\n`)
    }
    this.printed = true
    const { bytes } = entry
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

/** The end of each file as it is now. */
async function printEnds(files: string[], lines: number, printer: Printer): Promise<number> {
  let code = EXIT_OK
  for (const file of files) {
    const source = await openInput(file)
    const start = source.seekable ? await tailStart(source, lines) : 0
    const last = new LastEntries(lines)
    for await (const items of scanSource(source, { start })) {
      if (reportDamage(items)) code = EXIT_FAILED
      last.add(items)
    }
    await printer.print(last.take())
    if (file !== '-' && !sayWaiting(file)) code = EXIT_FAILED
  }
  return code
}

async function startFollowing(file: string, lines: number, printer: Printer): Promise<LogFollower> {
  const source = await openInput(file)
  const start = await tailStart(source, lines)
  await source.close()
  const follower = new LogFollower(file, { start })
  const last = new LastEntries(lines)
  for (let items = await follower.round(); items !== null; items = await follower.round()) {
    reportDamage(items)
    last.add(items)
  }
  await printer.print(last.take())
  return follower
}

async function follow(files: string[], lines: number, printer: Printer): Promise<number> {
  if (files.includes('-')) throw new UsageError('-f needs files, not standard input')
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  const followers: LogFollower[] = []
  for (const file of files) followers.push(await startFollowing(file, lines, printer))
  for (const follower of followers) {
    if (follower.ownerAlive() === false || follower.arenaError) sayWaiting(follower.path)
  }
  for await (const items of runFollowers(followers, { byTime: false, salvage: false, signal: stop.signal })) {
    reportDamage(items)
    const entries: Entry[] = []
    for (const item of items) if (item.kind === 'block') collectEntries(item, entries)
    await printer.print(entries)
  }
  return EXIT_OK
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, OPTIONS)
  const lines = parseLines(values.lines ?? '10')
  const files = requireFiles(positionals)
  const printer = new Printer(values.json ?? false, files.length > 1)
  return values.follow ? follow(files, lines, printer) : printEnds(files, lines, printer)
}

export const tail: Command = { name: 'tail', summary: 'print the last entries, and follow', help: HELP, run }
