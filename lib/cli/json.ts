import { isoTime } from './entry-output'
import { visibleJson } from './shown-text'

/** JSON of a report: times in ISO 8601, streams in hex, other 64-bit numbers as numbers; with nothing that a terminal acts on. */
export function toJson(report: object): string {
  const json = JSON.stringify(report, (key, value: unknown) => {
    if (typeof value !== 'bigint') return value
    if (key.endsWith('Time')) return isoTime(value)
    return key === 'stream' ? value.toString(16) : Number(value)
  })
  return visibleJson(json)
}
