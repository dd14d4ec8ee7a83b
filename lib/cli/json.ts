import { isoTime } from './entry-output'

/** JSON of a report: times in ISO 8601, streams in hex, other 64-bit numbers as numbers. */
export function toJson(report: object): string {
  return JSON.stringify(report, (key, value: unknown) => {
    if (typeof value !== 'bigint') return value
    if (key.endsWith('Time')) return isoTime(value)
    return key === 'stream' ? value.toString(16) : Number(value)
  })
}
