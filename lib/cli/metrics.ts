import { statSync } from 'node:fs'
import path from 'node:path'
import { asideArenas, type LogPlace } from '../arena/locate'
import { openMetrics, type Reading } from '../metrics'
import { arenaOfLog, beginsAsArena, countWaiting, openArena, type WaitingReport } from '../reader/log-place'
import { isRing, readArenaCounts, startOf } from '../recorder/arena'
import { lagOf } from '../ship/marks'
import { holderOf, readState } from '../ship/state'
import {
  ARENA_HELP,
  ARENA_OPTION,
  type Command,
  EXIT_FAILED,
  EXIT_OK,
  helpOf,
  parseArenaDir,
  parseCommand,
  requireFiles,
  UsageError
} from './command'
import { FdWriter } from './output'
import { say } from './terminal'

const HELP = `Usage: shardlog metrics [options] FILE...

Prints what can be told of logs and flight recorders from outside their processes, as OpenMetrics text: whether the process runs,
entries and bytes that wait in the arena, a recorder's counters, a shipper's. FILE is a log, its arena, a recorder's file, or the
cursor of a shipper. Nothing is locked or changed: a process that runs or hangs does not notice. What a process counts of itself, logger.metrics() tells.

${helpOf(19, ARENA_HELP)}
  -h, --help       this text

Examples:
  shardlog metrics app.log .app.log.recorder
  shardlog metrics app.log | grep ^shardlog_waiting     does the disk keep up?
`

const CURSOR = '{"format":"shardlog-ship'

/** What an arena tells of its log. */
function readingOf(logPath: string, report: WaitingReport | null, asides: number | null): Reading {
  if (report === null) return { kind: 'arena', of: logPath, path: logPath, ownerAlive: false, arena: null, asides }
  const { ownerAlive, arenaBytes, ofThisBoot, entries, bytes, damagedRecords } = report
  const arena = { bytes: arenaBytes, ofThisBoot, entries, waitingBytes: bytes, damaged: damagedRecords }
  return { kind: 'arena', of: logPath, path: logPath, ownerAlive, arena, asides }
}

/** An arena that was given by its name. */
function arenaReading(file: string): Reading {
  const arena = openArena(file)
  try {
    return readingOf(arena.logPath, countWaiting(arena), null)
  } finally {
    arena.close()
  }
}

function logReading(log: LogPlace): Reading {
  const arena = arenaOfLog(log)
  const asides = asideArenas(log).length
  // As the process calls it, whatever links lead there.
  const logPath = path.resolve(log.path)
  if (arena === null) return readingOf(logPath, null, asides)
  try {
    return readingOf(logPath, countWaiting(arena), asides)
  } finally {
    arena.close()
  }
}

function recorderReading(file: string): Reading {
  const { about, isOwned, pid: _, ...stats } = readArenaCounts(file)
  const place = path.resolve(file)
  return { kind: 'recorder', of: place, path: place, service: about.service, isOwned, stats }
}

/** What the cursor of a shipper tells. */
async function cursorReading(file: string): Promise<Reading> {
  const state = await readState(file)
  if (state === null) throw new Error('the cursor has gone')
  const { log, rotated, counts } = state
  const stats = { ...counts, lagBytes: await lagOf(state, log, rotated), running: holderOf(file) !== undefined }
  return { kind: 'ship', of: path.resolve(file), path: log, stats }
}

/** @throws ShardlogError if there is nothing there, or it cannot be read */
async function read(log: LogPlace): Promise<Reading> {
  const file = statSync(log.path, { throwIfNoEntry: false })
  if (file?.isFile() && isRing(startOf(log.path))) return recorderReading(log.path)
  if (file?.isFile() && startOf(log.path).toString('latin1').startsWith(CURSOR)) return cursorReading(log.path)
  if (beginsAsArena(log.path)) return arenaReading(log.path)
  const reading = logReading(log)
  if (!file?.isFile() && reading.kind === 'arena' && reading.arena === null)
    throw new Error('there is no such file, nor an arena of a log of that name')
  return reading
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, ARENA_OPTION)
  const arenaDir = parseArenaDir(values)
  const files = requireFiles(positionals)
  if (files.includes('-')) throw new UsageError('metrics are of files, not of standard input')
  const readings: Reading[] = []
  let code = EXIT_OK
  for (const file of files) {
    try {
      readings.push(await read({ path: file, arenaDir }))
    } catch (error) {
      say(`${file}: ${(error as Error).message}`)
      code = EXIT_FAILED
    }
  }
  await new FdWriter(1).write(Buffer.from(openMetrics(readings)))
  return code
}

export const metrics: Command = {
  name: 'metrics',
  summary: 'print metrics of logs and flight recorders, from outside their processes',
  help: HELP,
  run
}
