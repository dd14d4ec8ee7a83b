'use strict'

const vega = require('vega')
const vegaLite = require('vega-lite')

const STYLE = `
  :root { color-scheme: light }
  body { font: 15px/1.5 Helvetica, Arial, sans-serif; color: #22262a; max-width: 1040px; margin: 2.5em auto; padding: 0 1.5em }
  h1 { font-size: 1.9em; margin: 0 0 .2em } h2 { font-size: 1.35em; margin: 2.4em 0 .6em; border-bottom: 2px solid #0b6e4f; padding-bottom: .15em }
  h3 { font-size: 1.05em; margin: 1.6em 0 .3em }
  table { border-collapse: collapse; margin: .6em 0 1em; font-size: .9em }
  th, td { padding: .28em .8em; text-align: right; border-bottom: 1px solid #e7e9ec; font-variant-numeric: tabular-nums }
  th:first-child, td:first-child { text-align: left } th { font-weight: 600; color: #555c63; border-bottom-color: #9aa1a9 }
  table.comparisons td, table.comparisons th { text-align: left }
  tr.own td { background: #f0f7f4 }
  .ok { color: #0b6e4f; font-weight: 600 } .beyond { color: #b3261e; font-weight: 600 }
  .lead, figcaption, .notes { color: #555c63 } .notes { font-size: .87em; padding-left: 1.2em }
  figure { margin: 1.2em 0 1.8em } figcaption { font-size: .87em; margin: 0 0 .5em } figure b { display: block; color: #22262a; font-size: 1.15em }
  figure svg { max-width: 100%; height: auto; display: block } nav a { margin-right: 1em; color: #0b6e4f }`

const escapeHtml = text =>
  String(text).replace(/[&<>"]/g, character => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[character])

async function renderSvg(spec) {
  const view = new vega.View(vega.parse(vegaLite.compile(spec).spec), { renderer: 'none' })
  const svg = await view.toSVG()
  view.finalize()
  return svg
}

const row = (cells, tag = 'td', attributes = '') =>
  `<tr${attributes}>${cells.map(cell => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('')}</tr>`

function table({ title, head, rows }) {
  const body = rows.map(cells => row(cells, 'td', /^shardlog|^readLog/.test(cells[0]) ? ' class="own"' : ''))
  return `${title && `<h3>${escapeHtml(title)}</h3>`}<table>${head.some(Boolean) ? row(head, 'th') : ''}${body.join('')}</table>`
}

function comparisonTable(comparisons) {
  const rows = comparisons.map(({ measure, bound, figure, ok }) => {
    const verdict = ok ? '<span class="ok">within</span>' : '<span class="beyond">beyond</span>'
    return `<tr><td>${escapeHtml(measure)}</td><td>${escapeHtml(figure)}</td><td>${escapeHtml(bound)}</td><td>${verdict}</td></tr>`
  })
  return `<table class="comparisons">${row(['measure', 'figure', 'bound', ''], 'th')}${rows.join('')}</table>`
}

async function section({ name, title, report }) {
  const figures = []
  for (const chart of report.charts) {
    const svg = await renderSvg(chart.spec)
    figures.push(
      `<figure><figcaption><b>${escapeHtml(chart.title)}</b>${escapeHtml(chart.caption)}</figcaption>${svg}</figure>`
    )
  }
  const notes = report.notes.map(note => `<li>${escapeHtml(note)}</li>`).join('')
  return `<h2 id="${name}">${escapeHtml(title)}</h2>${figures.join('')}${report.tables.map(table).join('')}${notes && `<ul class="notes">${notes}</ul>`}`
}

/**
 * A page that needs nothing but itself: styles and plots are inside.
 * @param {{title: string, lead: string, warning?: string, machine: Record<string, string>,
 *          sections: {name: string, title: string, report: object}[]}} content
 */
async function page({ title, lead, warning, machine, sections }) {
  const bodies = []
  for (const entry of sections) bodies.push(await section(entry))
  const comparisons = sections.flatMap(entry => entry.report.comparisons)
  const facts = Object.entries(machine).map(
    ([name, value]) => `<tr><td>${escapeHtml(name)}</td><td style="text-align:left">${escapeHtml(value)}</td></tr>`
  )
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escapeHtml(title)}</title><style>${STYLE}</style></head><body>
<h1>${escapeHtml(title)}</h1>
<p class="lead">${escapeHtml(lead)}</p>${warning ? `<p class="beyond">${escapeHtml(warning)}</p>` : ''}
<nav>${sections.map(({ name, title: text }) => `<a href="#${name}">${escapeHtml(text)}</a>`).join('')}</nav>
${comparisons.length > 0 ? `<h2>What was measured</h2>${comparisonTable(comparisons)}` : ''}
${bodies.join('\n')}
<h2>Machine</h2><table>${facts.join('')}</table>
</body></html>
`
}

module.exports = { page }
