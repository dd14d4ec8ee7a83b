/**
 * How tools follow the making of lines: on the tracing channel that pino publishes on, or by what they do to the function that pino makes them
 * with (`../tools.js`) as it is loaded.
 */

import { tracingChannel } from 'node:diagnostics_channel'

import seam = require('../../lib/tools.js')

import type { Fields, Internals } from './internals'

/** Text longer than this is not the function's own, which has about 120 characters. */
const OWN_TEXT_MOST = 300

/** Whether an agent has rewritten or replaced the function. Code that only counts its calls, as tools for coverage add, does no harm either. */
export const isTaken = seam.asJson !== seam.own || String(seam.asJson).length > OWN_TEXT_MOST

/** Makes a record into a line. */
export type AsJson = (this: Internals, fields: Fields, message: unknown, level: number, time: string) => string
export type TracedAsJson = AsJson

interface Context {
  instance: Internals
  arguments: IArguments | unknown[]
}

const channel = tracingChannel<unknown, Context>('pino_asJson')

/** Those of its channels that say that somebody follows. */
export const lineChannels = { start: channel.start, end: channel.end, error: channel.error }

/** Whether somebody follows: then lines are made at the call. */
export function isFollowed(): boolean {
  const { start, end, error } = lineChannels
  return isTaken || start.hasSubscribers || end.hasSubscribers || error.hasSubscribers
}

/** `asJson` with events around each call while somebody subscribes, and with what an agent has put around it. */
export function traced(asJson: AsJson): TracedAsJson {
  const published: AsJson = function asJsonTraced(this: Internals, fields, message, level, time) {
    if (!isFollowed()) return asJson.call(this, fields, message, level, time)
    const context: Context = { instance: this, arguments: [fields, message, level, time] }
    return channel.traceSync(asJson as (...args: unknown[]) => string, context, this, fields, message, level, time)
  }
  seam.make = published
  return isTaken ? seam.asJson : published
}
