'use strict'

const Table = require('cli-table3')

const colours = process.stdout.isTTY && !process.env.NO_COLOR
const paint = (code, text) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)
const green = text => paint('32', text)
const red = text => paint('31', text)
const bold = text => paint('1', text)

/** Thin rules only: figures should stand out, not their frames. */
const CHARS = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  '
}

function layout(head, rows, aligns) {
  const style = { head: [], border: [], 'padding-left': 0, 'padding-right': 0 }
  const drawn = new Table({ chars: CHARS, style, colAligns: aligns })
  drawn.push(...(head.some(Boolean) ? [head.map(bold)] : []), ...rows)
  return drawn.toString().replace(/ +$/gm, '')
}

function table({ title, head, rows }) {
  return `${title && `${title}\n`}${layout(
    head,
    rows,
    head.map((_, i) => (i === 0 ? 'left' : 'right'))
  )}\n`
}

function comparisonTable(comparisons) {
  const rows = comparisons.map(({ measure, bound, figure, ok }) => [
    measure,
    figure,
    bound,
    ok ? green('within') : red('beyond')
  ])
  return layout(['measure', 'figure', 'bound', ''], rows, ['left', 'left', 'left', 'left'])
}

function section({ title, report }) {
  const notes = report.notes.map(note => `  · ${note}`)
  return [`\n${bold(title)}`, ...report.tables.map(table), ...notes].join('\n')
}

module.exports = { section, comparisonTable, bold }
