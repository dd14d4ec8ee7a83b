import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { crc32c } from '../../lib/format/block'
import { IdBytes } from '../../lib/ship/id-bytes'
import { PartitionBatch, produceAnswer, produceRequest } from '../../lib/ship/kafka-batch'
import { asObjects, NameFinder } from '../../lib/ship/records'
import { type Batch, idOf, type ShipRecord } from '../../lib/ship/sink'
import fc from '../support/random'

// Bodies that are written from the bytes of the log.

const recordOf = (text: string): ShipRecord => {
  // Not alone in its memory.
  const data = Buffer.from(`"name":"before"}\n${text}\n{"name":"behind"`)
  return { data, start: 17, end: 17 + Buffer.byteLength(text) }
}

const batchOf = (texts: readonly string[], first = 0): Batch => {
  const records = texts.map(recordOf)
  const bytes = records.reduce((sum, { start, end }) => sum + end - start, 0)
  return { stream: '3fa084a712e0ac35', first, records, bytes, time: 0 }
}

const STREAM = '3fa084a712e0ac35'

test.each([0, 8, 98, 9_998, 2 ** 53 - 20])('ids from %i on are those of the records', first => {
  const batch = batchOf(
    Array.from({ length: 15 }, () => '{}'),
    first
  )
  const ids = new IdBytes(batch)
  for (let i = 0; i < 15; i++) {
    const target = Buffer.alloc(64)
    expect(target.toString('latin1', 0, ids.writeTo(target, 0))).toBe(idOf(batch, i))
    ids.next()
  }
})

test.each([
  ['{"level":30,"name":"orders","n":1}', 'orders'],
  ['{"a":{"name":"inner"},"name":"outer"}', 'outer'],
  ['{"a":["name","x"],"b":"name","name" : "spaced"}', 'spaced'],
  ['{"a":"\\"name\\":\\"quoted\\"","name":"real"}', 'real'],
  ['{"name":"with \\"quotes\\" and \\u00e4"}', 'with "quotes" and ä'],
  ['{"name":"ünïcode ✓"}', 'ünïcode ✓'],
  ['{"name":""}', ''],
  ['{"name":7}', null],
  ['{"a":{"name":"inner"}}', null],
  ['{"a":"name"}', null],
  ['{}', null],
  ['{"name":"cut of', null],
  ['{"name":', null],
  ['{"name', null],
  ['plain "name":"no"', null]
])('the name of %s is %s', (text, name) => {
  const names = new NameFinder()
  expect(names.find(recordOf(text)) ? names.data.toString('utf8', names.start, names.end) : null).toBe(name)
})

test('names are found as JSON.parse finds them', () => {
  const names = new NameFinder()
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom('name', 'a', '"', 'Name', 'b'), fc.jsonValue()), fields => {
      const { name } = fields
      const found = names.find(recordOf(JSON.stringify(fields)))
      expect(found ? names.data.toString('utf8', names.start, names.end) : null).toBe(
        typeof name === 'string' ? Buffer.from(name).toString() : null
      )
    })
  )
})

test('objects get the id, text becomes an object, and nothing else is changed', () => {
  const batch = batchOf(['{"n":1}', '{}', '{ }', 'text "quoted"', '{"a":{}}'], 8)
  const lines = asObjects(batch, 'log_id', 0x0a).toString()
  expect(lines.split('\n')).toEqual([
    `{"log_id":"${STREAM}-8","n":1}`,
    `{"log_id":"${STREAM}-9"}`,
    `{"log_id":"${STREAM}-10" }`,
    `{"log_id":"${STREAM}-11","record":"text \\"quoted\\""}`,
    `{"log_id":"${STREAM}-12","a":{}}`,
    ''
  ])
  expect(asObjects(batch, null, 0x2c).toString()).toBe('{"n":1},{},{ },{"record":"text \\"quoted\\""},{"a":{}},')
})

