import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import path from 'node:path'
import zlib from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { HttpSink, retryAfterOf } from '../../lib/ship/http'
import { OtlpSink } from '../../lib/ship/otlp'
import { Shipper } from '../../lib/ship/shipper'
import { lines, numbersOf, optionsFor, shipAll, temporaryFolder, upTo } from './support'

type Fault = (request: http.IncomingMessage, response: http.ServerResponse, body: Buffer) => 'taken' | 'refused'

/** A collector that keeps what it has taken, by id; each request has the next fault, or none. */
class Collector {
  readonly records = new Map<string, string>()
  readonly order: string[] = []
  readonly bodies: Buffer[] = []
  readonly headers: http.IncomingHttpHeaders[] = []
  repeats = 0
  faults: (Fault | null)[] = []
  /** Of all requests that have no other. */
  rule: Fault | null = null
  private readonly sockets = new Set<Socket>()
  private readonly server: http.Server

  constructor() {
    this.server = http.createServer((request, response) => this.serve(request, response))
    this.server.on('connection', socket => {
      this.sockets.add(socket)
      socket.on('close', () => this.sockets.delete(socket))
    })
  }

  async listen(port = 0): Promise<string> {
    await new Promise<void>(resolve => this.server.listen(port, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/in`
  }

  private serve(request: http.IncomingMessage, response: http.ServerResponse): void {
    const chunks: Buffer[] = []
    request.on('error', () => undefined)
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const packed = Buffer.concat(chunks)
      const body = request.headers['content-encoding'] === 'gzip' ? zlib.gunzipSync(packed) : packed
      this.headers.push(request.headers)
      const fault = this.faults.shift() ?? this.rule
      if ((fault?.(request, response, body) ?? 'taken') === 'taken') this.take(body)
      if (!fault) response.end('{}')
    })
  }

  private take(body: Buffer): void {
    this.bodies.push(body)
    if (!body.subarray(0, 1).equals(Buffer.from('{'))) return
    for (const line of body.toString().trimEnd().split('\n')) {
      const { log_id: id, ...rest } = JSON.parse(line) as { log_id: string }
      const text = JSON.stringify(rest)
      if (this.records.has(id)) {
        expect(this.records.get(id)).toBe(text)
        this.repeats++
      } else {
        this.records.set(id, text)
        this.order.push(text)
      }
    }
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy()
    await new Promise(resolve => this.server.close(resolve))
  }
}

const answer =
  (status: number, headers: Record<string, string> = {}): Fault =>
  (_request, response) => {
    response.writeHead(status, headers).end('no')
    return 'refused'
  }
/** The batch is taken, and the connection reset before anything is said. */
const resetBehind: Fault = request => {
  request.socket.resetAndDestroy()
  return 'taken'
}
const resetBefore: Fault = request => {
  request.socket.resetAndDestroy()
  return 'refused'
}
const halfAnswer: Fault = (request, response) => {
  response.writeHead(200, { 'content-length': '100' })
  response.write('{"half')
  setTimeout(() => request.socket.destroy(), 5)
  return 'taken'
}
const silence: Fault = () => 'taken'

let folder: string
let collector: Collector
let url: string

beforeEach(async () => {
  folder = temporaryFolder()
  collector = new Collector()
  url = await collector.listen()
})
afterEach(async () => {
  await collector.close()
  fs.rmSync(folder, { recursive: true, force: true })
})

const log = (): string => path.join(folder, 'app.log')

test('batches arrive packed, with ids in each record and in the headers', async () => {
  fs.writeFileSync(log(), lines(0, 150))
  await shipAll(optionsFor(folder), new HttpSink({ url, headers: { authorization: 'Bearer x' } }))
  expect(numbersOf(collector.order)).toEqual(upTo(150))
  expect(collector.headers[1]).toMatchObject({
    'content-encoding': 'gzip',
    'content-type': 'application/x-ndjson',
    authorization: 'Bearer x',
    'x-shardlog-sequence': '100',
    'x-shardlog-records': '50'
  })
  expect([...collector.records.keys()][120]).toBe(`${collector.headers[0]!['x-shardlog-stream']}-120`)
})

test('an array, without packing and ids; what is no JSON is wrapped', async () => {
  const bytes = Buffer.concat([Buffer.from('{"a":1}\nplain "text"\n{}\n'), Buffer.from([0x78, 0xff, 0xfe, 0x0a])])
  fs.writeFileSync(log(), bytes)
  await shipAll(optionsFor(folder), new HttpSink({ url, format: 'json', compression: 'none', idField: false }))
  expect(JSON.parse(collector.bodies[0]!.toString())).toEqual([
    { a: 1 },
    { record: 'plain "text"' },
    {},
    { record_base64: Buffer.from([0x78, 0xff, 0xfe]).toString('base64') }
  ])
})

test('resets, half answers, silence, 429, 500: all arrives, repeats have their ids', async () => {
  const faults = [
    resetBehind,
    resetBefore,
    halfAnswer,
    answer(500),
    silence,
    answer(429, { 'retry-after': '0' }),
    answer(401),
    answer(503)
  ]
  collector.faults = [...faults, null, ...faults, null, null, ...faults]
  fs.writeFileSync(log(), lines(0, 2000))
  const problems: Error[] = []
  await shipAll(optionsFor(folder, { timeout: 100 }), new HttpSink({ url }), problems)
  expect(numbersOf(collector.order)).toEqual(upTo(2000))
  expect(collector.repeats).toBeGreaterThan(0)
  expect(problems.some(({ message }) => message.includes('answered 500: no'))).toBe(true)
  expect(problems.some(({ message }) => message.includes('no answer in time'))).toBe(true)
  expect(fs.existsSync(path.join(folder, 'app.dead'))).toBe(false)
})

test('413 and 400 split a batch; what is refused alone is set aside', async () => {
  collector.rule = (_request, response, body) => {
    const count = body.toString().trimEnd().split('\n').length
    const status = count > 10 ? 413 : body.includes('"n":33}') ? 400 : 200
    response.writeHead(status).end('{}')
    return status === 200 ? 'taken' : 'refused'
  }
  fs.writeFileSync(log(), lines(0, 300))
  await shipAll(optionsFor(folder), new HttpSink({ url }))
  expect(numbersOf(collector.order)).toEqual(upTo(300).filter(n => n !== 33))
  expect(fs.readFileSync(path.join(folder, 'app.dead'), 'utf8')).toContain('"record":"{\\"n\\":33}"')
})

test('one that resets whatever is large gets smaller batches', async () => {
  collector.rule = (request, response, body) => {
    if (body.length > 2_000) return resetBefore(request, response, body)
    response.end('{}')
    return 'taken'
  }
  fs.writeFileSync(log(), lines(0, 300))
  await shipAll(optionsFor(folder), new HttpSink({ url, compression: 'none' }))
  expect(numbersOf(collector.order)).toEqual(upTo(300))
})

test('Retry-After is understood, as seconds and as a date', async () => {
  expect(retryAfterOf('2')).toBe(2000)
  expect(retryAfterOf('Thu, 01 Jan 1970 00:00:10 GMT', 4_000)).toBe(6_000)
  expect(retryAfterOf('soon')).toBeUndefined()
  collector.faults = [
    answer(429, { 'retry-after': '7' }),
    answer(503, { 'retry-after': '8' }),
    answer(500, { 'retry-after': '9' })
  ]
  const sink = new HttpSink({ url })
  const data = Buffer.from('{}')
  const batch = { stream: 'a', first: 0, records: [{ data, start: 0, end: 2 }], bytes: 2, time: 0 }
  const send = (): Promise<void> => sink.send(batch, new AbortController().signal)
  await expect(send()).rejects.toMatchObject({ retryAfter: 7_000, refused: false })
  await expect(send()).rejects.toMatchObject({ retryAfter: 8_000, refused: false })
  await expect(send()).rejects.toMatchObject({ retryAfter: undefined, refused: false })
  await sink.close()
})

test('a collector that is not there holds nothing up, and gets all when it comes', async () => {
  await collector.close()
  fs.writeFileSync(log(), lines(0, 50))
  const shipper = await Shipper.start(optionsFor(folder), new HttpSink({ url }), () => undefined)
  await expect.poll(async () => (await shipper.stats()).circuit).not.toBe('closed')
  const stats = await shipper.stats()
  expect(stats.lagBytes).toBe(fs.statSync(log()).size)
  expect(stats.lastError?.message).toContain('ECONNREFUSED')
  const came = new Collector()
  await came.listen(Number(new URL(url).port))
  fs.appendFileSync(log(), lines(50, 80))
  await shipper.flush()
  await shipper.close()
  expect(numbersOf(came.order)).toEqual(upTo(80))
  await came.close()
  collector = new Collector()
  await collector.listen()
})

test('Otlp: partial success is not sent again, but set aside as a whole', async () => {
  collector.rule = (_request, response) => {
    response.end(JSON.stringify({ partialSuccess: { rejectedLogRecords: '3', errorMessage: 'too old' } }))
    return 'taken'
  }
  fs.writeFileSync(log(), lines(0, 10))
  await shipAll(optionsFor(folder), new OtlpSink({ url, encoding: 'json' }))
  expect(collector.bodies).toHaveLength(1)
  const letters = fs.readFileSync(path.join(folder, 'app.dead'), 'utf8').trimEnd().split('\n')
  expect(letters).toHaveLength(10)
  expect(letters[0]).toContain('rejected 3 of these 10 records: too old')
})
