import { createRequire } from 'node:module'
import { expect, test } from 'vitest'
import { encodeJson, encodeProtobuf, rejectedOf } from '../../lib/ship/otlp'
import type { Batch, ShipRecord } from '../../lib/ship/sink'

const record = (value: object | string): ShipRecord => {
  const data = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
  return { data, start: 0, end: data.length }
}
const failed = {
  level: 50,
  time: 1_700_000_000_123,
  pid: 7,
  hostname: 'h',
  name: 'a.b',
  msg: 'boom ✓',
  err: { type: 'TypeError', message: 'x', stack: 's' },
  n: -5,
  large: 2 ** 40,
  half: 1.5,
  deep: { list: [1, 'two', null, true] },
  trace_id: '0af7651916cd43dd8448eb211c80319c',
  span_id: 'b7ad6b7169203331',
  trace_flags: '01'
}
const many = Array.from({ length: 300 }, (_, n) => ({
  level: 30,
  time: 1_700_000_000_000 + n,
  name: 'c',
  msg: 'm'.repeat(n)
}))
const records = [record(failed), record('plain text'), ...many.map(record)]
const batch: Batch = { stream: 'abcdabcdabcdabcd', first: 10, records, bytes: 1, time: 0 }

/** Fields of a message as the wire has them, read without our code: numbers of fields to values. */
function fieldsOf(bytes: Buffer): Map<number, (Buffer | bigint)[]> {
  const fields = new Map<number, (Buffer | bigint)[]>()
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[at++]!
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }
  const take = (length: number): Buffer => {
    at += length
    return bytes.subarray(at - length, at)
  }
  while (at < bytes.length) {
    const tag = Number(varint())
    const type = tag & 7
    const value = type === 0 ? varint() : take(type === 1 ? 8 : type === 5 ? 4 : Number(varint()))
    fields.set(tag >> 3, [...(fields.get(tag >> 3) ?? []), value])
  }
  expect(at).toBe(bytes.length)
  return fields
}

const one = (bytes: Buffer, ...path: number[]): Buffer =>
  path.reduce((inner, field) => fieldsOf(inner).get(field)![0] as Buffer, bytes)

test('protobuf: scopes are runs of one logger, fields are where the protocol has them', () => {
  const resourceLogs = one(encodeProtobuf(batch, { 'service.name': 'shop' }), 1)
  expect(one(resourceLogs, 1, 1, 1).toString()).toBe('service.name')
  expect(one(resourceLogs, 1, 1, 2, 1).toString()).toBe('shop')
  const scopes = fieldsOf(resourceLogs).get(2) as Buffer[]
  expect(scopes.map(scope => fieldsOf(scope).get(2)!.length)).toEqual([1, 1, 300])
  expect(one(scopes[0]!, 1, 1).toString()).toBe('a.b')
  const log = fieldsOf(one(scopes[0]!, 2))
  expect((log.get(1)![0] as Buffer).readBigUInt64LE()).toBe(1_700_000_000_123_000_000n)
  expect(log.get(2)).toEqual([17n])
  expect(String(log.get(3)![0])).toBe('ERROR')
  expect(one(log.get(5)![0] as Buffer, 1).toString()).toBe('boom ✓')
  expect((log.get(8)![0] as Buffer).readUInt32LE()).toBe(1)
  expect((log.get(9)![0] as Buffer).toString('hex')).toBe(failed.trace_id)
  expect((log.get(10)![0] as Buffer).toString('hex')).toBe(failed.span_id)
  const attributes = new Map((log.get(6) as Buffer[]).map(pair => [one(pair, 1).toString(), fieldsOf(one(pair, 2))]))
  expect(attributes.get('log.record.uid')!.get(1)!.toString()).toBe('abcdabcdabcdabcd-10')
  expect(BigInt.asIntN(64, attributes.get('n')!.get(3)![0] as bigint)).toBe(-5n)
  expect(attributes.get('large')!.get(3)).toEqual([1n << 40n])
  expect((attributes.get('half')!.get(4)![0] as Buffer).readDoubleLE()).toBe(1.5)
  expect(attributes.get('exception.type')!.get(1)!.toString()).toBe('TypeError')
  const bodies = (fieldsOf(scopes[2]!).get(2) as Buffer[]).map(each => one(each, 5, 1).toString())
  expect(bodies).toEqual(many.map(({ msg }) => msg))
})

// The package is not among those that the project installs.
const transformer = '@opentelemetry/otlp-transformer/build/src/generated/root'
const find = createRequire(__filename)
const isInstalled = ((): boolean => {
  try {
    find.resolve(transformer)
    return true
  } catch {
    return false
  }
})()

test.runIf(isInstalled)(
  `the official package decodes it${isInstalled ? '' : ': left out, @opentelemetry/otlp-transformer is not installed'}`,
  () => {
    const root = find(transformer)
    const type = root.opentelemetry.proto.collector.logs.v1.ExportLogsServiceRequest
    const decoded = type.toObject(type.decode(encodeProtobuf(batch, {})), { longs: String, bytes: String })
    expect(decoded.resourceLogs[0].scopeLogs).toHaveLength(3)
    expect(decoded.resourceLogs[0].scopeLogs[0].logRecords[0]).toMatchObject({
      timeUnixNano: '1700000000123000000',
      body: { stringValue: 'boom ✓' }
    })
  }
)

test('JSON: the same, as the protocol writes it', () => {
  const { resourceLogs } = JSON.parse(encodeJson(batch, { 'service.name': 'shop' }).toString()) as {
    resourceLogs: { scopeLogs: { scope: object; logRecords: object[] }[] }[]
  }
  const [first, plain] = resourceLogs[0]!.scopeLogs
  expect(first!.scope).toEqual({ name: 'a.b' })
  expect(first!.logRecords[0]).toMatchObject({
    timeUnixNano: '1700000000123000000',
    severityNumber: 17,
    traceId: failed.trace_id,
    flags: 1,
    body: { stringValue: 'boom ✓' }
  })
  expect(plain!.logRecords[0]).toMatchObject({ body: { stringValue: 'plain text' }, severityNumber: 9 })
})

test('answers tell how many were rejected', () => {
  expect(rejectedOf(Buffer.from([0x0a, 0x07, 0x08, 0x96, 0x01, 0x12, 0x02, 0x6e, 0x6f]), 'protobuf')).toEqual({
    count: 150,
    reason: 'no'
  })
  expect(rejectedOf(Buffer.alloc(0), 'protobuf')).toEqual({ count: 0, reason: '' })
  expect(rejectedOf(Buffer.from('{}'), 'json')).toEqual({ count: 0, reason: '' })
  expect(rejectedOf(Buffer.from('ok'), 'json')).toEqual({ count: 0, reason: '' })
})