// Kafka's batches, read by kafkajs's consumer.

const requirePackage = createRequire(import.meta.url)
const Decoder = requirePackage('kafkajs/src/protocol/decoder') as new (bytes: Buffer) => object
const decode = requirePackage('kafkajs/src/protocol/recordBatch/v0/decoder') as (from: object) => Promise<{
  producerId: string
  producerEpoch: number
  firstSequence: number
  lastOffsetDelta: number
  records: { offset: string; key: Buffer; value: Buffer; headers: { id: Buffer } }[]
}>

function filled(texts: readonly string[], first = 0): { batch: Batch; to: PartitionBatch } {
  const batch = batchOf(texts, first)
  const to = new PartitionBatch()
  const ids = new IdBytes(batch)
  for (const record of batch.records) {
    to.add(Buffer.from('key'), record, ids)
    ids.next()
  }
  return { batch, to }
}

for (const packed of [false, true])
  test(`a batch says what the records say, ${packed ? 'packed' : 'as it is'}`, async () => {
    const texts = ['', 'x', 'y'.repeat(63), 'z'.repeat(64), '✓'.repeat(3_000), 'w'.repeat(300_000)]
    const all = [...texts, ...Array.from({ length: 200 }, (_, i) => `{"n":${i}}`)]
    const { batch, to } = filled(all, 95)
    const codec = packed ? 1 : 0
    const bytes = to.finish({ id: 12n, epoch: 3 }, 77, codec, packed ? gzipSync(to.records) : null)
    expect(bytes.readUInt32BE(17)).toBe(crc32c(bytes, 0, 21))
    const read = await decode(new Decoder(bytes))
    expect(read).toMatchObject({ producerId: '12', producerEpoch: 3, firstSequence: 77, lastOffsetDelta: 205 })
    expect(read.records.map(({ offset }) => Number(offset))).toEqual(all.map((_, i) => i))
    expect(read.records.map(({ value }) => value.toString())).toEqual(all)
    expect(read.records.map(({ headers }) => headers.id.toString())).toEqual(all.map((_, i) => idOf(batch, i)))
    expect(new Set(read.records.map(({ key }) => key.toString()))).toEqual(new Set(['key']))
  })

test('a batch that was cleared is filled anew', async () => {
  const { batch, to } = filled(['a', 'b'])
  to.clear()
  to.add(Buffer.from('k'), batch.records[1]!, new IdBytes(batch))
  const read = await decode(new Decoder(to.finish({ id: -1n, epoch: -1 }, 0, 0, null)))
  expect(read.records.map(({ value }) => value.toString())).toEqual(['b'])
})

test('requests name topic and partitions; answers tell the error of each', () => {
  const body = produceRequest({ topic: 'tö', acks: -1, timeout: 9 }, [{ partition: 4, batch: Buffer.from('batch') }])
  expect(body.toString('hex')).toBe('ffffffff000000090000000100037' + '4c3b60000000100000004000000056261746368')
  const answer = (version: number): Buffer => {
    const partition = (id: number, code: number): Buffer => {
      const bytes = Buffer.alloc(version >= 5 ? 30 : 22)
      bytes.writeInt32BE(id)
      bytes.writeInt16BE(code, 4)
      return bytes
    }
    const head = Buffer.from([0, 0, 0, 1, 0, 1, 0x74, 0, 0, 0, 2])
    return Buffer.concat([head, partition(4, 0), partition(9, 10), Buffer.from([0, 0, 0, 50])])
  }
  const errors = new Map([
    [4, 0],
    [9, 10]
  ])
  expect(produceAnswer(answer(7), 7)).toEqual({ errors, clientSideThrottleTime: 50 })
  expect(produceAnswer(answer(3), 3)).toEqual({ errors, clientSideThrottleTime: 0 })
  expect(() => produceAnswer(answer(7).subarray(0, 20), 7)).toThrow(RangeError)
})
