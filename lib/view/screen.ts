/** What stands on the screen, line by line, for any size of it. */

import { humanCount } from '../text'
import { barLines } from './bars'
import { classOf, ERROR_CLASS, type ViewEvent } from './event'
import type { Column } from './histogram'
import { HELP_LINE, KEYS_HELP } from './keys'
import type { Prompt } from './prompt'
import { fitted, type Line, type Measure, oneLine, type Piece, type Style, widthOf, wrap } from './styled'
import { detailsOf, fieldsText, isOneDay, rangeText, sourceText, timeText } from './texts'
import type { Viewer } from './viewer'

/** What a person has opened, and how far it is scrolled. */
export interface Layout {
  width: number
  height: number
  top: number
  hasHistogram: boolean
  isDetailOpen: boolean
  /** Arrows scroll the detail. */
  isDetailFocused: boolean
  detailTop: number
  isHelpOpen: boolean
  helpTop: number
  prompt: Prompt | null
  /** The files, and the filters, in words. */
  title: string
  filters: string
  /** Places where files are damaged. */
  damaged: number
  isUnicode: boolean
  hasColors: boolean
  measure: Measure
}

export interface Screen {
  /** As many as the screen has. */
  lines: Line[]
  /** Where the cursor stands, from 0; null: it is hidden. */
  cursor: { row: number; column: number } | null
  /** Rows of the list; a page. */
  listRows: number
  /** The bars that are shown. */
  columns: Column[]
  selected: ViewEvent | undefined
}

const piece = (text: string, style: Style = 'plain'): Piece => ({ text, style })
const GUTTER = 7
const LEVEL_WIDTH = 5
const SOURCE_WIDTH = 14
const NARROW = 60
/** Rows that the parts take, by the rows of the screen. */
const WITH_HEADER = 4
const WITH_BARS = 12
const WITH_STATUS = 3
const LEAST_LIST = 3

interface Rows {
  header: number
  bars: number
  list: number
  detail: number
  status: number
  bottom: number
}

/** How the rows of a screen are shared out. */
export function shareRows(layout: Layout): Rows {
  const { height, hasHistogram, isDetailOpen } = layout
  const bottom = height >= 2 || layout.prompt !== null ? 1 : 0
  const header = height >= WITH_HEADER ? 1 : 0
  const status = height >= WITH_STATUS ? 1 : 0
  const bars = !hasHistogram || height < WITH_BARS ? 0 : Math.max(3, Math.min(9, Math.floor(height / 5)))
  const free = Math.max(0, height - bottom - header - status - bars)
  const detail = isDetailOpen && free > LEAST_LIST + 1 ? Math.max(2, Math.floor(free * 0.5)) : 0
  return { header, bars, list: free - detail, detail, status, bottom }
}

function padded(pieces: readonly Piece[], right: string, style: Style, { width, measure }: Layout): Piece[] {
  const room = Math.max(0, width - widthOf(right, measure) - 1)
  const left = fitted(pieces, right === '' ? width : room, measure)
  const used = left.reduce((sum, { text }) => sum + widthOf(text, measure), 0)
  return fitted(
    [...left, piece(' '.repeat(Math.max(1, width - used - widthOf(right, measure))), style), piece(right, style)],
    width,
    measure
  )
}

const percent = (share: number): string => `${Math.floor(share * 100)} %`

function headerLine(viewer: Viewer, layout: Layout): Line {
  const { index, range, clock, readProgress } = viewer
  const events = viewer.isFiltered
    ? `${humanCount(viewer.length)} of ${humanCount(index.length)} events`
    : `${humanCount(index.length)} ${index.length === 1 ? 'event' : 'events'}`
  const times = range === null ? '' : `${rangeText(clock.nsOf(range.first), clock.nsOf(range.last))} UTC`
  const state = !index.isComplete
    ? `reading${readProgress === null ? '' : ` ${percent(readProgress)}`}`
    : viewer.isFollowing
      ? 'following'
      : ''
  const damage = layout.damaged === 0 ? '' : `${humanCount(layout.damaged)} damaged`
  const right = [layout.width > NARROW ? times : '', state, damage, events].filter(text => text !== '').join('  ')
  return { pieces: padded([piece(` ${layout.title}`, 'bar')], `${right} `, 'bar', layout) }
}

