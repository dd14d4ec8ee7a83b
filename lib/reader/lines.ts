import { JsonChecker } from './json-line'
import type { LinesItem } from './types'

const NEWLINE = 0x0a
const QUOTE = 0x22
const NS_PER_MS = 1_000_000n
/** The latest time of a Date. */
const MAX_DATE_MS = 8.64e15

/** So many bytes are looked at before the call that looks at all is worth it. */
const NEAR_BYTES = 24

/** Where the line that begins at `start` ends in `data[start, end)`, its newline included. */
export function lineEnd(data: Buffer, start: number, end: number): number {
  const near = Math.min(end, start + NEAR_BYTES)
  for (let at = start; at < near; at++) if (data[at] === NEWLINE) return at + 1
  if (near === end) return end
  const newline = data.indexOf(NEWLINE, near)
  return newline < 0 || newline >= end ? end : newline + 1
}

/** Where each line ends in `data`, its newline included. */
export function* lineEnds({ data, start, end }: Pick<LinesItem, 'data' | 'start' | 'end'>): Generator<number, void> {
  for (let at = start; at < end; ) {
    at = lineEnd(data, at, end)
    yield at
  }
}

/** Whether a Date can have this time. */
const isTime = (ms: number): boolean => ms >= 0 && ms <= MAX_DATE_MS

/** Milliseconds since the epoch as ns; undefined for what is no time. */
export function timeFromMs(ms: number): bigint | undefined {
  return isTime(ms) ? BigInt(Math.trunc(ms)) * NS_PER_MS : undefined
}

/** The time in ms that a JSON value tells, a number of ms or a date as a string; undefined if it is none. */
export function msOfValue(data: Buffer, start: number, end: number): number | undefined {
  const text = data.toString('utf8', start, end)
  const ms = data[start] === QUOTE ? Date.parse(JSON.parse(text) as string) : Number(text)
  return isTime(ms) ? ms : undefined
}

const json = new JsonChecker()

/** The time that the line `data[start, end)` tells in its field `time`, as ns; undefined if it tells none. */
export function timeOfLine(data: Buffer, start: number, end: number): bigint | undefined {
  if (!json.check(data, start, end) || json.timeStart < 0) return undefined
  const ms = msOfValue(data, json.timeStart, json.timeEnd)
  return ms === undefined ? undefined : timeFromMs(ms)
}

/** Each line by itself, with its time. */
export function splitLines(item: LinesItem): LinesItem[] {
  const { data, offset } = item
  let start = item.start
  return Array.from(lineEnds(item), end => {
    const line = { ...item, offset: offset + start - item.start, start, end, time: timeOfLine(data, start, end) }
    start = end
    return line
  })
}
