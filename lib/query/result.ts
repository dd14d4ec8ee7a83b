/** What becomes of the rows of a query. */

import fs from 'node:fs'
import path from 'node:path'
import { fromSystemError, ShardlogError } from '../errors'
import { type Connection, identifier, literal } from './duckdb'
import type { QuerySession } from './session'

export const FORMATS = ['table', 'json', 'ndjson', 'csv', 'parquet'] as const
export type Format = (typeof FORMATS)[number]
export type FileFormat = Exclude<Format, 'table'>

const OPTIONS: Readonly<Record<FileFormat, string>> = {
  json: 'FORMAT json, ARRAY true',
  ndjson: 'FORMAT json, ARRAY false',
  csv: 'FORMAT csv, HEADER true',
  parquet: 'FORMAT parquet'
}
const COMPRESSED: Readonly<Record<string, string>> = { '.gz': 'gzip', '.zst': 'zstd' }

/** The options of COPY for a file of this name. */
function copyOptions(file: string, format: FileFormat): string {
  const compression = format === 'parquet' ? undefined : COMPRESSED[path.extname(file)]
  return compression === undefined ? OPTIONS[format] : `${OPTIONS[format]}, COMPRESSION ${compression}`
}

/** The format that a file's name asks for. */
export function formatOf(file: string): FileFormat | undefined {
  const name = file.replace(/\.(?:gz|zst)$/, '')
  const extension = path.extname(name).slice(1).toLowerCase()
  return extension === 'jsonl' ? 'ndjson' : FORMATS.filter(format => format !== 'table').find(one => one === extension)
}

/** Rows as they are kept until they are shown. */
export interface Shown {
  names: string[]
  /** Whether the values of a column are numbers. */
  isNumeric: boolean[]
  /** Values as text; null: NULL. */
  rows: AsyncIterable<(string | null)[][]>
}

const NUMERIC = /^(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|FLOAT|DOUBLE|DECIMAL.*)$/

/** Runs a query, and gives its rows to `show` once there are all of them. */
export async function showRows(
  session: QuerySession,
  sql: string,
  show: (shown: Shown) => Promise<void>
): Promise<void> {
  let connection: Connection | undefined
  await session.run(sql, async open => {
    connection = open
    await open.run('CREATE OR REPLACE TEMP TABLE rows AS FROM result')
  })
  if (connection === undefined) return
  const columns = await (await connection.run('SELECT column_name, column_type FROM (DESCRIBE rows)')).getRowsJson()
  // The next query would end this one.
  const result = await connection.stream('SELECT CAST(COLUMNS(*) AS VARCHAR) FROM rows')
  await show({
    names: columns.map(([name]) => String(name)),
    isNumeric: columns.map(([, type]) => NUMERIC.test(String(type))),
    rows: result.yieldRowsJson() as AsyncIterableIterator<(string | null)[][]>
  })
}

/** The rows as a format can have them: JSON has no NaN and nothing infinite; both are null. */
async function rowsFor(connection: Connection, format: FileFormat): Promise<string> {
  if (format !== 'json' && format !== 'ndjson') return 'FROM result'
  const columns = "SELECT column_name FROM (DESCRIBE result) WHERE column_type IN ('FLOAT', 'DOUBLE')"
  const names = (await (await connection.run(columns)).getRowsJson()).map(([name]) => identifier(String(name)))
  const finite = names.map(name => `CASE WHEN isfinite(${name}) THEN ${name} END AS ${name}`)
  return finite.length === 0 ? 'FROM result' : `SELECT * REPLACE (${finite.join(', ')}) FROM result`
}

/** Runs a query, and returns the file with its rows, which is the session's. */
export async function rowsFile(session: QuerySession, sql: string, name: string, format: FileFormat): Promise<string> {
  const file = path.join(session.directory, 'rows')
  await session.run(sql, async connection => {
    const rows = await rowsFor(connection, format)
    await connection.run(`COPY (${rows}) TO ${literal(file)} (${copyOptions(name, format)})`)
  })
  return file
}

function outputError(file: string, error: unknown): ShardlogError {
  return fromSystemError('ERR_SHARDLOG_IO', `cannot write ${file}`, error, file)
}

/** Whether rows go into what is there already, as it is with a pipe or a device. */
export function isNoFile(file: string): boolean {
  const stats = fs.statSync(file, { throwIfNoEntry: false })
  if (stats?.isDirectory()) throw outputError(file, Object.assign(new Error('it is a directory'), { code: 'EISDIR' }))
  return stats !== undefined && !stats.isFile()
}

let temporaries = 0

/**
 * Runs a query, and writes its rows to a file, in the place of one that is there: under another
 * name until it is whole.
 *
 * @throws ShardlogError `ERR_SHARDLOG_IO`, and as `session.run`
 */
export async function writeRows(session: QuerySession, sql: string, given: string, format: FileFormat): Promise<void> {
  const file = path.resolve(given)
  const name = `.shardlog-query-${process.pid}-${++temporaries}.tmp`
  const temporary = path.join(path.dirname(file), name)
  try {
    // What cannot be written is told before anything is read.
    fs.writeFileSync(temporary, '', { flag: 'wx' })
  } catch (error) {
    throw outputError(given, error)
  }
  try {
    await session.run(sql, async connection => {
      const rows = await rowsFor(connection, format)
      await connection.run(`COPY (${rows}) TO ${literal(temporary)} (${copyOptions(file, format)})`)
    })
    fs.renameSync(temporary, file)
  } catch (error) {
    throw error instanceof ShardlogError ? error : outputError(given, error)
  } finally {
    fs.rmSync(temporary, { force: true })
  }
}

export interface Partitions {
  /** Names of columns. */
  by: readonly string[]
  /** Adds files to what is there. */
  append: boolean
}

/**
 * Runs a query, and writes its rows into folders by the values of columns.
 *
 * @throws ShardlogError `ERR_SHARDLOG_IO` if there is something and it is not to be added to
 */
export async function writePartitions(
  session: QuerySession,
  sql: string,
  given: string,
  { by, append, format }: Partitions & { format: FileFormat }
): Promise<void> {
  const directory = path.resolve(given)
  try {
    fs.mkdirSync(directory, { recursive: true })
    if (!append && fs.readdirSync(directory).length > 0)
      throw new Error('the directory is not empty; --append adds to it')
  } catch (error) {
    throw outputError(given, error)
  }
  // A run that fails has written a part: it goes elsewhere first, on the same file system.
  const name = `.shardlog-query-${process.pid}-${++temporaries}.tmp`
  const temporary = path.join(directory, name)
  try {
    await session.run(sql, async connection => {
      fs.rmSync(temporary, { recursive: true, force: true })
      fs.mkdirSync(temporary)
      const columns = by.map(identifier).join(', ')
      const options = `${OPTIONS[format]}, PARTITION_BY (${columns}), FILENAME_PATTERN '{uuid}'`
      await connection.run(`COPY (${await rowsFor(connection, format)}) TO ${literal(temporary)} (${options})`)
    })
    moveInto(temporary, directory)
  } finally {
    fs.rmSync(temporary, { recursive: true, force: true })
  }
}

/** Moves files, which have names that no others have, and makes the folders for them. */
function moveInto(from: string, to: string): void {
  for (const entry of fs.readdirSync(from, { withFileTypes: true })) {
    const source = path.join(from, entry.name)
    const target = path.join(to, entry.name)
    if (entry.isDirectory()) {
      fs.mkdirSync(target, { recursive: true })
      moveInto(source, target)
    } else fs.renameSync(source, target)
  }
}
