import { type RecoveredArena, recoverLog } from '../reader/read-log'
import {
  ARENA_HELP,
  ARENA_OPTION,
  type Command,
  EXIT_FAILED,
  EXIT_OK,
  helpOf,
  parseArenaDir,
  parseCommand,
  requireFiles
} from './command'
import { FdWriter } from './output'
import { humanBytes, plural, say, toJson, visibleLine } from './terminal'

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
