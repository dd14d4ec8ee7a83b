/**
 * What the report does in a browser: the plot, and the table with its search and filters. It is
 * text here, since it runs there; nothing of the events is in it, and it makes text of them only.
 */

export const REPORT_SCRIPT = String.raw`
'use strict'
const data = JSON.parse(document.getElementById('data').textContent)
const CLASSES = data.classes
const UNSAFE = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\u00ad\u180e\u200b\u2028\u2029\u2060-\u2064\u206a-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu
const PAGE = 100
const byId = id => document.getElementById(id)
const count = n => n.toLocaleString('en-US')

/** Text with what nobody would see, or what turns text around, as an escape. */
function visible(text) {
  return text.replace(UNSAFE, c => '\\u{' + c.codePointAt(0).toString(16) + '}')
}

function make(name, className, text) {
  const element = document.createElement(name)
  if (className) element.className = className
  if (text !== undefined) element.textContent = text
  return element
}

function timeText(ns) {
  if (ns <= 0n) return 'no time'
  const ms = Number(ns / 1000000n)
  if (ms > 8.64e15) return ns + ' ns'
  return new Date(ms).toISOString().slice(0, -5).replace('T', ' ') + '.' + String(ns % 1000000000n).padStart(9, '0').slice(0, 6)
}

// The events, with what is searched in them made when it is first asked for.
const events = data.events.map(([time, level, target, message, fields, source, thread]) => ({
  time: BigInt(time), ms: Number(BigInt(time) / 1000n) / 1000, level, target, message, fields, source, thread, text: null
}))
const shown = CLASSES.map(() => true)
let wanted = ''
let target = ''
let range = null
let page = 0
let found = events

function searched(event) {
  if (event.text === null) event.text = (event.target + '\n' + event.message + '\n' + event.fields).toLowerCase()
  return event.text
}

function passes(event) {
  if (!shown[data.levels[event.level][1]]) return false
  if (target !== '' && event.target !== target) return false
  if (range !== null && (event.ms < range[0] || event.ms >= range[1])) return false
  return wanted === '' || searched(event).includes(wanted)
}

function marked(parent, text) {
  const lower = text.toLowerCase()
  let at = 0
  // Where the small letters are as many as the capitals, places are the same in both.
  if (wanted !== '' && lower.length === text.length) {
    for (let next = lower.indexOf(wanted); next >= 0; next = lower.indexOf(wanted, at)) {
      parent.append(text.slice(at, next), make('mark', '', text.slice(next, next + wanted.length)))
      at = next + wanted.length
    }
  }
  parent.append(text.slice(at))
  return parent
}

function detailOf(event) {
  const row = make('tr', 'detail')
  const cell = make('td')
  cell.colSpan = 4
  const source = data.sources[event.source]
  const from = source.kind === 'log' ? source.name : source.name + ', thread ' + event.thread
  cell.append(make('div', 'quiet', timeText(event.time) + ' UTC, from ' + from))
  cell.append(marked(make('pre'), visible(event.message)))
  let fields = event.fields
  let stack = ''
  try {
    const parsed = JSON.parse(fields)
    for (const value of Object.values(parsed)) if (value && typeof value.stack === 'string') stack += value.stack + '\n'
    fields = Object.keys(parsed).length === 0 ? '' : JSON.stringify(parsed, null, 2)
  } catch {
    // What was too long is cut, and no JSON any more.
  }
  if (fields !== '') cell.append(marked(make('pre'), visible(fields)))
  if (stack !== '') cell.append(make('div', 'quiet', 'stack'), marked(make('pre'), visible(stack)))
  row.append(cell)
  return row
}

function rowOf(event) {
  const row = make('tr', 'event')
  row.tabIndex = 0
  const [name, levelClass] = data.levels[event.level]
  const level = make('td')
  if (name !== '') level.append(make('span', 'level ' + CLASSES[levelClass], visible(name)))
  const message = make('td', 'message')
  marked(message, visible(event.message.slice(0, 400).replace(/\s*[\r\n]\s*/g, ' ')))
  if (event.fields !== '{}') {
    const fields = marked(make('span', 'quiet mono'), visible('  ' + event.fields.slice(1, -1).slice(0, 300)))
    message.append(' ', fields)
  }
  row.append(make('td', 'mono', timeText(event.time)), level, marked(make('td'), visible(event.target)), message)
  const toggle = () => {
    if (row.nextSibling && row.nextSibling.className === 'detail') row.nextSibling.remove()
    else row.after(detailOf(event))
  }
  row.addEventListener('click', () => { if (String(getSelection()) === '') toggle() })
  row.addEventListener('keydown', key => { if (key.key === 'Enter') toggle() })
  return row
}

function showPage() {
  const pages = Math.max(1, Math.ceil(found.length / PAGE))
  page = Math.max(0, Math.min(page, pages - 1))
  byId('rows').replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(rowOf))
  const first = found.length === 0 ? 0 : page * PAGE + 1
  byId('state').textContent = count(first) + ' to ' + count(Math.min(found.length, (page + 1) * PAGE)) + ' of ' + count(found.length)
  byId('back').disabled = byId('first').disabled = page === 0
  byId('on').disabled = byId('last').disabled = page === pages - 1
}

function apply() {
  found = events.filter(passes)
  page = 0
  byId('range').hidden = range === null
  byId('range').textContent = range === null ? '' : 'Time: ' + new Date(range[0]).toISOString() + ' to ' + new Date(range[1]).toISOString() + '  ✕'
  showPage()
}

function setUpTable() {
  let timer
  byId('search').addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(() => { wanted = byId('search').value.toLowerCase(); apply() }, 120)
  })
  const targets = [...new Set(events.map(event => event.target))].filter(name => name !== '').sort()
  for (const name of targets) {
    const option = make('option', '', visible(name))
    option.value = name
    byId('target').append(option)
  }
  byId('target').addEventListener('change', () => { target = byId('target').value; apply() })
  byId('range').addEventListener('click', () => { range = null; drawPlot(); apply() })
  byId('first').addEventListener('click', () => { page = 0; showPage() })
  byId('back').addEventListener('click', () => { page--; showPage() })
  byId('on').addEventListener('click', () => { page++; showPage() })
  byId('last').addEventListener('click', () => { page = Infinity; showPage() })
  for (const [at, name] of CLASSES.entries()) {
    if (!data.columns.some(column => column[2][at] > 0) && !events.some(event => data.levels[event.level][1] === at)) continue
    const button = make('button')
    button.append(make('span', 'swatch ' + name), name === 'none' ? 'no level' : name)
    button.setAttribute('aria-pressed', 'true')
    button.addEventListener('click', () => {
      shown[at] = !shown[at]
      button.setAttribute('aria-pressed', String(shown[at]))
      drawPlot()
      apply()
    })
    byId('legend').append(button)
  }
}

// The plot.

const SVG = 'http://www.w3.org/2000/svg'
const LEFT = 52
const BOTTOM = 24
const TOP = 8

function svg(name, attributes, text) {
  const element = document.createElementNS(SVG, name)
  for (const key in attributes) element.setAttribute(key, attributes[key])
  if (text !== undefined) element.textContent = text
  return element
}

function niceStep(most, steps) {
  const rough = Math.max(1, most / steps)
  const unit = 10 ** Math.floor(Math.log10(rough))
  return [1, 2, 5, 10].map(n => n * unit).find(n => n >= rough)
}

const TIME_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 15e3, 3e4, 6e4, 12e4, 3e5, 6e5, 9e5, 18e5, 36e5, 72e5, 108e5, 216e5, 432e5, 864e5, 1728e5, 6048e5, 12096e5, 25920e5, 77760e5, 315360e5]

function tickText(ms, step) {
  const iso = new Date(ms).toISOString()
  if (step >= 864e5) return iso.slice(0, 10)
  if (ms % 864e5 === 0) return iso.slice(0, 10)
  return step >= 6e4 ? iso.slice(11, 16) : step >= 1e3 ? iso.slice(11, 19) : iso.slice(11, 23)
}

let plotRange = null

function drawPlot() {
  const host = byId('plot')
  const tip = byId('tip')
  const old = host.querySelector('svg')
  if (old) old.remove()
  const { columns } = data
  const width = Math.max(200, host.clientWidth)
  const height = host.clientHeight
  const root = svg('svg', { viewBox: '0 0 ' + width + ' ' + height, role: 'img', 'aria-label': 'events over time by level' })
  host.prepend(root)
  if (columns.length === 0) {
    root.append(svg('text', { x: LEFT, y: height / 2 }, 'no events that have a time'))
    return
  }
  const from = columns[0][0]
  const to = columns[columns.length - 1][1]
  plotRange = { from, to, width }
  const x = ms => LEFT + (ms - from) / (to - from) * (width - LEFT - 4)
  const sums = columns.map(column => column[2].reduce((sum, n, at) => sum + (shown[at] ? n : 0), 0))
  const step = niceStep(Math.max(1, ...sums), 4)
  const top = Math.max(step, Math.ceil(Math.max(...sums) / step) * step)
  const y = n => height - BOTTOM - n / top * (height - BOTTOM - TOP)
  for (let n = 0; n <= top; n += step) {
    root.append(svg('line', { class: 'grid', x1: LEFT, x2: width - 4, y1: y(n), y2: y(n) }))
    root.append(svg('text', { x: LEFT - 8, y: y(n) + 4, 'text-anchor': 'end' }, count(n)))
  }
  const timeStep = TIME_STEPS.find(n => n >= (to - from) / (width / 130)) || 315360e5
  for (let ms = Math.ceil(from / timeStep) * timeStep; ms <= to; ms += timeStep) {
    const anchor = x(ms) > width - 60 ? 'end' : x(ms) < LEFT + 30 ? 'start' : 'middle'
    root.append(svg('text', { x: x(ms), y: height - 7, 'text-anchor': anchor }, tickText(ms, timeStep)))
    root.append(svg('line', { class: 'grid', x1: x(ms), x2: x(ms), y1: y(0), y2: y(0) + 5 }))
  }
  for (const [start, end, counts] of columns) {
    let below = 0
    for (let at = CLASSES.length - 1; at >= 0; at--) {
      if (!shown[at] || counts[at] === 0) continue
      const low = y(below)
      const high = Math.min(y(below + counts[at]), low - (at >= 4 ? 1.5 : 0))
      root.append(svg('rect', { class: CLASSES[at], x: x(start), width: Math.max(1, x(end) - x(start) - (x(end) - x(start) > 4 ? 1 : 0)), y: high, height: low - high }))
      below += counts[at]
    }
  }
  if (range !== null) {
    const left = Math.max(LEFT, x(range[0]))
    root.append(svg('rect', { class: 'brush', x: left, width: Math.max(1, Math.min(width - 4, x(range[1])) - left), y: TOP, height: height - BOTTOM - TOP }))
  }
  tip.hidden = true
}

function setUpPlot() {
  const host = byId('plot')
  const tip = byId('tip')
  let pressed = null
  const msAt = pointer => {
    const { from, to, width } = plotRange
    const share = (pointer.clientX - host.getBoundingClientRect().left - LEFT) / (width - LEFT - 4)
    return from + Math.max(0, Math.min(1, share)) * (to - from)
  }
  const columnAt = ms => data.columns.find(column => ms >= column[0] && ms < column[1])
  host.addEventListener('pointermove', pointer => {
    if (plotRange === null) return
    const ms = msAt(pointer)
    if (pressed !== null) {
      range = [Math.min(pressed, ms), Math.max(pressed, ms)]
      drawPlot()
      return
    }
    const column = columnAt(ms)
    if (column === undefined) { tip.hidden = true; return }
    const lines = [make('div', 'quiet', new Date(column[0]).toISOString().replace('T', ' ').slice(0, -1))]
    for (let at = CLASSES.length - 1; at >= 0; at--) {
      if (column[2][at] === 0) continue
      const line = make('div')
      line.append(make('span', 'swatch ' + CLASSES[at]), (CLASSES[at] === 'none' ? 'no level' : CLASSES[at]) + ' ' + count(column[2][at]))
      lines.push(line)
    }
    tip.replaceChildren(...lines)
    tip.hidden = false
    const left = pointer.clientX - host.getBoundingClientRect().left
    tip.style.left = (left > plotRange.width / 2 ? left - tip.offsetWidth - 14 : left + 14) + 'px'
  })
  host.addEventListener('pointerleave', () => { tip.hidden = true })
  host.addEventListener('pointerdown', pointer => {
    if (plotRange === null) return
    host.setPointerCapture(pointer.pointerId)
    pressed = msAt(pointer)
  })
  host.addEventListener('pointerup', pointer => {
    if (pressed === null) return
    const ms = msAt(pointer)
    const column = columnAt(ms)
    // A click is the bar below it.
    if (Math.abs(ms - pressed) < (plotRange.to - plotRange.from) / plotRange.width * 4) range = column ? [column[0], column[1]] : null
    pressed = null
    drawPlot()
    apply()
  })
  addEventListener('resize', drawPlot)
}

setUpTable()
setUpPlot()
drawPlot()
apply()
`
