import fs from 'node:fs'
import { createInterface } from 'node:readline'
import { ShardlogError } from '../errors'
import {
  FORMATS,
  type Format,
  formatOf,
  isNoFile,
  rowsFile,
  showRows,
  writePartitions,
  writeRows
} from '../query/result'
import { QuerySession } from '../query/session'
import { tableLines } from '../query/table'
import { LEVELS } from '../recorder/recorder'
import {
  ARENA_HELP,
  ARENA_OPTION,
  type Command,
  EXIT_FAILED,
  EXIT_OK,
  helpOf,
  inputLog,
  parseArenaDir,
  parseCommand,
  requireFiles,
  UsageError
} from './command'
import { FdWriter } from './output'
import { openInput } from './query-input'
import { isForTerminal, say, sayArena, visibleBytes, visibleJson, visibleLine } from './terminal'

const HELP = `Usage: shardlog query [options] SQL FILE...

Runs SQL over logs, snapshots of flight recorders and the files of recorders, with DuckDB (npm install @duckdb/node-api). Their records are
the rows of the table logs: time, time_ns, level, level_value, name, msg, pid, hostname, file, fields, and a column for each key.
FILE may be - for standard input.

${helpOf(
  21,
  [
    '--format NAME',
    "'table' (default), 'json', an array, 'ndjson', 'csv' or 'parquet'; by default what the name of --output ends in"
  ],
  ['--json', 'the same as --format ndjson'],
  ['-o, --output FILE', 'where to; a name that ends in .gz or .zst gives compressed JSON or CSV'],
  [
    '--partition-by NAMES',
    'columns, with commas between: --output is a directory, with folders by their values, as Spark, Trino and',
    'ClickHouse read them; Parquet unless --format says otherwise'
  ],
  ['--append', 'with --partition-by: add files to what is in the directory'],
  ['--levels NAMES', 'levels of your own, as audit=35,silly=5'],
  ARENA_HELP,
  ['-h, --help', 'this text']
)}

Examples:
  shardlog query "select level, count(*) from logs group by all" app.log
  shardlog query "select time, msg, err->>'$.message' from logs where level_value >= 50" *.log crash.bin
  shardlog query --json "select path, avg(ms) from logs group by path" app.log.1.gz app.log
  shardlog query -o logs --partition-by hostname,day "select *, time::date as day from logs" app.log
`

const OPTIONS = {
  format: { type: 'string' },
  json: { type: 'boolean' },
  output: { type: 'string', short: 'o' },
  'partition-by': { type: 'string' },
  append: { type: 'boolean' },
  levels: { type: 'string' },
  ...ARENA_OPTION
} as const

interface Values {
  format?: string
  json?: boolean
  output?: string
  'partition-by'?: string
  append?: boolean
}

interface Choices {
  format: Format
  output: string | null
  partitionBy: string[]
  append: boolean
}

const STDOUT = 1
const EXIT_SIGNAL = 128

function parseLevels(text: string | undefined): Record<string, number> {
  const levels = { ...LEVELS }
  for (const part of text?.split(',') ?? []) {
    const [, name, number] = /^([^=]+)=(\d{1,9})$/.exec(part) ?? []
    if (name === undefined) throw new UsageError(`--levels takes NAME=NUMBER with commas between, not '${text}'`)
    levels[name] = Number(number)
  }
  return levels
}

/** The format that is asked for; undefined: none. */
function givenFormat({ format, json }: Values): Format | undefined {
  if (format !== undefined && json) throw new UsageError('--json and --format exclude each other')
  if (json) return 'ndjson'
  if (format === undefined) return undefined
  const found = FORMATS.find(one => one === format)
  if (found === undefined) throw new UsageError(`--format is one of ${FORMATS.join(', ')}, not '${format}'`)
  return found
}

function parseChoices(values: Values): Choices {
  const { output, append = false, 'partition-by': by } = values
  if (output === '') throw new UsageError('--output takes a file')
  const partitionBy = by === undefined ? [] : by.split(',').map(name => name.trim())
  if (partitionBy.includes('')) throw new UsageError('--partition-by takes names of columns with commas between')
  if (partitionBy.length > 0 && output === undefined) throw new UsageError('--partition-by goes with --output')
  if (append && partitionBy.length === 0) throw new UsageError('--append goes with --partition-by')
  const byName = output === undefined ? undefined : partitionBy.length > 0 ? 'parquet' : formatOf(output)
  const format = givenFormat(values) ?? byName ?? 'table'
  if (partitionBy.length > 0 && format === 'table') throw new UsageError('a table cannot be partitioned')
  if (format === 'parquet' && output === undefined && isForTerminal(false))
    throw new UsageError('Parquet is nothing for a terminal: name a file with --output')
  return { format, output: output ?? null, partitionBy, append }
}

