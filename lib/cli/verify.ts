import type { LogPlace } from '../arena/locate'
import { type RecoveredArena, recoverLog } from '../reader/read-log'
import type { VerifyProgress, VerifyReport } from '../reader/verify-log'
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
  verifyInput
} from './command'
import { FdWriter } from './output'
import { humanBytes, humanCount, isoTime, Progress, plural, say, sayArena, toJson, visibleLine } from './terminal'

const VERIFY_HELP = `Usage: shardlog verify [options] FILE...

Reads every block of logs and checks headers, entries, checksums, padding and sequence numbers; of lines of text, that each is
whole and JSON; and counts what waits in their arenas. Changes nothing. FILE may be - for standard input, or an arena. The
exit code is 1 if anything is wrong.

  --json           one JSON object a file
${helpOf(19, ARENA_HELP, FORMAT_HELP)}
  -h, --help       this text

Examples:
  shardlog verify app.log && echo fine
  shardlog verify --json app.log | jq '.damage[]'
`

const STATS_HELP = `Usage: shardlog stats [options] FILE...

Tells what logs hold, and what waits in their arenas: blocks, entries or lines, bytes, streams (one for each time that the log
was opened), producers (threads that logged), times, and whether the process that writes is alive. FILE may be - for standard
input, or an arena. Damage is counted but does not change the exit code: see verify.

  --json           one JSON object a file
${helpOf(19, ARENA_HELP, FORMAT_HELP)}
  -h, --help       this text

Examples:
  shardlog stats app.log
  shardlog stats --json app.log | jq .arena.entries     how many entries wait
`

/** What a person can do about each kind of damage. */
const ADVICE: Record<string, string> = {
  'torn-tail':
    'the writer or the machine died during a write, or it is still writing; the next opening appends behind it',
  'bad-trailer': 'the bytes changed after they were written: check the device; cat --salvage prints what can be read',
  'bad-header': 'a block was overwritten or lost; restore the range from a copy if there is one',
  'bad-entry': 'a block was overwritten in part; restore the range from a copy if there is one',
  foreign: 'another program wrote into the file: give it a file of its own',
  'missing-trailer': 'written by another writer, or the trailer was overwritten: the content is unchecked',
  'nonzero-padding': 'bytes between entries changed; no entry is affected',
  'sequence-hole': 'blocks were lost or removed',
  'sequence-repeat': 'a block was written twice or copied',
  'bad-record': 'something else wrote into the buffers of the process; other entries are not affected',
  'bad-arena': 'look what lies there; if it is an arena of another version, use the shardlog that wrote it',
  'bad-line': 'another program wrote into the file, or a write was cut off; the other lines are not affected',
  'bad-gzip': 'the file was copied or compressed in part, or changed afterwards; take another copy of it',
  'long-line': 'not looked at: lines of up to 64 MiB are'
}

function streamLines(report: VerifyReport): string[] {
  return report.streams.map(stream => {
    const flaws = [
      stream.holes > 0 ? plural(stream.holes, 'hole') : '',
      stream.repetitions > 0 ? plural(stream.repetitions, 'repetition') : ''
    ].filter(text => text !== '')
    const range = `blocks ${stream.first} to ${stream.last}`
    return `  stream ${stream.stream.toString(16)}: ${range}${flaws.length > 0 ? `, ${flaws.join(', ')}` : ''}`
  })
}

function damageLines(report: VerifyReport): string[] {
  const lines = report.damage.map(damage => {
    const bytes = damage.length > 0 ? `, ${plural(damage.length, 'byte')}` : ''
    return visibleLine(`  offset ${damage.offset}${bytes}: ${damage.kind}: ${damage.message}`)
  })
  const unlisted = report.damageCount - report.damage.length
  if (unlisted > 0) lines.push(`  and ${humanCount(unlisted)} more`)
  const kinds = new Set(report.damage.map(damage => damage.kind))
  for (const kind of kinds) if (ADVICE[kind]) lines.push(`  ${kind}: ${ADVICE[kind]}`)
  return lines
}

