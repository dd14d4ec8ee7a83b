import type { VerifyReport } from '../reader/verify-log'
import {
  ARENA_HELP,
  ARENA_OPTION,
  type Command,
  EXIT_FAILED,
  EXIT_OK,
  FORMAT_HELP,
  FORMAT_OPTION,
  helpOf,
  inputPath,
  parseArenaDir,
  parseCommand,
  parseFormat,
  requireFiles,
  verifyInput
} from './command'
import { FdWriter } from './output'
import { humanBytes, humanCount, isoTime, Progress, plural, sayArena, toJson, visibleLine } from './terminal'

const HELP = `Usage: shardlog verify [options] FILE...

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
export function summaryLines(report: VerifyReport): string[] {
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
export function arenaLines({ arena, asides }: VerifyReport): string[] {
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

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, { json: { type: 'boolean' }, ...FORMAT_OPTION, ...ARENA_OPTION })
  const arenaDir = parseArenaDir(values)
  const format = parseFormat(values.format)
  const writer = new FdWriter(1)
  let code = EXIT_OK
  for (const file of requireFiles(positionals)) {
    const progress = new Progress(`verifying ${file}`)
    const report = await verifyInput(file, {
      format,
      arenaDir,
      onProgress: at => progress.update(at.bytes, at.totalBytes)
    })
    progress.end()
    if (!report.ok) code = EXIT_FAILED
    writer.add(values.json ? `${toJson(report)}\n` : reportText(report))
    await writer.flush()
    const path = inputPath(file)
    if (path !== null && !sayArena(path, arenaDir)) code = EXIT_FAILED
  }
  return code
}

export const verify: Command = { name: 'verify', summary: 'check every block, or line, of logs', help: HELP, run }
