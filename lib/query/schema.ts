/** The SQL of the table `logs`: docs/guide/query.md says what its columns hold. */

import { exactPath, identifier, literal } from './duckdb'
import type { ColumnType } from './keys'

/** What queries raise that need another table; the session makes it, and tries again. */
export const NEEDS_OBJECTS = 'shardlog:objects'
export const NEEDS_TYPE = 'shardlog:type'
export const NEEDS_CLEAN = 'shardlog:unclean'

/** Keys of a line that have columns of their own and are not in `fields`. */
export const OWN_KEYS: ReadonlySet<string> = new Set(['time', 'level', 'name', 'msg'])
/** Columns that there are in any case; of `pid` and `hostname` the types depend on the values. */
const FIXED = ['time', 'time_ns', 'level', 'level_value', 'name', 'msg', 'pid', 'hostname', 'file', 'fields']
const FILE = 'shardlog file'

/** Files of one kind. */
export interface Files {
  /** Their paths; the digits before the suffix are the index of the name. */
  paths: readonly string[]
}

export interface Key {
  key: string
  type: ColumnType
}

export interface Table {
  lines: Files
  events: Files
  /** Names of the files, as they were given. */
  names: readonly string[]
  keys: readonly Key[]
  /** Levels by name. */
  levels: ReadonlyMap<string, number>
  /** Whether lines are read as whole objects, for their `fields`. */
  asObjects: boolean
  /** Bytes of the longest line. */
  lineBytes: number
}

/** A key of a JSON object as a pointer to its value. */
const pointer = (key: string): string => literal(`/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`)

/** Names of the columns of keys: those of DuckDB do not differ by case alone. */
export function columnNames(keys: readonly Key[]): string[] {
  const taken = new Set(FIXED)
  taken.delete('pid')
  taken.delete('hostname')
  return keys.map(({ key }) => {
    let name = key
    for (let number = 1; taken.has(name.toLowerCase()); number++) name = `${key}_${number}`
    taken.add(name.toLowerCase())
    return name
  })
}

const asJsonText = (json: string): string => `nullif((${json})::VARCHAR, 'null')`
const sqlType = (type: ColumnType): string => (type === 'none' ? 'VARCHAR' : type)
const isText = (json: string): string => `starts_with(${json}, '"')`
const unquoted = (json: string): string => `((${json})::JSON->>'$')`

function levelName(json: string, levels: Table['levels']): string {
  const texts = [...levels].map(([name, number]) => `WHEN '${number}' THEN ${literal(name)}`)
  const numbers = [...levels].map(([name, number]) => `WHEN ${number} THEN ${literal(name)}`)
  const other = `CASE TRY_CAST(${json} AS DOUBLE) ${numbers.join(' ')} ELSE ${json} END`
  return `CASE ${json} ${texts.join(' ')} ELSE CASE WHEN ${isText(json)} THEN ${unquoted(json)} ELSE ${other} END END`
}

function levelValue(json: string, levels: Table['levels']): string {
  const names = [...levels].map(([name, number]) => `WHEN ${literal(name)} THEN ${number}`)
  const number = `TRY_CAST(${json} AS DOUBLE)`
  return (
    `CASE WHEN ${isText(json)} THEN CASE ${unquoted(json)} ${names.join(' ')} END ` +
    `WHEN ${number} = floor(${number}) THEN TRY_CAST(${number} AS INTEGER) END`
  )
}

/** A time with its zone. Other texts are left to `Date.parse`. */
const ISO_TIME = String.raw`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"`
/** From here on ns do not fit into 64 bits. */
const END_OF_MS = 9.2e12

/** ns of what a line tells as its time: ms, or a date. */
function nanoseconds(json: string): string {
  const date = `TRY_CAST(${unquoted(json)} AS TIMESTAMP)`
  const ms = `TRY_CAST(${json} AS DOUBLE)`
  const ofMs = `CAST(floor(${ms}) AS BIGINT) * 1000000 + CAST(round((${ms} - floor(${ms})) * 1e6) AS BIGINT)`
  return (
    `CASE WHEN ${json} IS NULL THEN NULL WHEN ${isText(json)} THEN ` +
    `CASE WHEN regexp_full_match(${json}, '${ISO_TIME}') AND ${date} IS NOT NULL THEN epoch_ns(${date}) ` +
    `ELSE error('${NEEDS_CLEAN}') END WHEN ${ms} > 0 AND ${ms} < ${END_OF_MS} THEN ${ofMs} END`
  )
}

