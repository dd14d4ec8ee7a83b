/** Events as texts for a person. */

import { isoTime, visibleLine, visibleText } from '../text'
import type { ViewEvent } from './event'

const PLAIN = /^[^\s"=]+$/
const NS_PER_DAY = 86_400_000_000_000n
const DATE = 10
const MS = 23
/** Characters of `03:04:05`. */
const TIME_OF_DAY = 8

export const plain = (_: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null

/** A value of a field on one line: what an error says is enough of it. */
export function valueText(value: unknown): string {
  if (typeof value === 'string') return PLAIN.test(value) ? value : JSON.stringify(value)
  if (isObject(value) && typeof value.stack === 'string' && typeof value.message === 'string')
    return JSON.stringify(value.message)
  return JSON.stringify(value, plain) ?? ''
}

/** Fields that all events of a process have the same: they come last. */
const LAST = new Set(['pid', 'hostname'])

/** What was made of an event that is still on the screen: of a huge one it takes its time. */
const fieldTexts = new WeakMap<ViewEvent, { most: number; text: string }>()
const details = new WeakMap<ViewEvent, Detail[]>()

/** The fields of an event on one line, about `most` characters of them. */
export function fieldsText(event: ViewEvent, most: number): string {
  const known = fieldTexts.get(event)
  if (known !== undefined && known.most === most) return known.text
  const text = makeFieldsText(event, most)
  fieldTexts.set(event, { most, text })
  return text
}

function makeFieldsText(event: ViewEvent, most: number): string {
  let text = ''
  const keys = Object.keys(event.fields)
  const ordered = [...keys.filter(key => !LAST.has(key)), ...keys.filter(key => LAST.has(key))]
  for (const key of ordered) {
    if (text.length > most) break
    const value = event.fields[key]
    const short = typeof value === 'string' && value.length > most ? value.slice(0, most) : value
    text += `${text === '' ? '' : ' '}${key}=${valueText(short)}`
  }
  return text.slice(0, 8 * most)
}

/** Whether times are of one day only, or a date is to be shown with them. */
export function isOneDay(first: bigint, last: bigint): boolean {
  return first / NS_PER_DAY === last / NS_PER_DAY
}

/** A time of day, with the date unless `isShort`; dashes for none. */
export function timeText(time: bigint, form: 'day' | 'date' | 'short'): string {
  if (time <= 0n) return form === 'short' ? '--:--:--' : '--:--:--.---'.padStart(form === 'date' ? MS - 5 : 12)
  const text = isoTime(time)
  if (!text.endsWith('Z')) return text
  const at = text.indexOf('T')
  const clock = text.slice(at + 1, at + 1 + 12)
  if (form === 'short') return clock.slice(0, 8)
  return form === 'day' ? clock : `${text.slice(at - 5, at)} ${clock}`
}

/** Date and time to the second. */
export function secondText(time: bigint): string {
  const text = isoTime(time)
  return text.endsWith('Z') ? `${text.slice(0, DATE)} ${text.slice(DATE + 1, DATE + 9)}` : text
}

/** From when to when, to the second; the day is told once if it is one. */
export function rangeText(first: bigint, last: bigint): string {
  const end = secondText(last)
  return `${secondText(first)} to ${isOneDay(first, last) ? end.slice(-TIME_OF_DAY) : end}`
}

/** Where an event is from, in few characters. */
export function sourceText({ source }: ViewEvent): string {
  if (source.pid !== null) return `${source.service}/${source.pid}`
  return source.file.slice(source.file.lastIndexOf('/') + 1)
}

/** So much of a record is shown in full. */
export const MOST_DETAIL = 256 * 1024

/** A name and a value, which may have several lines. */
export interface Detail {
  name: string
  lines: string[]
}

function linesOf(text: string): string[] {
  return text.split('\n').map(line => visibleLine(line.replace(/\r$/, '').replaceAll('\t', '    ')))
}

function valueLines(value: unknown, most: number): string[] {
  if (typeof value === 'string') return linesOf(visibleText(value.slice(0, most)))
  // Strings that have several lines, as stacks do, are to be read as such.
  if (isObject(value) && typeof value.stack === 'string') {
    const { stack, ...rest } = value
    const others = Object.keys(rest).length === 0 ? [] : linesOf(JSON.stringify(rest, plain, 2).slice(0, most))
    return [...linesOf(visibleText((stack as string).slice(0, most))), ...others]
  }
  return linesOf((JSON.stringify(value, plain, 2) ?? '').slice(0, most))
}

/** All that an event says; of a huge one, the first part of it. */
export function detailsOf(event: ViewEvent): Detail[] {
  const known = details.get(event) ?? makeDetails(event)
  details.set(event, known)
  return known
}

function makeDetails(event: ViewEvent): Detail[] {
  const { source, time, level, target, message, thread, fields } = event
  const from =
    source.kind === 'log' ? source.file : `${source.file}, ${source.service}/${source.pid} on ${source.hostname}`
  const made: Detail[] = [
    { name: 'message', lines: linesOf(visibleText(message.slice(0, MOST_DETAIL))) },
    { name: 'time', lines: [time <= 0n ? 'none' : isoTime(time)] },
    { name: 'level', lines: [visibleLine(level || 'none')] },
    ...(target === '' ? [] : [{ name: 'target', lines: [visibleLine(target)] }]),
    { name: 'file', lines: [visibleLine(source.kind === 'log' ? from : `${from}, thread ${thread}`)] }
  ]
  let left = MOST_DETAIL - message.length
  for (const [key, value] of Object.entries(fields)) {
    if (left <= 0) break
    const lines = valueLines(value, left)
    left -= lines.reduce((sum, line) => sum + line.length + 1, 0)
    made.push({ name: visibleLine(key), lines })
  }
  if (left <= 0) made.push({ name: '…', lines: [`more than ${MOST_DETAIL} characters: the rest is not shown`] })
  return made
}
