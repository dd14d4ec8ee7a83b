/** What tests of shipping share: options, and a sink that keeps what it takes. */

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { Shipper, type ShipperOptions } from '../../lib/ship/shipper'
import { type Batch, idOf, type Sink, type SinkError, textOf } from '../../lib/ship/sink'

export function temporaryFolder(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-ship-'))
}

export function optionsFor(folder: string, more: Partial<ShipperOptions> = {}): ShipperOptions {
  return {
    log: path.join(folder, 'app.log'),
    format: 'auto',
    arenaDir: undefined,
    rotated: null,
    start: 'beginning',
    recoverAfter: 0,
    folder,
    cursor: path.join(folder, '.app.log.cursor'),
    deadLetters: path.join(folder, 'app.dead'),
    deadLetterBytes: 1 << 30,
    batchSize: 100,
    batchBytes: 1 << 20,
    flushInterval: 20,
    pollInterval: 5,
    commitInterval: 1,
    timeout: 5_000,
    retry: { base: 1, cap: 10, attempts: 0, afterCap: 1_000 },
    circuit: { failures: 5, recovery: 20, successes: 1 },
    closeTimeout: 5_000,
    ...more
  }
}

/** Keeps what it takes by id; `fails` may say that it does not. */
export class Kept implements Sink {
  readonly target = 'kept'
  /** By id, what each record says; and how often it came. */
  readonly records = new Map<string, string>()
  readonly order: string[] = []
  repeats = 0
  fails: ((batch: Batch) => SinkError | null) | null = null

  async send(batch: Batch): Promise<void> {
    const error = this.fails?.(batch)
    if (error && !error.message.includes('after taking')) throw error
    for (const [index, record] of batch.records.entries()) {
      const id = idOf(batch, index)
      const text = textOf(record)
      if (this.records.has(id)) {
        if (this.records.get(id) !== text) throw new Error(`id ${id} of ${this.records.get(id)} came with ${text}`)
        this.repeats++
      } else {
        this.records.set(id, text)
        this.order.push(text)
      }
    }
    if (error) throw error
  }

  async close(): Promise<void> {}
}

export async function shipAll(options: ShipperOptions, sink: Sink, problems: Error[] = []): Promise<void> {
  const shipper = await Shipper.start(options, sink, error => problems.push(error))
  await shipper.flush()
  await shipper.close()
}

export const lines = (from: number, to: number): string =>
  Array.from({ length: to - from }, (_, i) => `{"n":${from + i}}\n`).join('')

export const numbersOf = (texts: readonly string[]): number[] =>
  texts.map(text => (JSON.parse(text) as { n: number }).n)

export const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)