const timestamp = (ns: string): string => `make_timestamp(${ns} // 1000)`

/** Values that a column takes, and how it reads them; others have to be known before. */
const EXACT: Readonly<Partial<Record<ColumnType, (json: string) => readonly [test: string, value: string]>>> = {
  BOOLEAN: json => [`${json} IN ('true', 'false')`, `${json} = 'true'`],
  BIGINT: json => [`regexp_full_match(${json}, '-?[0-9]{1,18}')`, `CAST(${json} AS BIGINT)`],
  HUGEINT: json => [`regexp_full_match(${json}, '-?[0-9]{1,38}')`, `CAST(${json} AS HUGEINT)`],
  DOUBLE: json => [`NOT ${isText(json)} AND isfinite(TRY_CAST(${json} AS DOUBLE))`, `CAST(${json} AS DOUBLE)`]
}

/** JSON as a column has it. */
function typed(json: string, type: ColumnType, index: number): string {
  const exact = EXACT[type]?.(json)
  if (exact === undefined) return type === 'JSON' ? `(${json})::JSON` : unquoted(json)
  const [test, value] = exact
  const what = `CASE WHEN regexp_full_match(${json}, '-?[0-9]{1,38}') THEN 'HUGEINT' ELSE json_type((${json})::JSON) END`
  const other = `error('${NEEDS_TYPE}:${index}:' || ${what} || ':')`
  return `CASE WHEN ${json} IS NULL THEN NULL WHEN ${test} THEN ${value} ELSE ${other} END`
}

const list = (paths: readonly string[]): string => `[${paths.map(exactPath).join(', ')}]`

function readJson(files: Files, options: string, lineBytes: number): string {
  return (
    `read_json(${list(files.paths)}, format = 'newline_delimited', ${options}, maximum_object_size = ${lineBytes}, ` +
    `compression = 'uncompressed', hive_partitioning = false, filename = ${literal(FILE)})`
  )
}

/** The name of the file that a row is from. */
function fileName(names: readonly string[]): string {
  const all = `[${names.map(literal).join(', ')}]`
  return `${all}[CAST(regexp_extract(${identifier(FILE)}, '([0-9]+)[.][a-z]+$', 1) AS INTEGER) + 1]`
}

/** Raised for a row, not when a query is prepared that may not need it. */
const needsObjects = `error('${NEEDS_OBJECTS}' || coalesce(level::VARCHAR, ''))`

/** Lines, of which only the keys are read that a query asks for. */
function linesByColumns(table: Table): string {
  const { keys, levels, names } = table
  const read = new Map([
    ['time', 'JSON'],
    ['level', 'JSON'],
    ['name', 'VARCHAR'],
    ['msg', 'VARCHAR']
  ])
  const taken = new Set([...read.keys(), FILE])
  const columns = keys.map(({ key, type }, i) => {
    // Two that differ by case alone cannot be read as columns.
    if (taken.has(key.toLowerCase())) return `${needsObjects}::${sqlType(type)}`
    taken.add(key.toLowerCase())
    const direct = EXACT[type] === undefined
    read.set(key, direct ? sqlType(type) : 'JSON')
    return direct ? identifier(key) : typed(`${identifier(key)}::VARCHAR`, type, i)
  })
  const given = [...read].map(([key, type]) => `${literal(key)}: '${type}'`)
  const source = readJson(table.lines, `columns = {${given.join(', ')}}`, table.lineBytes)
  const own = [
    nanoseconds('time::VARCHAR'),
    levelName('level::VARCHAR', levels),
    levelValue('level::VARCHAR', levels),
    'name',
    'msg',
    fileName(names),
    `${needsObjects}::JSON`
  ]
  return `SELECT ${[...own, ...columns].join(', ')} FROM ${source}`
}

/** Deeper JSON is no more for DuckDB, which has no limit but its stack. */
const MOST_OPEN = 10_000

