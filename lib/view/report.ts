/**
 * A report on events, as a page that needs nothing else: what they have in common, and the latest
 * of them.
 */

import { createHash } from 'node:crypto'
import { humanCount, isoTime, plural, visibleLine } from '../text'
import { Clock } from './clock'
import { classOf, LEVEL_CLASSES, type ViewEvent, type ViewSource, WARN_CLASS } from './event'
import { Histogram } from './histogram'
import { REPORT_SCRIPT } from './report-script'
import { REPORT_STYLE } from './report-style'
import { Summary } from './summary'
import { plain } from './texts'

/**
 * So many of the latest events are in the report, and as many of the latest that are warnings or
 * graver.
 */
export const LATEST = 10_000
/** A text of an event, and the fields as JSON, are cut behind so many characters. */
export const MOST_TEXT = 16 * 1024
/** Events take so much of the report at the most. */
const MOST_BYTES = 24 * 1024 * 1024
const BARS = 240
const SHOWN = 20
const GAPS = 8
const NS_PER_S = 1e9

/** Keeps the latest of what is added. */
class Latest<Item> {
  #items: Item[] = []
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  add(item: Item): void {
    this.#items.push(item)
    if (this.#items.length >= 2 * this.#most) this.#items = this.items
  }

  get items(): Item[] {
    return this.#items.slice(-this.#most)
  }
}

interface Numbered {
  number: number
  event: ViewEvent
}

/** A file of the report, and what is known of it. */
export interface ReportSource extends ViewSource {
  reason: string | null
  damaged: number
  counters: { overwritten: number; dropped: number } | null
}

/**
 * Takes events one by one, and makes the page of them. Its memory does not grow with their number.
 */
export class Report {
  readonly #summary = new Summary(GAPS)
  readonly #histogram = new Histogram()
  readonly #clock = new Clock()
  readonly #latest = new Latest<Numbered>(LATEST)
  readonly #grave = new Latest<Numbered>(LATEST)
  /** Classes of levels, by their names. */
  readonly #colors = new Map<string, string>()
  #number = 0
  #errors = 0

