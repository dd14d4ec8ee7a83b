'use strict'

const { execFile } = require('node:child_process')
const fs = require('node:fs')
const { promisify } = require('node:util')
const { medianOf, format } = require('../numbers')
const subject = require('../subject')

/** A line of the program's output. */
const FIGURE =
  /^(?<records>.+?) +(?<producers>\d+) producers, chunks of +(?<kib>\d+) KiB: +(?<millions>[\d.]+) M lines\/s .*, +(?<mb>[\d.]+) MB\/s$/
/** Millions of records of four fields a second. */
const LEAST = 6
const FOUR_FIELDS = /^4 fields/

/** The program is built on demand (see its source), and where it is not there is nothing to run. */
const cases = () => (fs.existsSync(subject.renderer()) ? [{ id: 'renderer', params: {} }] : [])

async function run(_params, { quick }) {
  const { stdout } = await promisify(execFile)(subject.renderer(), [quick ? '0.1' : '1'])
  const figures = stdout
    .trim()
    .split('\n')
    .map(line => FIGURE.exec(line)?.groups)
  if (figures.includes(undefined)) throw new Error(`the renderer's figures are not understood:\n${stdout}`)
  return {
    figures: figures.map(({ records, producers, kib, millions, mb }) => ({
      name: `${records}; ${producers} ${producers === '1' ? 'thread' : 'threads'}, ${format(Number(kib))} KiB`,
      millions: Number(millions),
      mb: Number(mb)
    }))
  }
}

function report({ renderer: rounds = [] }) {
  const rows = (rounds[0]?.figures ?? []).map(({ name }, i) => ({
    name,
    millions: medianOf(rounds, ({ figures }) => figures[i].millions),
    mb: medianOf(rounds, ({ figures }) => figures[i].mb)
  }))
  const slowest = rows.filter(({ name }) => FOUR_FIELDS.test(name)).sort((a, b) => a.millions - b.millions)[0]
  return {
    comparisons: slowest ? [comparison(slowest)] : [],
    tables:
      rows.length > 0
        ? [
            {
              title: 'the renderer alone on one core: records; threads they are of, pieces rendered into',
              head: ['', 'million lines/s', 'MB/s'],
              rows: rows.map(({ name, millions, mb }) => [name, format(millions, 2), format(mb)])
            }
          ]
        : [],
    charts: [],
    notes: rows.length > 0 ? [] : [`left out: ${subject.renderer()} is not built`]
  }
}

const comparison = ({ name, millions }) => ({
  measure: 'renderer, one core, four-field records',
  bound: `≥ ${LEAST} M lines/s`,
  figure: `${format(millions, 1)} M/s with the slowest of them (${name.split(';')[0]})`,
  ok: millions >= LEAST
})

module.exports = { name: 'records-render', title: 'Structured logging: the renderer', cases, run, report }
