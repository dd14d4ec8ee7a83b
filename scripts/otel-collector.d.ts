/** Why there is no collector to be run here; null if there is one. */
export function missing(): string | null

/** A log record as OTLP's JSON has it. */
export interface TakenRecord {
  /** The scope's name. */
  scope: string
  timeUnixNano?: string
  severityNumber: number
  severityText: string
  body?: { stringValue?: string }
  attributes: { key: string; value: Record<string, unknown> }[]
  traceId?: string
  spanId?: string
}

export class OtelCollector {
  static start(place: string): Promise<OtelCollector>
  readonly url: string
  stop(): Promise<void>
  records(): TakenRecord[]
}
