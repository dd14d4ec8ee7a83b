/** The sink Failover: the first of several that takes a batch. */

import { CircuitState } from '../circuit-state'
import { type Batch, type Sink, SinkError } from './sink'

interface Choice {
  sink: Sink
  circuit: CircuitState
  sent: number
}

/**
 * Sends to the first sink; while that fails, to the next one. A sink that has failed is asked again
 * after `retry` ms, so that the first one gets what it can take.
 */
export class FailoverSink implements Sink {
  private readonly choices: readonly Choice[]
  readonly batchBytes: number

  constructor(sinks: readonly Sink[], retry: number) {
    const limits = { failures: 1, recovery: retry, successes: 1 }
    this.choices = sinks.map(sink => ({ sink, circuit: new CircuitState(limits, () => undefined), sent: 0 }))
    this.batchBytes = Math.min(...sinks.map(sink => sink.batchBytes ?? Number.POSITIVE_INFINITY))
  }

  get target(): string {
    return this.choices.map(({ sink }) => sink.target).join(' or ')
  }

  async send(batch: Batch, signal: AbortSignal): Promise<void> {
    const errors: SinkError[] = []
    const resting = this.choices.every(({ circuit }) => circuit.name === 'open')
    for (const choice of this.choices) {
      // Where all have failed a short while ago, the shipper waits long enough between two calls.
      if (!choice.circuit.admits() && !resting) continue
      try {
        await choice.sink.send(batch, signal)
        choice.circuit.succeed()
        choice.sent += batch.records.length
        return
      } catch (thrown) {
        const error = thrown instanceof SinkError ? thrown : new SinkError((thrown as Error).message, { cause: thrown })
        // What one refuses for good another one may take, but not in order.
        if (error.refused) {
          choice.circuit.succeed()
          throw error
        }
        choice.circuit.fail()
        errors.push(error)
        if (signal.aborted) break
      }
    }
    throw new SinkError(errors.map(({ message }) => message).join('; '), {
      cause: errors[0],
      smaller: errors.some(({ smaller }) => smaller),
      retryAfter: errors.length > 0 ? Math.min(...errors.map(error => error.retryAfter ?? 0)) : undefined
    })
  }

  stats(): Record<string, number> {
    return Object.fromEntries(this.choices.map(({ sink, sent }) => [sink.target, sent]))
  }

  async close(): Promise<void> {
    for (const { sink } of this.choices) await sink.close()
  }
}