/** Copies a file to a descriptor; what goes to a terminal is made visible. */
async function print(file: string, fd: number, format: Format): Promise<void> {
  const writer = new FdWriter(fd)
  const terminal = fd === STDOUT && isForTerminal(false) && format !== 'parquet'
  if (!terminal) {
    for await (const chunk of fs.createReadStream(file, { highWaterMark: 1024 * 1024 }))
      await writer.write(chunk as Buffer)
    return
  }
  for await (const line of createInterface({ input: fs.createReadStream(file) })) {
    writer.add(`${format === 'csv' ? visibleBytes(Buffer.from(line)) : visibleJson(line)}\n`)
    if (writer.isFull) await writer.flush()
  }
  await writer.flush()
}

async function printTable(session: QuerySession, sql: string, fd: number): Promise<void> {
  const writer = new FdWriter(fd)
  await showRows(session, sql, async shown => {
    for await (const line of tableLines(shown, visibleLine)) {
      writer.add(line)
      if (writer.isFull) await writer.flush()
    }
    await writer.flush()
  })
}

/** Opens where rows go that are no file of ours: a pipe, a device, a table's file. */
function openOutput(output: string | null): number {
  if (output === null) return STDOUT
  try {
    return fs.openSync(output, 'w')
  } catch (error) {
    throw new ShardlogError('ERR_SHARDLOG_IO', `cannot write ${output}: ${(error as Error).message}`, { path: output })
  }
}

async function deliver(session: QuerySession, sql: string, choices: Choices): Promise<void> {
  const { format, output, partitionBy, append } = choices
  if (format !== 'table' && partitionBy.length > 0) {
    await writePartitions(session, sql, output as string, { by: partitionBy, append, format })
    return
  }
  if (format !== 'table' && output !== null && !isNoFile(output)) {
    await writeRows(session, sql, output, format)
    return
  }
  const fd = openOutput(output)
  try {
    if (format === 'table') await printTable(session, sql, fd)
    else await print(await rowsFile(session, sql, output ?? '', format), fd, format)
  } finally {
    if (fd !== STDOUT) fs.closeSync(fd)
  }
}

/** Work that is to stop may go on for so long: it may wait for a pipe that nobody writes to. */
const GRACE_MS = 1000

const SIGNALS = [
  ['SIGINT', 2],
  ['SIGTERM', 15],
  ['SIGHUP', 1]
] as const

/** What a signal stops, once it is there. */
interface Stoppable {
  session: QuerySession | null
  /** That came; 0: none. */
  signal: number
}

/**
 * Stops a session at a signal that ends programs, and ends this if that takes long. Called before
 * the session makes its directory, which a signal would leave behind otherwise.
 */
function stopAtSignals(): Stoppable {
  const state: Stoppable = { session: null, signal: 0 }
  for (const [name, number] of SIGNALS) {
    process.once(name, () => {
      state.signal ||= number
      state.session?.stop()
      const end = (): void => {
        state.session?.close()
        process.exit(EXIT_SIGNAL + number)
      }
      setTimeout(end, GRACE_MS).unref()
    })
  }
  return state
}

/** Says what is wrong with the SQL, in DuckDB's lines; false if it is something else. */
function sayQueryError({ code, message }: ShardlogError): boolean {
  if (code !== 'ERR_SHARDLOG_QUERY') return false
  const [first, ...others] = message.split('\n').filter(line => line !== '')
  for (const line of [`${first} (${code})`, ...others]) say(line)
  return true
}

async function run(args: string[]): Promise<number> {
  const { values, positionals } = parseCommand(args, OPTIONS)
  const [sql = '', ...files] = positionals
  if (sql.trim() === '') throw new UsageError('no SQL given')
  const arenaDir = parseArenaDir(values)
  const logs = requireFiles(files).map(path => ({ path, arenaDir }))
  const levels = parseLevels(values.levels)
  const choices = parseChoices(values)
  const found = { damaged: 0 }
  const inputs = []
  for (const log of logs) inputs.push(await openInput(log, levels, found))
  const state = stopAtSignals()
  const session = new QuerySession(inputs, levels)
  state.session = session
  try {
    await session.open()
    await deliver(session, sql, choices)
  } catch (error) {
    if (state.signal === 0 && !sayQueryError(error as ShardlogError)) throw error
    if (state.signal === 0) return EXIT_FAILED
  } finally {
    session.close()
  }
  if (state.signal !== 0) return EXIT_SIGNAL + state.signal
  if (found.damaged > 0) return EXIT_FAILED
  const sound = logs.map(log => {
    const input = inputLog(log)
    return input === null || sayArena(input)
  })
  return sound.every(Boolean) ? EXIT_OK : EXIT_FAILED
}

export const query: Command = { name: 'query', summary: 'run SQL over logs and snapshots', help: HELP, run }
