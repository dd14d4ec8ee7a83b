import { verifySource } from '../reader/verify-log'
import { type WaitingReport, waitingEntries } from '../reader/waiting'
import { type Command, EXIT_FAILED, EXIT_OK, helpOf, parseCommand, requireFiles } from './command'
import { FdWriter } from './fd-writer'
import { FORMAT_HELP, FORMAT_OPTION, parseFormat } from './format-option'
import { humanBytes, humanCount, plural } from './human'
import { openInput } from './input'
import { toJson } from './json'
import { Progress } from './progress'
import { say } from './stderr'
import { summaryLines } from './verify'

const HELP = `Usage: shardlog stats [options] FILE...

Tells what logs hold, and what waits in their arenas: blocks, entries or lines, bytes, streams (one per opening of the log),
producers, times, and whether the process that writes is alive. Damage is counted but does not change the exit code: see verify.

  --json        one JSON object a file
${helpOf(16, FORMAT_HELP)}
  -h, --help    this text
`

function arenaLines(arena: WaitingReport | null): string[] {
  if (!arena) return ['  arena: none']
  const { numShards, segmentsPerShard, segmentBytes } = arena
  const damaged = arena.damagedRecords > 0 ? `; ${plural(arena.damagedRecords, 'record')} damaged` : ''
  return [
    `  arena: ${arena.arenaPath}, ${humanBytes(arena.arenaBytes)}, 2 sets of ${numShards} shards of ` +
      `${segmentsPerShard} segments of ${humanBytes(segmentBytes)}`,
    `  waiting: ${plural(arena.entries, 'entry', 'entries')}, ${humanBytes(arena.bytes)}${damaged}`,
    `  owner: process ${arena.ownerPid}, ${arena.ownerAlive ? 'alive' : 'dead'}`,
    `  generations: ${humanCount(arena.writtenGeneration)} written, ${humanCount(arena.activeGeneration)} active`
  ]
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, { json: { type: 'boolean' }, ...FORMAT_OPTION })
  const format = parseFormat(values.format)
  const writer = new FdWriter(1)
  let code = EXIT_OK
  for (const file of requireFiles(positionals)) {
    let arena: WaitingReport | null = null
    try {
      arena = file === '-' ? null : waitingEntries(file)
    } catch (error) {
      say((error as Error).message)
      code = EXIT_FAILED
    }
    const progress = new Progress(`reading ${file}`)
    const source = await openInput(file)
    const report = await verifySource(source, { format, onProgress: at => progress.update(at.bytes, at.totalBytes) })
    progress.end()
    if (values.json) {
      writer.add(`${toJson({ ...report, arena })}\n`)
    } else {
      const damage = report.ok ? [] : [`  damage: ${plural(report.damageCount, 'finding')}; see shardlog verify`]
      const producers = report.format === 'ndjson' ? [] : [`  producers: ${humanCount(report.producers)}`]
      writer.add(`${[...summaryLines(report), ...producers, ...damage, ...arenaLines(arena)].join('\n')}\n`)
    }
    await writer.flush()
  }
  return code
}

export const stats: Command = { name: 'stats', summary: 'tell what logs and their arenas hold', help: HELP, run }