/** A count in at most five characters. */
function shortCount(count: number): string {
  for (const [least, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e4, 'k']
  ] as const) {
    if (count >= least)
      return `${(count / (unit === 'k' ? 1e3 : least)).toPrecision(3).slice(0, 4).replace(/\.$/, '')}${unit}`
  }
  return String(count)
}

interface Bars {
  lines: Line[]
  columns: Column[]
}

function histogramLines(viewer: Viewer, layout: Layout, rows: number, selected: ViewEvent | undefined): Bars {
  const columns = viewer.columns(layout.width - GUTTER)
  const { lines, most } = barLines({
    columns,
    rows: rows - 1,
    isUnicode: layout.isUnicode,
    hasColors: layout.hasColors
  })
  const edge = layout.isUnicode ? '│' : '|'
  const marked = lines.map(({ pieces }, i) => {
    const label = i === 0 && columns.length > 0 ? shortCount(most) : ''
    return { pieces: [piece(`${label.padStart(GUTTER - 2)} ${edge}`, 'dim'), ...pieces] }
  })
  return { lines: [...marked, axisLine(viewer, layout, columns, selected)], columns }
}

/** Times below the bars, and a mark below the one that the selected event is in. */
function axisLine(viewer: Viewer, layout: Layout, columns: readonly Column[], selected: ViewEvent | undefined): Line {
  const ticks = selected === undefined ? Number.NaN : viewer.clock.ticksOf(selected.time)
  const at = columns.findIndex(({ start, end }) => ticks >= start && ticks < end)
  const room = layout.width - GUTTER
  const form = room < NARROW ? 'short' : isLong(viewer) ? 'date' : 'day'
  const labels = [0, 0.5, 1].map(share => {
    const column = columns[Math.min(columns.length - 1, Math.floor(share * columns.length))]
    return column === undefined ? '' : timeText(viewer.clock.nsOf(share === 1 ? column.end : column.start), form)
  })
  const cells = new Array<string>(Math.max(0, room)).fill(' ')
  const put = (text: string, from: number): void => {
    for (const [i, character] of [...text].entries()) if (from + i < cells.length) cells[from + i] = character
  }
  const width = columns.length
  const [first = '', middle = '', last = ''] = labels
  put(first, 0)
  if (width > 2 * first.length + last.length + middle.length) put(middle, Math.floor(width / 2))
  if (width > first.length + last.length + 2) put(last, width - last.length)
  const corner = piece(`${' '.repeat(GUTTER - 1)}${layout.isUnicode ? '└' : '+'}`, 'dim')
  if (at < 0) return { pieces: [corner, piece(cells.join(''), 'dim')] }
  const mark = piece(layout.isUnicode ? '▲' : '^', 'bold')
  const text = cells.join('')
  return { pieces: [corner, piece(text.slice(0, at), 'dim'), mark, piece(text.slice(at + 1), 'dim')] }
}

function isLong({ range, clock }: Viewer): boolean {
  return range !== null && !isOneDay(clock.nsOf(range.first), clock.nsOf(range.last))
}

/** Pieces of a text in which what was searched is marked. */
function withMatches(text: string, style: Style, viewer: Viewer): Piece[] {
  const { search } = viewer
  if (search === null) return [piece(text, style)]
  const pieces: Piece[] = []
  let at = 0
  for (const [start, end] of search.matcher.places(text)) {
    if (start > at) pieces.push(piece(text.slice(at, start), style))
    pieces.push(piece(text.slice(start, end), 'match'))
    at = end
  }
  pieces.push(piece(text.slice(at), style))
  return pieces
}

function eventLine(event: ViewEvent, viewer: Viewer, layout: Layout, isSelected: boolean): Line {
  const { width, measure } = layout
  const level = classOf(event.level, event.source.levels)
  const form = width < NARROW ? 'short' : isLong(viewer) ? 'date' : 'day'
  const name = oneLine(event.level, LEVEL_WIDTH).toUpperCase().slice(0, LEVEL_WIDTH).padEnd(LEVEL_WIDTH)
  const pieces = [piece(`${timeText(event.time, form)} `, 'dim'), piece(name, `level${level}`), piece(' ')]
  if (viewer.index.tables.length > 1 && width >= NARROW) {
    const [source] = fitted([piece(oneLine(sourceText(event), SOURCE_WIDTH))], SOURCE_WIDTH, measure)
    const text = source?.text ?? ''
    pieces.push(piece(text + ' '.repeat(SOURCE_WIDTH - widthOf(text, measure) + 1), 'dim'))
  }
  if (event.target !== '') pieces.push(piece(`${oneLine(event.target, width)}: `, 'target'))
  const message = oneLine(event.message, width)
  pieces.push(...withMatches(message, level >= ERROR_CLASS ? 'error' : 'plain', viewer))
  const fields = oneLine(fieldsText(event, width), width)
  if (fields !== '') pieces.push(piece(message === '' ? '' : '  '), ...withMatches(fields, 'dim', viewer))
  const fitting = fitted(pieces, width, measure)
  const used = fitting.reduce((sum, { text }) => sum + widthOf(text, measure), 0)
  if (isSelected && used < width) fitting.push(piece(' '.repeat(width - used)))
  return { pieces: fitting, isSelected }
}

