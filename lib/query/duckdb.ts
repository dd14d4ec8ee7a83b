/** The package that queries run on, loaded when there is one. */

import { createRequire } from 'node:module'
import { ShardlogError } from '../errors'
import { ownFile } from '../own-place'

/** What of a result is used; values as JSON has them. */
export interface Rows {
  columnNames(): string[]
  getRowsJson(): Promise<unknown[][]>
  yieldRowsJson(): AsyncIterableIterator<unknown[][]>
}

export interface Connection {
  run(sql: string): Promise<Rows>
  stream(sql: string): Promise<Rows>
  extractStatements(sql: string): Promise<{ count: number; prepare(index: number): Promise<Statement> }>
  interrupt(): void
  closeSync(): void
}

interface Statement {
  readonly statementType: number
  readonly parameterCount: number
  destroySync(): void
}

interface Instance {
  connect(): Promise<Connection>
  closeSync(): void
}

interface Package {
  DuckDBInstance: { create(path: string, options: Record<string, string>): Promise<Instance> }
}

// Bundlers, which would look for the package when they bundle, do not follow it.
const requireInstalled = createRequire(ownFile)

/** @throws ShardlogError `ERR_SHARDLOG_PACKAGE` if it is not installed */
export function loadDuckDb(): Package {
  try {
    return requireInstalled('@duckdb/node-api') as Package
  } catch (error) {
    const message =
      'shardlog query needs the package @duckdb/node-api, which cannot be loaded: ' +
      `${(error as Error).message.split('\n')[0]}. To install it: npm install @duckdb/node-api`
    throw new ShardlogError('ERR_SHARDLOG_PACKAGE', message, { cause: error })
  }
}

/** A text as a literal of SQL. */
export const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

/** A name of SQL. */
export const identifier = (name: string): string => `"${name.replaceAll('"', '""')}"`

/** A path as functions take it that read whatever a pattern matches: it matches that file only. */
export const exactPath = (file: string): string => literal(file.replace(/[*?[]/g, '[$&]'))
