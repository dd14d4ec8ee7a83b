import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import zlib from 'node:zlib'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Shipper } from '../../lib/ship/shipper'
import { readState } from '../../lib/ship/state'
import { packageRoot } from '../support/shardlog'
import { Kept, lines, numbersOf, optionsFor, shipAll, temporaryFolder, upTo } from './support'

const shardlog = require(packageRoot) as typeof import('../../lib/public')
const cli = path.join(packageRoot, 'dist', 'cli', 'main.js')

let folder: string
let server: http.Server
let url: string
let received: { log_id: string; n?: number }[]

beforeEach(async () => {
  folder = temporaryFolder()
  received = []
  server = http.createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      for (const line of zlib.gunzipSync(Buffer.concat(chunks)).toString().trimEnd().split('\n'))
        received.push(JSON.parse(line) as { log_id: string })
      response.end('{}')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
  fs.rmSync(folder, { recursive: true, force: true })
})

const at = (name: string): string => path.join(folder, name)
const remote = (more: object = {}): object => ({
  appenders: { far: { type: 'Http', url, file_name: at('app.log'), flush_interval: 0.05, ...more } }
})

test('records of a configured logger arrive; a flush waits for that without async_send', async () => {
  const logging = shardlog.configure(remote({ async_send: false }))
  const log = logging.getLogger('orders.api')
  for (const n of upTo(100)) log.info({ n })
  await logging.flush()
  expect(received.map(({ n }) => n)).toEqual(upTo(100))
  await expect.poll(() => logging.stats().far).toMatchObject({ shipped: 100, lagBytes: 0, shipping: 'worker', gaps: 0 })
  expect(log.metrics()).toContain(`shardlog_ship_records_total{path="${at('app.log')}",appender="far"} 100`)
  await logging.close()
})

test('an application starts, logs and ends with nobody at the other side', async () => {
  server.close()
  const logging = shardlog.configure(remote({ close_timeout: 0.1 }), { onError: () => undefined })
  const log = logging.getLogger()
  for (const n of upTo(50)) log.info({ n })
  await logging.flush()
  await logging.close()
  expect(fs.readFileSync(at('app.log'), 'utf8').trimEnd().split('\n')).toHaveLength(50)
})

test('a reload with other options goes on with the same cursor', async () => {
  const logging = shardlog.configure(remote(), { onError: () => undefined })
  const log = logging.getLogger()
  for (const n of upTo(20)) log.info({ n })
  logging.reload(remote({ headers: { 'x-more': '1' }, async_send: false }))
  for (const n of upTo(20)) log.info({ n: 20 + n })
  await expect.poll(() => new Set(received.map(record => record.n)).size, { timeout: 15_000 }).toBe(40)
  await logging.close()
  expect(new Map(received.map(record => [record.log_id, record.n])).size).toBe(40)
})

test('shardlog ship ships what another program writes, and tells how far', async () => {
  const config = at('ship.yaml')
  fs.writeFileSync(config, `appenders:\n  far:\n    type: Http\n    url: ${url}\n    fileName: ${at('app.log')}\n`)
  fs.writeFileSync(at('app.log'), lines(0, 500))
  const run = spawn(process.execPath, [cli, 'ship', '--once', config])
  expect((await once(run, 'exit'))[0]).toBe(0)
  expect(received.map(({ n }) => n)).toEqual(upTo(500))
  fs.appendFileSync(at('app.log'), lines(500, 501))
  const status = JSON.parse(
    execFileSync(process.execPath, [cli, 'ship', '--status', '--json', config], { encoding: 'utf8' })
  ) as object
  expect(status).toMatchObject({ name: 'far', records: 500, lagBytes: 10, pid: null, gaps: 0 })
  const text = execFileSync(process.execPath, [cli, 'ship', '--status', config], { encoding: 'utf8' })
  expect(text).toContain('500 records shipped, 10 bytes behind')
  const metrics = execFileSync(process.execPath, [cli, 'metrics', at('.app.log.far.cursor')], { encoding: 'utf8' })
  expect(metrics).toContain('shardlog_ship_lag_bytes{')
  const daemon = spawn(process.execPath, [cli, 'ship', config])
  await expect.poll(() => received.length, { timeout: 20_000 }).toBe(501)
  const second = spawnSync(process.execPath, [cli, 'ship', '--once', config], { encoding: 'utf8' })
  expect(second.status).toBe(1)
  expect(second.stderr).toContain('in use by another shipper')
  daemon.kill('SIGTERM')
  expect((await once(daemon, 'exit'))[0]).toBe(0)
  expect((await readState(at('.app.log.far.cursor')))?.clean).toBe(true)
})