  add(event: ViewEvent): void {
    const level = classOf(event.level, event.source.levels)
    this.#summary.add(event)
    if (!this.#colors.has(event.level)) this.#colors.set(event.level, LEVEL_CLASSES[level]!)
    this.#histogram.add(this.#clock.ticksOf(event.time), level)
    const numbered = { number: this.#number++, event }
    this.#latest.add(numbered)
    if (level >= WARN_CLASS) this.#grave.add(numbered)
    if (level > WARN_CLASS) this.#errors++
  }

  /**
   * The page.
   *
   * @param filters in words; empty if there were none
   */
  html(sources: readonly ReportSource[], filters: string): string {
    const kept = this.#kept(sources)
    const json = JSON.stringify({ ...kept.data, columns: this.#columns() }).replace(/</g, '\\u003c')
    const title = titleOf(sources)
    const body = [
      `<h1>${escaped(title)}</h1>`,
      `<div class="quiet">${escaped(this.#subtitle(filters))}</div>`,
      this.#tiles(),
      '<section><h2>Events over time</h2><div id="plot"><div id="tip" hidden></div></div><div class="legend" id="legend"></div>',
      '<div class="note quiet">Drag, or click a bar, to show the events of that time below. Levels can be taken out.</div></section>',
      this.#lists(),
      filesTable(sources),
      this.#table(kept.count)
    ]
    return page(title, body.join('\n'), json)
  }

  #columns(): [number, number, number[]][] {
    const ms = (ticks: number): number => Number(this.#clock.nsOf(ticks) / 1000n) / 1000
    return this.#histogram.columns(BARS).map(({ start, end, counts }) => [ms(start), ms(end), counts])
  }

  /** The latest events, as the page has them: from the end, as many as there is room for. */
  #kept(sources: readonly ReportSource[]): { data: object; count: number } {
    const byNumber = new Map<number, ViewEvent>()
    for (const { number, event } of [...this.#latest.items, ...this.#grave.items]) byNumber.set(number, event)
    const ordered = [...byNumber].sort(([a], [b]) => b - a)
    const levels: [string, number][] = []
    const ids = new Map<string, number>()
    const events: unknown[] = []
    let left = MOST_BYTES
    for (const [, event] of ordered) {
      const levelClass = classOf(event.level, event.source.levels)
      const key = `${levelClass} ${event.level}`
      const level = ids.get(key) ?? levels.push([cutText(event.level), levelClass]) - 1
      ids.set(key, level)
      const fields = cutText(JSON.stringify(event.fields, plain))
      const source = sources.findIndex(({ file }) => file === event.source.file)
      const row = [
        String(event.time),
        level,
        cutText(event.target),
        cutText(event.message),
        fields,
        source,
        event.thread
      ]
      left -= JSON.stringify(row).length
      if (left < 0) break
      events.push(row)
    }
    const names = sources.map(({ file, kind }) => ({ name: visibleLine(file), kind }))
    return { data: { classes: LEVEL_CLASSES, levels, sources: names, events: events.reverse() }, count: events.length }
  }

  #subtitle(filters: string): string {
    const { first, last } = this.#summary
    const times = first === null ? 'no events that have a time' : `${isoTime(first)} to ${isoTime(last as bigint)}`
    return `${times}${filters === '' ? '' : `, filtered: ${filters}`}`
  }

  #tiles(): string {
    const { events, rate, seconds } = this.#summary
    const tiles: [string, string, boolean][] = [
      ['events', humanCount(events), false],
      ['errors and fatal', humanCount(this.#errors), this.#errors > 0],
      ['time', durationText(seconds), false],
      ['a second', rate === null ? '–' : humanRate(rate), false],
      [
        'different messages',
        `${humanCount(this.#summary.messages.distinct)}${this.#summary.messages.isFull ? ' or more' : ''}`,
        false
      ]
    ]
    const items = tiles.map(([name, value, isBad]) => {
      return `<div class="tile${isBad ? ' bad' : ''}"><span class="quiet">${name}</span><b>${escaped(value)}</b></div>`
    })
    return `<div class="tiles">${items.join('')}</div>`
  }

  #lists(): string {
    const { levels, targets, messages, gaps, events } = this.#summary
    const gapRows = gaps.map(({ from, ns }) => {
      return `<tr><td class="n">${escaped(durationText(Number(ns) / NS_PER_S))}</td><td class="mono">${escaped(isoTime(from))}</td></tr>`
    })
    const gapTable =
      gapRows.length === 0
        ? '<p class="quiet">none</p>'
        : `<table><tr><th class="n">length</th><th>after</th></tr>${gapRows.join('')}</table>`
    return [
      '<div class="columns">',
      `<section><h2>Levels</h2>${countTable(levels.top(SHOWN), events, name => this.#colors.get(name) ?? 'none')}</section>`,
      `<section><h2>Targets</h2>${countTable(targets.top(SHOWN), events)}</section>`,
      `<section><h2>Longest gaps</h2>${gapTable}</section>`,
      '</div>',
      `<section><h2>Most frequent messages</h2>${countTable(messages.top(SHOWN), events)}</section>`
    ].join('\n')
  }

  #table(count: number): string {
    const { events } = this.#summary
    const isAll = count === events
    const bound =
      `the latest ${humanCount(LATEST)}, and the latest ${humanCount(LATEST)} of level warn and above, ` +
      `as far as they have room in ${MOST_BYTES / 1024 / 1024} MiB`
    const note = isAll
      ? `The table has all ${plural(events, 'event')}.`
      : `The table has ${humanCount(count)} of ${humanCount(events)} events: ${bound}. All else on this page is of all events.`
    return [
      '<section><h2>Events</h2><div class="tools">',
      '<input id="search" type="search" placeholder="Search messages, targets and fields" aria-label="Search">',
      '<select id="target" aria-label="Target"><option value="">all targets</option></select>',
      '<button id="range" hidden></button></div>',
      '<div class="scroll"><table id="events"><thead><tr><th>time (UTC)</th><th>level</th><th>target</th><th>message</th></tr></thead>',
      '<tbody id="rows"></tbody></table></div>',
      '<div class="tools note"><button id="first">« first</button><button id="back">‹ back</button>',
      '<span id="state" class="quiet"></span><button id="on">on ›</button><button id="last">last »</button></div>',
      `<div class="note quiet">${escaped(note)} A text of more than ${humanCount(MOST_TEXT)} characters is cut. A click shows all of an event.</div>`,
      '<noscript><p>The plot and the table need JavaScript, which is switched off.</p></noscript></section>'
    ].join('\n')
  }
}

function cutText(text: string): string {
  return text.length <= MOST_TEXT
    ? text
    : `${text.slice(0, MOST_TEXT)} … ${humanCount(text.length - MOST_TEXT)} more characters`
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;'
}

/** Text for a page, with control characters shown, none of it markup. */
function escaped(text: string): string {
  return visibleLine(cutText(text)).replace(/[&<>"']/g, character => ENTITIES[character]!)
}

function titleOf(sources: readonly ReportSource[]): string {
  const [first, ...others] = sources.map(({ file, service, pid, kind }) =>
    kind === 'log' ? file : `${service}, process ${pid}`
  )
  return others.length === 0 ? (first ?? '') : `${first} and ${plural(others.length, 'file')} more`
}

function humanRate(rate: number): string {
  return rate >= 100 ? humanCount(Math.round(rate)) : rate.toPrecision(3)
}

/** Seconds as a person says them. */
function durationText(seconds: number): string {
  if (seconds < 60) return `${seconds === 0 ? 0 : seconds.toPrecision(3)} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${humanCount(Math.floor(hours / 24))} d ${hours % 24} h`
}

/** @param colorOf the class of a bar, by the name */
function countTable(
  items: readonly { name: string; count: number }[],
  events: number,
  colorOf: (name: string) => string = () => 'accent'
): string {
  if (items.length === 0) return '<p class="quiet">none</p>'
  const most = Math.max(...items.map(({ count }) => count))
  const rows = items.map(({ name, count }) => {
    const share = Math.max(1, Math.round((count / most) * 100))
    const bar = `<svg width="100%" height="10" aria-hidden="true"><rect class="${colorOf(name)}" width="${share}%" height="10" rx="2"></rect></svg>`
    const percent = `${((count / events) * 100).toFixed(1)} %`
    return `<tr><td>${name === '' ? '<span class="quiet">(none)</span>' : escaped(name)}</td><td class="n">${humanCount(count)}</td><td class="n quiet">${percent}</td><td class="share">${bar}</td></tr>`
  })
  return `<table>${rows.join('')}</table>`
}

function filesTable(sources: readonly ReportSource[]): string {
  const rows = sources.map(({ file, kind, service, hostname, pid, reason, counters, damaged }) => {
    const who = kind === 'log' ? '' : `${service}, process ${pid} on ${hostname}${reason === null ? '' : `, ${reason}`}`
    const lost =
      counters === null
        ? ''
        : `${humanCount(counters.overwritten)} overwritten, ${humanCount(counters.dropped)} dropped`
    const damage = damaged > 0 ? `${plural(damaged, 'place')} damaged` : ''
    const known = [who, lost, damage].filter(text => text !== '').join('; ')
    return `<tr><td>${escaped(file)}</td><td>${kind}</td><td>${escaped(known)}</td></tr>`
  })
  return `<section><h2>Files</h2><div class="scroll"><table class="files">${rows.join('')}</table></div></section>`
}

const hashOf = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`

function page(title: string, body: string, json: string): string {
  // What runs, and how it looks, is this text only: nothing else, from nowhere.
  const policy = [
    "default-src 'none'",
    `script-src ${hashOf(REPORT_SCRIPT)}`,
    `style-src ${hashOf(REPORT_STYLE)}`,
    "base-uri 'none'",
    "form-action 'none'"
  ].join('; ')
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>${escaped(title)}</title>
<style>${REPORT_STYLE}</style>
</head>
<body>
<main>
${body}
</main>
<script type="application/json" id="data">${json}</script>
<script>${REPORT_SCRIPT}</script>
</body>
</html>
`
}