/** All lines of the selected event. */
export function detailLines(event: ViewEvent, viewer: Viewer, { width, measure }: Layout): Line[] {
  const details = detailsOf(event)
  const longest = Math.max(...details.map(({ name }) => Math.min(widthOf(name, measure), Math.floor(width / 3))))
  const lines: Line[] = []
  for (const { name, lines: texts } of details) {
    const [shown] = fitted([piece(name, 'key')], longest, measure)
    let label = (shown?.text ?? '') + ' '.repeat(longest - widthOf(shown?.text ?? '', measure))
    for (const text of texts) {
      for (const part of wrap(text, Math.max(1, width - longest - 2), measure)) {
        lines.push({ pieces: [piece(` ${label} `, 'key'), ...withMatches(part, 'plain', viewer)] })
        label = ' '.repeat(longest)
      }
    }
  }
  return lines
}

function detailPane(event: ViewEvent | undefined, viewer: Viewer, layout: Layout, rows: number): Line[] {
  const all = event === undefined ? [] : detailLines(event, viewer, layout)
  layout.detailTop = Math.max(0, Math.min(layout.detailTop, all.length - (rows - 1)))
  const { detailTop: top, width } = layout
  const end = Math.min(all.length, top + rows - 1)
  const more = all.length > rows - 1 ? ` ${top + 1} to ${end} of ${all.length} lines ` : ''
  const focus = layout.isDetailFocused ? ' arrows scroll, Tab goes back ' : ' Tab scrolls '
  const dash = layout.isUnicode ? '─' : '-'
  const name = more === '' ? '' : focus
  const rule = `${dash}${dash}${name}${dash.repeat(Math.max(1, width - name.length - more.length - 4))}${more}${dash}${dash}`
  const head: Line = { pieces: [piece(rule, layout.isDetailFocused ? 'bold' : 'dim')] }
  return [head, ...all.slice(top, end)]
}

function statusLine(viewer: Viewer, layout: Layout): Line {
  const { search, message, selected, length } = viewer
  const parts: Piece[] = [piece(' ')]
  if (message.text !== '')
    parts.push(piece(`${oneLine(message.text, layout.width)}  `, message.isError ? 'error' : 'bold'))
  if (layout.filters !== '') {
    const progress = viewer.filterProgress < 1 ? ` (${percent(viewer.filterProgress)})` : ''
    parts.push(piece('filter ', 'dim'), piece(`${oneLine(layout.filters, layout.width)}${progress}  `, 'bold'))
  }
  if (search !== null) {
    const { before, isMatch } = search.rank(viewer.selectedPosition)
    const count = humanCount(search.count)
    const which = isMatch && search.isComplete ? `${humanCount(before + 1)} of ${count}` : `${count} found`
    const progress = search.isComplete ? '' : search.isStopped ? ' (stopped)' : ` (${percent(search.progress)})`
    parts.push(piece(`/${oneLine(search.matcher.text, 30)} `, 'match'), piece(` ${which}${progress}  `, 'dim'))
  }
  if (viewer.isWaiting) parts.push(piece('looking… Esc gives up', 'dim'))
  const right = `${humanCount(selected + 1)}/${humanCount(length)} `
  return { pieces: padded(parts, right, 'dim', layout) }
}

function helpLine(layout: Layout): Line {
  const pieces: Piece[] = [piece(' ', 'bar')]
  for (const { key, word } of HELP_LINE) pieces.push(piece(key, 'bar'), piece(` ${word}   `, 'bar'))
  return { pieces: padded(pieces, '', 'bar', layout) }
}