test('wrong usage and wrong options are told', () => {
  const config = at('ship.yaml')
  fs.writeFileSync(
    config,
    'appenders:\n  far:\n    type: Http\n    url: nowhere\n    fileName: a.log\n    batch_bytes: many\n'
  )
  const { status, stderr } = spawnSync(process.execPath, [cli, 'ship', config], { encoding: 'utf8' })
  expect(status).toBe(1)
  expect(stderr).toContain('url')
  expect(stderr).toContain('batch_bytes')
  fs.writeFileSync(config, 'appenders:\n  near:\n    type: Console\n')
  const none = spawnSync(process.execPath, [cli, 'ship', config], { encoding: 'utf8' })
  expect(none.status).toBe(2)
  expect(none.stderr).toContain('has no remote appender')
})

test('blocks are shipped as lines are, over a resume in the middle of one', async () => {
  const log = new shardlog.Logger({ logFilePath: at('app.log'), bufferSize: 1 << 20, numShards: 1 })
  for (const n of upTo(1000)) log.log(`{"n":${n}}`)
  await log.flush()
  const kept = new Kept()
  let sent = 0
  const half = {
    ...kept,
    target: 'half',
    send: (batch: Parameters<Kept['send']>[0]) => kept.send(batch),
    close: () => kept.close()
  }
  const shipper = await Shipper.start(
    optionsFor(folder, { batchSize: 300, closeTimeout: 1 }),
    {
      ...half,
      // It takes one batch, and is stopped behind it.
      send: batch => (sent++ === 0 ? kept.send(batch) : new Promise(() => undefined))
    },
    () => undefined
  )
  await expect.poll(() => sent).toBe(2)
  await Promise.race([shipper.close(), new Promise(resolve => setTimeout(resolve, 500))])
  expect(numbersOf(kept.order)).toEqual(upTo(300))
  const state = (await readState(at('.app.log.cursor')))!
  expect(state.current).toMatchObject({ skip: 300 })
  fs.rmSync(at('.app.log.cursor.lock'), { force: true })
  for (const n of upTo(500)) log.log(`{"n":${1000 + n}}`)
  await log.close()
  await shipAll(optionsFor(folder, { cursor: at('.app.log.cursor') }), kept)
  expect(numbersOf(kept.order)).toEqual(upTo(1500))
  expect(kept.repeats).toBe(0)
})

test('a rotated file that is deleted before it was shipped is a gap', async () => {
  const problems: Error[] = []
  const kept = new Kept()
  let stalled = true
  const sink = {
    ...kept,
    target: 'slow',
    close: () => kept.close(),
    send: async (batch: Parameters<Kept['send']>[0]) => {
      while (stalled) await new Promise(resolve => setTimeout(resolve, 5))
      await kept.send(batch)
    }
  }
  fs.writeFileSync(at('app.log'), lines(0, 1000))
  const shipper = await Shipper.start(optionsFor(folder, { batchSize: 10 }), sink, error => problems.push(error))
  await new Promise(resolve => setTimeout(resolve, 100))
  fs.renameSync(at('app.log'), at('app.log.2'))
  fs.writeFileSync(at('app.log.1'), lines(1000, 1100))
  fs.writeFileSync(at('app.log'), lines(1100, 1200))
  await new Promise(resolve => setTimeout(resolve, 1_500))
  fs.rmSync(at('app.log.1'))
  await expect.poll(() => problems.length, { timeout: 10_000 }).toBe(1)
  expect(problems[0]!.message).toContain('app.log.1 was deleted before its')
  stalled = false
  await shipper.flush()
  expect((await shipper.stats()).gaps).toBe(1)
  await shipper.close()
  expect(numbersOf(kept.order)).toEqual([...upTo(1000), ...upTo(100).map(n => 1100 + n)])
})
