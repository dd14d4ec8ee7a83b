'use strict'

const LABEL_WIDTH = 46
const colours = process.stdout.isTTY && !process.env.NO_COLOR
const paint = (code, text) => (colours ? `\u001b[${code}m${text}\u001b[0m` : text)

const line = text => console.log(text)
const heading = text => console.log(`\n${paint('1;36', `── ${text} ${'─'.repeat(Math.max(3, 76 - text.length))}`)}`)
const fact = (label, value) => console.log(`  ${label.padEnd(LABEL_WIDTH)} ${value}`)
const command = text => console.log(`\n  ${paint('1', `$ ${text}`)}`)
const indented = text => console.log(text.trimEnd().replace(/^/gm, '    '))

/** A tick in green or a cross in red, and what it is about. */
function verdict(good, text) {
  console.log(`  ${good ? paint('1;32', '✓') : paint('1;31', '✗')} ${paint('1', text)}`)
}

function table(head, rows) {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map(row => row[i].length)))
  for (const row of [head.map(title => title), ...rows]) {
    console.log(`  ${row.map((cell, i) => cell.padStart(widths[i])).join('   ')}`)
  }
}

const count = value => value.toLocaleString('en-US')
const megabytes = bytes => `${(bytes / 1e6).toFixed(1)} MB`

module.exports = { line, heading, fact, command, indented, verdict, table, count, megabytes }
