import { type RecordEncoder, told } from './encode'
import { IMPOSSIBLE, type LineStyle, NO_SEGMENT, OWN_START, RecordPayload } from './record-payload'

/** Makes each record once for the logs of several encoders. `close` does not close these. */
export function jointEncoder(encoders: readonly RecordEncoder[]): RecordEncoder {
  const payload = new RecordPayload(null)
  let busy = false
  let nested: RecordEncoder | undefined

  function text(time: number, line: string): boolean {
    for (const encoder of encoders) encoder.text(time, line)
    return true
  }

  function takeAll(style: LineStyle): true {
    for (const encoder of encoders) encoder.take(payload, style, OWN_START)
    payload.release()
    return true
  }

  const ofFields: RecordEncoder['record'] = (style, time, timeText, fields, message) => {
    payload.aimAside()
    const end = payload.ofFields(OWN_START, 0, NO_SEGMENT, style, time, timeText, fields, message)
    return end === IMPOSSIBLE ? text(time, style.line(time, timeText, fields, message)) : takeAll(style)
  }

  const ofValues: RecordEncoder['event'] = (style, time, timeText, node, toFields, values, message) => {
    payload.aimAside()
    const end = payload.ofValues(OWN_START, 0, NO_SEGMENT, style, time, timeText, node, values, message)
    return end === IMPOSSIBLE ? text(time, style.line(time, timeText, toFields(values), message)) : takeAll(style)
  }

  /** For a record that is made while another one is, by a getter or a conversion. */
  function inner(): RecordEncoder {
    nested ??= jointEncoder(encoders)
    return nested
  }

  return {
    record(style, time, timeText, fields, message) {
      if (busy) return inner().record(style, time, timeText, fields, message)
      busy = true
      try {
        return ofFields(style, told(time), timeText, fields, message)
      } finally {
        busy = false
      }
    },
    event(style, time, timeText, node, toFields, values, message) {
      if (busy) return inner().event(style, time, timeText, node, toFields, values, message)
      busy = true
      try {
        return ofValues(style, told(time), timeText, node, toFields, values, message)
      } finally {
        busy = false
      }
    },
    text: (time, line) => text(told(time), line),
    take(made, style, from) {
      for (const encoder of encoders) encoder.take(made, style, from)
      return true
    },
    close: () => undefined
  }
}