/** Whether JSON has so few brackets that it cannot be nested too deeply. */
function isShallow(json: string): string {
  const counts = ['[', '{'].map(
    bracket => `length(${json}) - length(replace(${json}, '${bracket}', '')) < ${MOST_OPEN}`
  )
  return `(length(${json}) < ${MOST_OPEN} OR (${counts.join(' AND ')}))`
}

/** Lines as whole objects. Of two keys that are the same the first would count. */
function linesByObjects(table: Table): string {
  const { keys, levels, names } = table
  const isObject = `json_type(json) = 'OBJECT' AND len(json_keys(json)) = list_unique(json_keys(json))`
  const whole = `CASE WHEN ${isShallow('json::VARCHAR')} THEN ${isObject} ELSE false END`
  const source =
    `(SELECT CASE WHEN ${whole} THEN json ELSE error('${NEEDS_CLEAN}')::JSON END AS json, ${identifier(FILE)} ` +
    `FROM ${readJson(table.lines, "records = false, columns = {'json': 'JSON'}", table.lineBytes)})`
  const value = (key: string): string => asJsonText(`json_extract(json, ${pointer(key)})`)
  const without = `{${[...OWN_KEYS].map(key => `"${key}":null`).join(',')}}`
  const own = [
    nanoseconds(value('time')),
    levelName(value('level'), levels),
    levelValue(value('level'), levels),
    unquoted(value('name')),
    unquoted(value('msg')),
    fileName(names),
    `json_merge_patch(json, '${without}')::JSON`
  ]
  return `SELECT ${[...own, ...keys.map(({ key, type }, i) => typed(value(key), type, i))].join(', ')} FROM ${source}`
}

/** Columns of a file of events, by their short keys. */
const EVENT_COLUMNS = `{'t': 'BIGINT', 'l': 'VARCHAR', 'v': 'INTEGER', 'n': 'VARCHAR', 'm': 'VARCHAR', 'o': 'JSON', 'f': 'JSON'}`

function events(table: Table): string {
  const { keys, names } = table
  const source = readJson(table.events, `columns = ${EVENT_COLUMNS}`, table.lineBytes)
  const value = (key: string): string => {
    const field = asJsonText(`json_extract(f, ${pointer(key)})`)
    return isOfSource(key) ? `coalesce(${field}, ${asJsonText(`json_extract(o, '/${key}')`)})` : field
  }
  const own = ['t', 'l', 'v', 'n', 'm', fileName(names), 'f']
  return `SELECT ${[...own, ...keys.map(({ key, type }, i) => typed(value(key), type, i))].join(', ')} FROM ${source}`
}

/** What a snapshot says once for all its events, or beside their fields. */
const OF_SOURCE = ['pid', 'hostname', 'service', 'thread']
const isOfSource = (key: string): boolean => OF_SOURCE.includes(key)

/** The query of the view `logs`. */
export function tableSql(table: Table): string {
  const { keys, lines, events: files } = table
  const parts: string[] = []
  if (lines.paths.length > 0) parts.push(table.asObjects ? linesByObjects(table) : linesByColumns(table))
  if (files.paths.length > 0) parts.push(events(table))
  const inner = ['ns', 'level', 'value', 'name', 'msg', 'file', 'fields', ...keys.map((_, i) => `k${i}`)]
  const names = columnNames(keys).map((name, i) => `k${i} AS ${identifier(name)}`)
  // pid and hostname stand where people look for them.
  const [pid, hostname, ...others] = names
  const outer = [
    `${timestamp('ns')} AS time`,
    'ns AS time_ns',
    'level',
    'value AS level_value',
    'name',
    'msg',
    pid,
    hostname,
    'file',
    'fields',
    ...others
  ]
  const united = parts.map(part => `(${part})`).join(' UNION ALL ')
  return `SELECT ${outer.join(', ')} FROM (${united}) AS logs(${inner.join(', ')})`
}

/** The query of all keys of lines. */
export function keysSql(files: Files, lineBytes: number): string {
  const source = readJson(files, "records = false, ignore_errors = true, columns = {'json': 'JSON'}", lineBytes)
  return `SELECT DISTINCT unnest(json_keys(json)) FROM ${source}`
}
