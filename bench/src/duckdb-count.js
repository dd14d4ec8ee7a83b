'use strict'

// What bare DuckDB takes for the same: a process that counts the lines of a file by level.
//
//   node bench/src/duckdb-count.js FILE

const { DuckDBInstance } = require('@duckdb/node-api')

async function main(file) {
  const connection = await (await DuckDBInstance.create(':memory:')).connect()
  const path = file.replaceAll("'", "''")
  const rows = await connection.runAndReadAll(`SELECT level, count(*) FROM read_ndjson('${path}') GROUP BY level`)
  for (const [level, count] of rows.getRowsJson()) console.log(`${level},${count}`)
}

void main(process.argv[2])