function promptLine(prompt: Prompt, layout: Layout): { line: Line; column: number } {
  const { width, measure } = layout
  const { before, behind } = prompt.parts
  const label = fitted([piece(`${prompt.label} `)], Math.max(0, width - 10), measure)[0]?.text ?? ''
  const shown = oneLine(before, before.length)
  // Of a long line, the end that is typed at.
  let start = 0
  while (start < shown.length && widthOf(label + shown.slice(start), measure) > width - 2) start++
  const head = shown.slice(start)
  const pieces = [piece(label, 'bold'), piece(head), piece(oneLine(behind, width))]
  return {
    line: { pieces: fitted(pieces, width, measure) },
    column: Math.min(width - 1, widthOf(label + head, measure))
  }
}

function helpScreen(layout: Layout, rows: number): Line[] {
  const width = Math.max(...KEYS_HELP.map(({ shown }) => shown.length))
  const all: Line[] = [
    { pieces: [piece(' Keys', 'bold'), piece('  arrows scroll, Esc closes', 'dim')] },
    ...KEYS_HELP.map(({ shown, help }) => ({ pieces: [piece(` ${shown.padEnd(width)}  `, 'key'), piece(help)] })),
    { pieces: [] },
    ...wrap(
      'Colours: fatal, error, warn, info, debug and trace from the ground of each bar up. Times are UTC. A time is given as 2026-01-02T03:04:05Z, as 03:04:05 of the day of the selected event, or in ms since 1970. Searches mind capitals if there are any.',
      Math.max(1, layout.width - 2),
      layout.measure
    ).map(text => ({ pieces: [piece(` ${text}`, 'dim' as Style)] }))
  ]
  layout.helpTop = Math.max(0, Math.min(layout.helpTop, all.length - rows))
  return all.slice(layout.helpTop, layout.helpTop + rows)
}

function blank(lines: Line[], rows: number): Line[] {
  while (lines.length < rows) lines.push({ pieces: [] })
  return lines.slice(0, rows)
}

async function listLines(
  viewer: Viewer,
  layout: Layout,
  rows: number
): Promise<{ lines: Line[]; selected: ViewEvent | undefined }> {
  const row = viewer.selected
  const most = Math.max(0, viewer.length - rows)
  layout.top = Math.max(0, Math.min(layout.top, row, most))
  if (row >= layout.top + rows) layout.top = row - rows + 1
  const events = await viewer.rows(layout.top, rows)
  const lines = events.map((event, i) => eventLine(event, viewer, layout, layout.top + i === row))
  if (lines.length === 0) lines.push({ pieces: [piece(viewer.isComplete ? ' no events' : ' reading…', 'dim')] })
  return { lines: blank(lines, rows), selected: events[row - layout.top] }
}

/** The screen as it is to be. Tops in `layout` are moved to where what is selected is seen. */
export async function compose(viewer: Viewer, layout: Layout): Promise<Screen> {
  const rows = shareRows(layout)
  const list = await listLines(viewer, layout, Math.max(1, rows.list))
  const selected = list.selected
  const bars =
    rows.bars > 0
      ? histogramLines(viewer, layout, rows.bars, selected)
      : { lines: [], columns: viewer.columns(layout.width) }
  const middle = [
    ...list.lines.slice(0, rows.list),
    ...(rows.detail > 0 ? detailPane(selected, viewer, layout, rows.detail) : [])
  ]
  const body = layout.isHelpOpen
    ? helpScreen(layout, rows.bars + rows.list + rows.detail)
    : [...bars.lines, ...blank(middle, rows.list + rows.detail)]
  const lines = [
    ...(rows.header > 0 ? [headerLine(viewer, layout)] : []),
    ...blank(body, rows.bars + rows.list + rows.detail),
    ...(rows.status > 0 ? [statusLine(viewer, layout)] : [])
  ]
  let cursor: Screen['cursor'] = null
  if (layout.prompt !== null) {
    const { line, column } = promptLine(layout.prompt, layout)
    lines.push(line)
    cursor = { row: lines.length - 1, column }
  } else if (rows.bottom > 0) lines.push(helpLine(layout))
  const fitting = lines.map(line => ({ ...line, pieces: fitted(line.pieces, layout.width, layout.measure) }))
  return {
    lines: blank(fitting, layout.height),
    cursor,
    listRows: Math.max(1, rows.list),
    columns: bars.columns,
    selected
  }
}
