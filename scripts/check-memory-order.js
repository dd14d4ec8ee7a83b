'use strict'

// The rules of docs/internals/memory-model.md that a compiler does not check. Every memory_order in
// native/ names its row of the page's table with a comment, `// [MM row]`, in the same statement or
// on the line before it; rows that nothing uses are stale. Tests and fuzz targets are free of this.

const fs = require('node:fs')
const path = require('node:path')
const { root, runMain } = require('./run')
const { layers, filesOf } = require('./native-sources')

/**
 * Names in the first column of the table whose first column is headed `tag`; a row may have
 * several.
 */
function tableRows(markdown) {
  const lines = markdown.split('\n')
  const head = lines.findIndex(line => /^\|\s*tag\s*\|/.test(line))
  if (head < 0) throw new Error('docs/internals/memory-model.md has no table whose first column is headed "tag"')
  const rows = []
  for (let index = head + 2; lines[index]?.startsWith('|'); index++) {
    const cell = lines[index].split('|')[1]
    rows.push(...cell.split(',').map(name => name.replaceAll('`', '').trim()))
  }
  return rows
}

const withoutComment = line => line.replace(/\/\/.*$/, '').trim()
const endsStatement = line => /(^|[;{}:])$/.test(withoutComment(line))

/** First and last index of the statement that the line belongs to. */
function statementAround(lines, index) {
  let first = index
  while (first > 0 && !endsStatement(lines[first - 1])) first--
  let last = index
  while (last < lines.length - 1 && !endsStatement(lines[last])) last++
  return [first, last]
}

function tagsIn(lines) {
  return lines.flatMap(line => [...line.matchAll(/\[MM ([^\]]+)\]/g)].flatMap(match => match[1].split(/,\s*/)))
}

/** Complaints about one file; tags that are fine are added to `used`. */
function checkFile(file, rows, used) {
  const lines = fs.readFileSync(path.join(root, file), 'utf8').split('\n')
  const complaints = []
  lines.forEach((line, index) => {
    if (!withoutComment(line).includes('memory_order_')) return
    const [first, last] = statementAround(lines, index)
    const tags = tagsIn(lines.slice(Math.max(0, first - 1), last + 1))
    if (tags.length === 0) complaints.push(`${file}:${index + 1}: memory_order without an [MM ...] tag`)
    for (const tag of tags) {
      if (rows.includes(tag)) used.add(tag)
      else complaints.push(`${file}:${index + 1}: [MM ${tag}] is not a row of docs/internals/memory-model.md`)
    }
  })
  return complaints
}

function main() {
  const rows = tableRows(fs.readFileSync(path.join(root, 'docs', 'internals', 'memory-model.md'), 'utf8'))
  const used = new Set()
  const complaints = filesOf(layers, ['.cc', '.h']).flatMap(file => checkFile(file, rows, used))
  for (const row of rows)
    if (!used.has(row)) complaints.push(`docs/internals/memory-model.md: nothing uses the row ${row}`)
  if (complaints.length) throw new Error(`\n${complaints.join('\n')}`)
  console.log(`${rows.length} rows, every memory_order names one`)
}

runMain(main)
