/**
 * The encoder of several destinations. Each record is made once, whatever its level reaches: as what a single destination's encoder makes of it,
 * as one record for several that record, or as text if one of them takes nothing else.
 */

import { JointEncoder as SharedRecord } from '../record/record-encoder'
import { deferredEncoder } from './deferred-encoder'
import { type EncodingStream, type RecordEncoder, recordEncoderSym } from './encoder'
import type { CompiledEvent } from './event'
import type { Internals, Stream } from './internals'
import { writeAsText } from './text-encoder'

type Streams = readonly { readonly stream: EncodingStream }[]

/** Several destinations, as their encoder sees them. */
export interface Receivers {
  /** Where a line of text goes, to be passed on to those that its level reaches. */
  readonly asOne: Stream
  /** Those that a record reaches are neighbours here: from `begin` to before `end`. */
  streams(): Streams
  end(level: number): number
  begin(end: number): number
}

/** Streams that records have gone to together, and the encoder for them; null if one of them takes text only. */
interface Group {
  readonly streams: readonly EncodingStream[]
  readonly encoder: RecordEncoder | null
}

function encoderFor(streams: readonly EncodingStream[]): RecordEncoder | null {
  const recorders = streams.flatMap(stream => stream[recordEncoderSym]?.recorder ?? [])
  return recorders.length < streams.length ? null : deferredEncoder(new SharedRecord(recorders))
}

export class JointEncoder implements RecordEncoder {
  /** One for each way in which levels divide the streams. */
  readonly #groups: Group[] = []

  constructor(private readonly receivers: Receivers) {}

  write(logger: Internals, fields: object | null | undefined, message: unknown, level: number): void {
    const { asOne } = this.receivers
    const end = this.receivers.end(level)
    if (end === 0) return
    asOne.lastLevel = level
    const encoder = this.#encoder(end)
    if (encoder) encoder.write(logger, fields, message, level)
    else writeAsText(asOne, logger, fields, message, level)
  }

  event(logger: Internals, event: CompiledEvent, values: readonly unknown[]): void {
    const { asOne } = this.receivers
    const end = this.receivers.end(event.level)
    if (end === 0) return
    const encoder = this.#encoder(end)
    if (encoder?.event) {
      asOne.lastLevel = event.level
      encoder.event(logger, event, values)
    } else this.write(logger, event.fields(values), event.message, event.level)
  }

  /** That of the streams before `end`; none if it takes their text. */
  #encoder(end: number): RecordEncoder | null | undefined {
    const streams = this.receivers.streams()
    const begin = this.receivers.begin(end)
    if (end - begin === 1) return streams[begin]!.stream[recordEncoderSym]
    const known = this.#groups.find(group => isGroup(group, streams, begin, end))
    return (known ?? this.#join(streams.slice(begin, end).map(({ stream }) => stream))).encoder
  }

  #join(streams: readonly EncodingStream[]): Group {
    const group = { streams, encoder: encoderFor(streams) }
    this.#groups.push(group)
    return group
  }
}

function isGroup(group: Group, streams: Streams, begin: number, end: number): boolean {
  if (group.streams.length !== end - begin) return false
  for (let at = begin; at < end; at++) if (group.streams[at - begin] !== streams[at]!.stream) return false
  return true
}
