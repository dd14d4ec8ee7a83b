/** The tracing channel on which tools follow the making of lines: the same that pino publishes on. */

import { tracingChannel } from 'node:diagnostics_channel'
import type { Fields, Internals } from './internals'

/** Makes a record into a line. */
export type AsJson = (this: Internals, fields: Fields, message: unknown, level: number, time: string) => string
export type TracedAsJson = AsJson

interface Context {
  instance: Internals
  arguments: IArguments | unknown[]
}

const channel = tracingChannel<unknown, Context>('pino_asJson')

/** Whether somebody follows: then lines are made at the call. */
export function isFollowed(): boolean {
  return channel.start.hasSubscribers || channel.end.hasSubscribers || channel.error.hasSubscribers
}

/** `asJson` with events around each call while somebody subscribes. */
export function traced(asJson: AsJson): TracedAsJson {
  return function asJsonTraced(this: Internals, fields, message, level, time) {
    if (!isFollowed()) return asJson.call(this, fields, message, level, time)
    const context: Context = { instance: this, arguments: [fields, message, level, time] }
    return channel.traceSync(asJson as (...args: unknown[]) => string, context, this, fields, message, level, time)
  }
}
