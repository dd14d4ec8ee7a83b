'use strict'

/** Vega-Lite specifications. Each takes plain rows; `html.js` renders them. */

const WIDTH = 900
const BAR_STEP = 13
/** Colours that differ in lightness too; shardlog's own is the first. */
const PALETTE = [
  '#0b6e4f',
  '#e09f3e',
  '#30638e',
  '#d1495b',
  '#7a5195',
  '#8d99ae',
  '#00a6a6',
  '#b56576',
  '#3d405b',
  '#9c6644',
  '#a7c957'
]

const CONFIG = {
  background: 'white',
  font: 'Helvetica, Arial, sans-serif',
  view: { stroke: null },
  range: { category: PALETTE },
  axis: {
    labelFontSize: 11,
    titleFontSize: 11,
    titleFontWeight: 'normal',
    gridColor: '#e7e9ec',
    domainColor: '#9aa1a9',
    tickColor: '#9aa1a9'
  },
  legend: { labelFontSize: 11, title: null, labelLimit: 260, symbolStrokeWidth: 3 }
}

/** Axis labels of the library under test stand out. */
const OWN_BOLD = {
  labelFontWeight: { condition: { test: "indexof(datum.value, 'shardlog') === 0", value: 'bold' }, value: 'normal' }
}

const base = values => ({
  $schema: 'https://vega.github.io/schema/vega-lite/v5.json',
  config: CONFIG,
  data: { values }
})

/** Ticks at powers of ten, written 1k, 10M. */
const logAxis = title => ({ title, format: '~s', tickCount: 8, labelOverlap: true })

/**
 * Horizontal bars, one per name and kind, the figure at the end of each.
 * @param {{name: string, kind: string, value: number}[]} values
 */
function bars(values, { x, log = false, digits = 1, descending = false }) {
  const kinds = new Set(values.map(row => row.kind)).size
  const order = { field: 'value', op: 'max', order: descending ? 'descending' : 'ascending' }
  const least = Math.min(...values.map(row => row.value))
  const scale = log ? { type: 'log', domainMin: 10 ** Math.floor(Math.log10(least)), nice: false } : {}
  const y = {
    field: 'name',
    type: 'nominal',
    sort: order,
    axis: { title: null, labelLimit: 220, ticks: false, domain: false, labelPadding: 6, ...OWN_BOLD }
  }
  const offset = kinds > 1 ? { yOffset: { field: 'kind', sort: null } } : {}
  const bar = {
    mark: { type: 'bar', height: { band: 0.86 } },
    encoding: { color: { field: 'kind', sort: null, legend: kinds > 1 ? { orient: 'top' } : null } }
  }
  const label = {
    mark: { type: 'text', align: 'left', dx: 4, fontSize: 10.5, color: '#333' },
    encoding: { text: { field: 'value', format: `,.${digits}f` } }
  }
  return {
    ...base(values),
    width: WIDTH - 220,
    height: { step: kinds > 1 ? BAR_STEP : BAR_STEP * 1.7 },
    encoding: {
      y,
      ...offset,
      x: { field: 'value', type: 'quantitative', scale, axis: log ? logAxis(x) : { title: x } },
      ...(log ? { x2: { datum: 10 ** Math.floor(Math.log10(least)) } } : {})
    },
    layer: [bar, { ...label, encoding: { ...label.encoding, x2: null } }]
  }
}

/**
 * Latency by percentile: the x axis counts nines (10 is the 90th percentile, 1,000 the 99.9th).
 * @param {{name: string, nines: number, ns: number}[]} values
 */
function percentileCurves(values, { y = 'ns over the timer' } = {}) {
  const labels = [
    [1, 'least'],
    [2, 'p50'],
    [10, 'p90'],
    [100, 'p99'],
    [1000, 'p99.9'],
    [10_000, 'p99.99'],
    [100_000, 'p99.999']
  ]
  const labelExpr = labels.reduceRight((rest, [nines, text]) => `datum.value == ${nines} ? '${text}' : ${rest}`, "''")
  return {
    ...base(values),
    width: WIDTH - 60,
    height: 300,
    mark: { type: 'line', strokeWidth: 2, interpolate: 'monotone' },
    encoding: {
      x: {
        field: 'nines',
        type: 'quantitative',
        scale: { type: 'log', domain: [1, 100_000] },
        axis: { title: 'percentile of the calls', values: labels.map(([nines]) => nines), labelExpr }
      },
      y: { field: 'ns', type: 'quantitative', scale: { type: 'log' }, axis: logAxis(y) },
      color: { field: 'name', sort: null, legend: { orient: 'bottom', columns: 4 } }
    }
  }
}

/**
 * Share of calls by duration.
 * @param {{name: string, ns: number, share: number}[]} values
 */
function histogramAreas(values) {
  return {
    ...base(values),
    width: WIDTH - 60,
    height: 180,
    mark: { type: 'area', interpolate: 'step', opacity: 0.45, line: { strokeWidth: 1.5 } },
    encoding: {
      x: {
        field: 'ns',
        type: 'quantitative',
        scale: { type: 'log', domain: [1, 100_000] },
        axis: logAxis('ns over the timer')
      },
      y: {
        field: 'share',
        type: 'quantitative',
        stack: null,
        axis: { title: 'share of calls', format: '~%', tickCount: 4 }
      },
      color: { field: 'name', sort: null, legend: { orient: 'bottom', columns: 4 } }
    }
  }
}

/**
 * Lines over the number of threads, both axes logarithmic.
 * @param {{name: string, threads: number, value: number}[]} values
 */
function threadLines(values) {
  const threads = [...new Set(values.map(row => row.threads))]
  return {
    ...base(values),
    width: WIDTH - 60,
    height: 260,
    mark: { type: 'line', strokeWidth: 2, point: { size: 45, filled: true } },
    encoding: {
      x: {
        field: 'threads',
        type: 'quantitative',
        scale: { type: 'log' },
        axis: { title: 'worker threads', values: threads }
      },
      y: { field: 'value', type: 'quantitative', scale: { domainMin: 0 }, axis: { title: 'per second', format: '~s' } },
      color: { field: 'name', sort: null, legend: { orient: 'bottom', columns: 3 } }
    }
  }
}

/**
 * Lines over the seconds of a run.
 * @param {{name: string, second: number, value: number}[]} values
 */
function timeLines(values, { y }) {
  return {
    ...base(values),
    width: WIDTH - 60,
    height: 150,
    mark: { type: 'line', strokeWidth: 2 },
    encoding: {
      x: {
        field: 'second',
        type: 'quantitative',
        scale: { domainMin: 0 },
        axis: { title: 'seconds', tickMinStep: 1 }
      },
      y: { field: 'value', type: 'quantitative', scale: { domainMin: 0 }, axis: { title: y, format: '~s' } },
      color: { field: 'name', legend: null }
    }
  }
}

module.exports = { timeLines, bars, percentileCurves, histogramAreas, threadLines }
