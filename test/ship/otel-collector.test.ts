import fs from 'node:fs'
import path from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { OtlpSink } from '../../lib/ship/otlp'
import { missing, OtelCollector } from '../../scripts/otel-collector'
import { optionsFor, shipAll, temporaryFolder } from './support'

// OpenTelemetry's own collector.

const lack = missing()
const START_MS = 120_000
let folder: string
let collector: OtelCollector | undefined
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(async () => {
  await collector?.stop()
  fs.rmSync(folder, { recursive: true, force: true })
})

const failed = {
  level: 50,
  time: 1_700_000_000_123,
  name: 'a.b',
  msg: 'boom ✓',
  err: { type: 'TypeError', message: 'x', stack: 's' },
  large: 2 ** 40,
  deep: { list: [1, 'two', null, true] },
  trace_id: '0af7651916cd43dd8448eb211c80319c',
  span_id: 'b7ad6b7169203331'
}

for (const encoding of ['protobuf', 'json'] as const) {
  const name = `a collector takes ${encoding}, and has every record once, in order`
  test.runIf(lack === null)(
    lack === null ? name : `${name}: left out, ${lack}`,
    async () => {
      collector = await OtelCollector.start(folder)
      const many = Array.from({ length: 5_000 }, (_, n) => ({ level: 30, time: 1_700_000_000_000 + n, name: 'c', n }))
      const texts = [JSON.stringify(failed), 'plain', ...many.map(one => JSON.stringify(one))]
      fs.writeFileSync(path.join(folder, 'app.log'), texts.map(text => `${text}\n`).join(''))
      const problems: Error[] = []
      await shipAll(optionsFor(folder, { batchSize: 700 }), new OtlpSink({ url: collector.url, encoding }), problems)
      await collector.stop()
      expect(problems).toEqual([])
      const taken = collector.records()
      const attributes = taken.map(record => new Map(record.attributes.map(({ key, value }) => [key, value])))
      expect(taken[0]).toMatchObject({
        scope: 'a.b',
        timeUnixNano: '1700000000123000000',
        severityNumber: 17,
        severityText: 'ERROR',
        body: { stringValue: 'boom ✓' },
        traceId: failed.trace_id,
        spanId: failed.span_id
      })
      expect(attributes[0]!.get('exception.type')).toEqual({ stringValue: 'TypeError' })
      expect(attributes[0]!.get('large')).toEqual({ intValue: String(2 ** 40) })
      expect(JSON.stringify(attributes[0]!.get('deep'))).toBe(
        '{"kvlistValue":{"values":[{"key":"list","value":{"arrayValue":{"values":[{"intValue":"1"},{"stringValue":"two"},{},{"boolValue":true}]}}}]}}'
      )
      expect(taken[1]!.body).toEqual({ stringValue: 'plain' })
      expect(attributes.slice(2).map(one => Number(one.get('n')!.intValue))).toEqual(many.map(({ n }) => n))
      const ids = attributes.map(one => String(one.get('log.record.uid')!.stringValue))
      expect(ids.map(id => Number(id.split('-')[1]))).toEqual(texts.map((_, i) => i))
    },
    START_MS
  )
}
