/** What is missing to run a broker here; null if nothing is. */
export function missing(): string | null

export interface ConsumedRecord {
  partition: number
  id: string
  key: string
  value: string
}

export class KafkaBroker {
  static start(secure?: { pem: string; user: string; password: string } | null): Promise<KafkaBroker>
  readonly address: string
  /** Of a secured broker: with TLS, and with TLS and SASL. */
  readonly tlsAddress: string
  readonly saslAddress: string
  createTopic(topic: string, partitions?: number): void
  resume(options?: { ready?: boolean }): Promise<void>
  stop(signal?: NodeJS.Signals): Promise<void>
  freeze(frozen: boolean): void
  consume(topic: string, options?: { idleMs?: number }): ConsumedRecord[]
  remove(): Promise<void>
}