function textLine({ path, bytes, entries }: VerifyReport): string {
  return `${visibleLine(path)}: ${humanBytes(bytes)} of text, ${plural(entries, 'line')}`
}

function blockLines(report: VerifyReport): string[] {
  return [
    `${visibleLine(report.path)}: ${humanBytes(report.bytes)}, ${plural(report.blocks, 'block')}, ` +
      `${plural(report.entries, 'entry', 'entries')}, ${humanBytes(report.payloadBytes)} of payload`,
    `  checksums: ${plural(report.checkedBlocks, 'block')} right, ${humanCount(report.uncheckedBlocks)} without`
  ]
}

/** The lines that say what a file holds; also the start of what `stats` prints. */
function summaryLines(report: VerifyReport): string[] {
  const { arena } = report
  if (arena?.arenaPath === report.path) {
    return [`${visibleLine(report.path)}: the arena of ${visibleLine(arena.logPath)}`]
  }
  const lines = report.format === 'ndjson' ? [textLine(report)] : blockLines(report)
  if (report.firstTime !== undefined) {
    lines.push(`  time: ${isoTime(report.firstTime)} to ${isoTime(report.lastTime ?? report.firstTime)}`)
  }
  if (report.recoveredBlocks > 0) lines.push(`  recovered after a crash: ${plural(report.recoveredBlocks, 'block')}`)
  if (report.fillBytes > 0) lines.push(`  fill: ${humanBytes(report.fillBytes)}`)
  return lines.concat(streamLines(report))
}

/** What waits in the arena of a log, and which arenas were set aside. */
function arenaLines({ arena, asides }: VerifyReport): string[] {
  const lines = asides.map(aside => `  set aside: ${visibleLine(aside)}`)
  if (!arena) return lines
  const { entries, bytes, damagedRecords, ownerPid, ownerAlive, ofThisBoot } = arena
  const damaged = damagedRecords > 0 ? `; ${plural(damagedRecords, 'record')} damaged` : ''
  return [
    `  arena: ${visibleLine(arena.arenaPath)}, ${humanBytes(arena.arenaBytes)}`,
    ofThisBoot
      ? `  waiting: ${plural(entries, 'entry', 'entries')}, ${humanBytes(bytes)}${damaged}`
      : '  waiting: not looked at: the arena is of an earlier boot of the machine',
    `  owner: process ${ownerPid}, ${ownerAlive ? 'alive' : 'dead'}`,
    ...lines
  ]
}

function reportText(report: VerifyReport): string {
  const lines = [...summaryLines(report), ...arenaLines(report)]
  if (report.ok) lines.push('  fine')
  else lines.push(`  DAMAGED: ${plural(report.damageCount, 'finding')}, ${humanBytes(report.damagedBytes)}`)
  return `${lines.concat(damageLines(report)).join('\n')}\n`
}

function statsText(report: VerifyReport): string {
  const damage = report.ok ? [] : [`  damage: ${plural(report.damageCount, 'finding')}; see shardlog verify`]
  const producers = report.format === 'ndjson' ? [] : [`  producers: ${humanCount(report.producers)}`]
  const arena = report.arena ? [] : ['  arena: none that can be read']
  return `${[...summaryLines(report), ...producers, ...damage, ...arena, ...arenaLines(report)].join('\n')}\n`
}

/**
 * Reports on each file that is named: with `--json` as one JSON object, else as `textOf` has it.
 * @param verb what the bar says while a file is read
 * @param isFine called when a report is printed, to say what belongs on stderr; false makes the
 *   exit code 1
 */
async function reportOn(
  args: string[],
  verb: string,
  textOf: (report: VerifyReport) => string,
  isFine: (given: LogPlace, report: VerifyReport) => boolean
): Promise<number> {
  const { values, positionals } = parseCommand(args, { json: { type: 'boolean' }, ...FORMAT_OPTION, ...ARENA_OPTION })
  const arenaDir = parseArenaDir(values)
  const format = parseFormat(values.format)
  const writer = new FdWriter(1)
  let code = EXIT_OK
  for (const path of requireFiles(positionals)) {
    const given = { path, arenaDir }
    const progress = new Progress(`${verb} ${path}`)
    const onProgress = (at: VerifyProgress) => progress.update(at.bytes, at.totalBytes)
    const report = await verifyInput(given, { format, onProgress })
    progress.end()
    writer.add(values.json ? `${toJson(report)}\n` : textOf(report))
    await writer.flush()
    if (!isFine(given, report)) code = EXIT_FAILED
  }
  return code
}

