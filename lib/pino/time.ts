/** Functions that make the time of a line: a part of a JSON object with the comma before it. */

import type { TimeFn } from './types'

export const nullTime: TimeFn = () => ''
/** Milliseconds since 1970. `Date.now` is looked up at each call, so that a test framework's clock is honoured. */
export const epochTime: TimeFn = () => `,"time":${Date.now()}`
/** Seconds since 1970, rounded. */
export const unixTime: TimeFn = () => `,"time":${Math.round(Date.now() / 1000)}`
/** ISO 8601 in UTC, to the millisecond. */
export const isoTime: TimeFn = () => `,"time":"${new Date(Date.now()).toISOString()}"`

const NS_PER_MS = 1_000_000n
const NS_PER_S = 1_000_000_000n

// The monotonic clock counts nanoseconds from an arbitrary start; what to add to it for the time of day is fixed once.
const startOfClock = BigInt(Date.now()) * NS_PER_MS - process.hrtime.bigint()

/** RFC 3339 in UTC, to the nanosecond. */
export const isoTimeNano: TimeFn = () => {
  const now = startOfClock + process.hrtime.bigint()
  const seconds = new Date(Number(now / NS_PER_S) * 1000).toISOString().slice(0, 19)
  return `,"time":"${seconds}.${(now % NS_PER_S).toString().padStart(9, '0')}Z"`
}

export const stdTimeFunctions = { nullTime, epochTime, unixTime, isoTime, isoTimeNano } as const

/** The function that the option `timestamp` asks for. */
export function timeFunction(timestamp: unknown): TimeFn {
  if (typeof timestamp === 'function') return timestamp as TimeFn
  return timestamp ? epochTime : nullTime
}
