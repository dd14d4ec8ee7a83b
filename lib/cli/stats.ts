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
import { humanCount, Progress, plural, say, sayArena, toJson } from './terminal'
import { arenaLines, summaryLines } from './verify'

const HELP = `Usage: shardlog stats [options] FILE...

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

function statsText(report: VerifyReport): string {
  const damage = report.ok ? [] : [`  damage: ${plural(report.damageCount, 'finding')}; see shardlog verify`]
  const producers = report.format === 'ndjson' ? [] : [`  producers: ${humanCount(report.producers)}`]
  const arena = report.arena ? [] : ['  arena: none that can be read']
  return `${[...summaryLines(report), ...producers, ...damage, ...arena, ...arenaLines(report)].join('\n')}\n`
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, { json: { type: 'boolean' }, ...FORMAT_OPTION, ...ARENA_OPTION })
  const arenaDir = parseArenaDir(values)
  const format = parseFormat(values.format)
  const writer = new FdWriter(1)
  let code = EXIT_OK
  for (const file of requireFiles(positionals)) {
    const progress = new Progress(`reading ${file}`)
    const report = await verifyInput(file, {
      format,
      arenaDir,
      onProgress: at => progress.update(at.bytes, at.totalBytes)
    })
    progress.end()
    writer.add(values.json ? `${toJson(report)}\n` : statsText(report))
    await writer.flush()
    for (const { kind, message } of report.damage) {
      if (kind !== 'bad-arena') continue
      say(`${file}: ${message}`)
      code = EXIT_FAILED
    }
    const path = inputPath(file)
    if (path !== null) sayArena(path, arenaDir)
  }
  return code
}

export const stats: Command = { name: 'stats', summary: 'tell what logs and their arenas hold', help: HELP, run }
