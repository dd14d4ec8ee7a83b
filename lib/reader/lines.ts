import type { LinesItem } from './types'

const NEWLINE = 0x0a
const NS_PER_MS = 1_000_000n
/** The latest time of a Date. */
const MAX_DATE_MS = 8.64e15

/** Where the line that begins at `start` ends in `data[start, end)`, its newline included. */
export function lineEnd(data: Buffer, start: number, end: number): number {
  const newline = data.indexOf(NEWLINE, start)
  return newline < 0 || newline >= end ? end : newline + 1
}

/** Where each line ends in `data`, its newline included. */
export function* lineEnds({ data, start, end }: Pick<LinesItem, 'data' | 'start' | 'end'>): Generator<number, void> {
  for (let at = start; at < end; ) {
    at = lineEnd(data, at, end)
    yield at
  }
}

/** Milliseconds since the epoch as ns; undefined for what is no time. */
export function timeFromMs(ms: number): bigint | undefined {
  return ms >= 0 && ms <= MAX_DATE_MS ? BigInt(Math.trunc(ms)) * NS_PER_MS : undefined
}

/** The time that a parsed line tells in its field `time`, in ms or as a date, as ns; undefined if it tells none. */
export function timeOfLine(parsed: unknown): bigint | undefined {
  if (typeof parsed !== 'object' || parsed === null) return undefined
  const { time } = parsed as { time?: unknown }
  if (typeof time === 'number') return timeFromMs(time)
  return typeof time === 'string' ? timeFromMs(Date.parse(time)) : undefined
}

function timeOfText(text: string): bigint | undefined {
  try {
    return timeOfLine(JSON.parse(text))
  } catch {
    return undefined // No JSON, so it tells no time.
  }
}

/** Each line by itself, with its time. */
export function splitLines(item: LinesItem): LinesItem[] {
  const { data, offset } = item
  let start = item.start
  return Array.from(lineEnds(item), end => {
    const time = timeOfText(data.toString('utf8', start, end))
    const line = { ...item, offset: offset + start - item.start, start, end, time }
    start = end
    return line
  })
}