/** Says what was left in the arena of what was given; false if the arena cannot be read. */
function sayArenaOf(given: LogPlace): boolean {
  const log = inputLog(given)
  return log === null || sayArena(log)
}

function isVerified(given: LogPlace, report: VerifyReport): boolean {
  return sayArenaOf(given) && report.ok
}

/**
 * Damage does not count here, but for an arena that cannot be read: what waits in it is not in the
 * figures.
 */
function isCounted(given: LogPlace, report: VerifyReport): boolean {
  const unread = report.damage.filter(({ kind }) => kind === 'bad-arena')
  for (const { message } of unread) say(`${given.path}: ${message}`)
  sayArenaOf(given)
  return unread.length === 0
}

export const verify: Command = {
  name: 'verify',
  summary: 'check every block, or line, of logs',
  help: VERIFY_HELP,
  run: args => reportOn(args, 'verifying', reportText, isVerified)
}

export const stats: Command = {
  name: 'stats',
  summary: 'tell what logs and their arenas hold',
  help: STATS_HELP,
  run: args => reportOn(args, 'reading', statsText, isCounted)
}

const HELP = `Usage: shardlog recover [options] FILE...

Writes the entries that killed processes left in arenas into the log, each once and in order, and removes the arenas. The next
opening of the log does the same. FILE is the log, or its arena.

${helpOf(20, ARENA_HELP)}
  --force           recover also arenas that were set aside because they are of another boot of the machine
  --json            one JSON object a file
  -h, --help        this text

Examples:
  shardlog recover app.log              after a crash, without starting the program again
  shardlog recover --force app.log      after a power failure: what is structurally whole
`

const OPTIONS = { ...ARENA_OPTION, force: { type: 'boolean' }, json: { type: 'boolean' } } as const

function arenaLine(file: string, arena: RecoveredArena): string {
  // Of what cannot be read, nobody knows whose it is.
  const owner = arena.ownerPid === 0 ? 'somebody' : `process ${arena.ownerPid}`
  const from = `${owner} left in ${arena.arenaPath}`
  if (arena.setAside !== null) {
    return `${file}: not recovered what ${from}: ${arena.reason ?? 'it cannot be trusted'}; it is kept as ${arena.setAside}`
  }
  const entries = plural(arena.entries, 'entry', 'entries')
  const damage = arena.damagedSegments > 0 ? `; ${plural(arena.damagedSegments, 'segment')} had been damaged` : ''
  return `${file}: recovered ${entries} (${humanBytes(arena.bytes)}) that ${from}${damage}`
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, OPTIONS)
  const writer = new FdWriter(1)
  const arenaDir = parseArenaDir(values)
  let code = EXIT_OK
  for (const file of requireFiles(positionals)) {
    const report = await recoverLog(file, {
      force: values.force ?? false,
      ...(arenaDir === undefined ? {} : { arenaDir })
    })
    const name = visibleLine(file)
    const lines = report.arenas.map(arena => visibleLine(arenaLine(file, arena)))
    if (lines.length === 0) lines.push(`${name}: nothing to recover`)
    writer.add(values.json ? `${toJson(report)}\n` : `${lines.join('\n')}\n`)
    await writer.flush()
    for (const aside of report.asides) {
      if (report.arenas.some(arena => arena.setAside === aside)) continue
      say(`${file}: ${aside} was set aside; write what is whole of it with: shardlog recover --force ${file}`)
    }
    if (report.arenas.some(arena => arena.setAside !== null || arena.damagedSegments > 0)) code = EXIT_FAILED
  }
  return code
}

export const recover: Command = { name: 'recover', summary: 'write what a killed process left behind', help: HELP, run }
