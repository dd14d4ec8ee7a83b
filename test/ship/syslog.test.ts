import { execFileSync, spawn, spawnSync } from 'node:child_process'
import dgram from 'node:dgram'
import { once } from 'node:events'
import fs from 'node:fs'
import net, { type AddressInfo } from 'node:net'
import path from 'node:path'
import tls from 'node:tls'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Shipper } from '../../lib/ship/shipper'
import { SyslogFrames, SyslogSink, syslogMessage } from '../../lib/ship/syslog'
import fc from '../support/random'
import { lines, optionsFor, shipAll, temporaryFolder, upTo } from './support'

let folder: string
beforeEach(() => {
  folder = temporaryFolder()
})
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }))

const log = (): string => path.join(folder, 'app.log')

/** Frames with octet counts. */
function framesOf(bytes: Buffer): string[] {
  const frames: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const space = bytes.indexOf(' ', at)
    const length = Number(bytes.toString('latin1', at, space))
    frames.push(bytes.toString('utf8', space + 1, space + 1 + length))
    at = space + 1 + length
  }
  return frames
}

const MESSAGE = /^<(\d+)>1 (\S+) (\S+) (\S+) (\S+) - \[shardlog@32473 stream="([0-9a-f]{16})" sequence="(\d+)"\] (.*)$/s

test('messages over TCP have octet counts, level, time, logger and id', async () => {
  const received: Buffer[] = []
  const server = net.createServer(socket =>
    socket.on('data', chunk => received.push(chunk)).on('end', () => socket.end())
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const record = {
    level: 50,
    time: 1_700_000_000_123,
    pid: 7,
    hostname: 'host 1',
    name: 'orders',
    msg: 'zweiundvierzig ✓'
  }
  fs.writeFileSync(log(), `${JSON.stringify(record)}\nplain\n`)
  await shipAll(optionsFor(folder), new SyslogSink({ port: (server.address() as AddressInfo).port, facility: 1 }))
  server.close()
  const [first, second] = framesOf(Buffer.concat(received)).map(frame => MESSAGE.exec(frame)!)
  expect(first!.slice(1, 6)).toEqual(['11', '2023-11-14T22:13:20.123Z', 'host1', 'orders', '7'])
  expect(first!.slice(7)).toEqual(['0', JSON.stringify(record)])
  expect(second!.slice(1, 2)).toEqual(['14'])
  expect(second!.slice(4, 6)).toEqual(['shardlog', '-'])
  expect(second!.slice(7)).toEqual(['1', 'plain'])
})

test('what was not read to its end is sent again', async () => {
  const received: Buffer[][] = []
  const server = net.createServer(socket => {
    const chunks: Buffer[] = []
    const number = received.push(chunks)
    socket.on('error', () => undefined)
    socket.on('data', chunk => {
      chunks.push(chunk)
      // The first ones are reset in the middle, one is closed before its end.
      if (number <= 2) socket.resetAndDestroy()
      else if (number === 3) socket.end()
    })
    socket.on('end', () => socket.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  fs.writeFileSync(log(), lines(0, 20_000))
  const options = optionsFor(folder, { batchSize: 20_000, batchBytes: 1 << 24, timeout: 2_000 })
  await shipAll(options, new SyslogSink({ port: (server.address() as AddressInfo).port }))
  server.close()
  const last = framesOf(Buffer.concat(received.at(-1)!)).map(frame => Number(MESSAGE.exec(frame)![7]))
  expect(last).toEqual(upTo(20_000))
})

test('messages that are not parsed for it are those that are', () => {
  const values = fc.oneof(
    fc.nat(),
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.string(),
    fc.constantFrom(
      'a b',
      'ünïcode',
      '',
      null,
      true,
      -1,
      30,
      1_700_000_000_123,
      8.64e15,
      '2024-01-31T12:00:00Z',
      [],
      {}
    )
  )
  const keys = ['level', 'time', 'pid', 'hostname', 'name', 'msg']
  const usual = fc.record({
    level: fc.constantFrom(10, 30, 50),
    time: fc.nat({ max: 2e12 }),
    pid: fc.nat(),
    hostname: fc.string(),
    name: fc.string(),
    msg: fc.string()
  })
  const any = fc.dictionary(fc.constantFrom(...keys), values)
  const options = { facility: 3 }
  fc.assert(
    fc.property(fc.array(fc.oneof(usual, any, fc.constant('text')), { maxLength: 20 }), all => {
      const records = all.map(one => {
        const data = Buffer.from(typeof one === 'string' ? one : JSON.stringify(one))
        return { data, start: 0, end: data.length }
      })
      const batch = { stream: '3fa084a712e0ac35', first: 98, records, bytes: 0, time: 5 }
      const parsed = records.map((record, i) =>
        syslogMessage(record, { stream: batch.stream, sequence: 98 + i, time: 5 }, options).toString()
      )
      expect(framesOf(new SyslogFrames(options).of(batch))).toEqual(parsed)
    })
  )
})

test('over TLS, to a server whose certificate is trusted', async () => {
  const [key, cert] = [path.join(folder, 'key.pem'), path.join(folder, 'cert.pem')]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', key, '-out', cert, '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
    ],
    { stdio: 'ignore' }
  )
  const received: Buffer[] = []
  const server = tls.createServer({ key: fs.readFileSync(key), cert: fs.readFileSync(cert) }, socket => {
    socket.on('data', chunk => received.push(chunk)).on('end', () => socket.end())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  fs.writeFileSync(log(), lines(0, 300))
  const problems: Error[] = []
  await shipAll(
    optionsFor(folder, { batchSize: 150 }),
    new SyslogSink({ port, protocol: 'tls', tls: { ca: cert } }),
    problems
  )
  expect(problems).toEqual([])
  expect(framesOf(Buffer.concat(received)).map(frame => Number(MESSAGE.exec(frame)![7]))).toEqual(upTo(300))
  fs.appendFileSync(log(), lines(300, 301))
  const untrusted: Error[] = []
  const options = optionsFor(folder, { closeTimeout: 1 })
  const shipper = await Shipper.start(options, new SyslogSink({ port, protocol: 'tls' }), error =>
    untrusted.push(error)
  )
  await expect.poll(() => untrusted.length).toBeGreaterThan(0)
  await shipper.close()
  expect(untrusted[0]!.message).toContain('self-signed')
  server.close()
})

test('over UDP each record is a datagram; what is too long is set aside', async () => {
  const server = dgram.createSocket('udp4')
  const received: string[] = []
  server.on('message', message => received.push(message.toString()))
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  fs.writeFileSync(log(), `${lines(0, 5)}{"long":"${'x'.repeat(70_000)}"}\n${lines(6, 8)}`)
  await shipAll(optionsFor(folder), new SyslogSink({ port: server.address().port, protocol: 'udp' }))
  await expect.poll(() => new Set(received.map(message => MESSAGE.exec(message)![7])).size).toBe(7)
  expect(fs.readFileSync(path.join(folder, 'app.dead'), 'utf8')).toContain('too many for a datagram')
  server.close()
})

const hasRsyslog = spawnSync('rsyslogd', ['-v'], { stdio: 'ignore' }).status === 0

test.runIf(hasRsyslog)(
  `rsyslog takes the messages${hasRsyslog ? '' : ': left out, rsyslogd is not installed'}`,
  async () => {
    const probe = net.createServer().listen(0, '127.0.0.1')
    await once(probe, 'listening')
    const { port } = probe.address() as AddressInfo
    probe.close()
    await once(probe, 'close')
    const out = path.join(folder, 'out')
    const config = path.join(folder, 'rsyslog.conf')
    fs.writeFileSync(
      config,
      [
        'global(maxMessageSize="64k")',
        'module(load="imtcp")',
        `input(type="imtcp" address="127.0.0.1" port="${port}")`,
        'template(name="t" type="string" string="%syslogseverity% %app-name% %structured-data% %msg%\\n")',
        `action(type="omfile" file="${out}" template="t")`,
        ''
      ].join('\n')
    )
    const daemon = spawn('rsyslogd', ['-n', '-f', config, '-i', path.join(folder, 'pid')], { stdio: 'ignore' })
    try {
      fs.writeFileSync(
        log(),
        upTo(3000)
          .map(
            n =>
              `${JSON.stringify({ level: 40, time: 1_700_000_000_000 + n, name: 'orders', n, msg: 'a "quoted" one' })}\n`
          )
          .join('')
      )
      await shipAll(optionsFor(folder), new SyslogSink({ port }))
      const read = (): string[] => (fs.existsSync(out) ? fs.readFileSync(out, 'utf8').trimEnd().split('\n') : [])
      await expect.poll(() => read().length, { timeout: 20_000 }).toBe(3000)
      const parsed = read().map(
        line => /^4 orders \[shardlog@32473 stream="\w+" sequence="(\d+)"\] ?(\{.*\})$/.exec(line)!
      )
      expect(parsed.map(match => Number(match[1]))).toEqual(upTo(3000))
      expect(parsed.map(match => (JSON.parse(match[2]!) as { n: number }).n)).toEqual(upTo(3000))
    } finally {
      daemon.kill('SIGKILL')
      await once(daemon, 'exit')
    }
  }
)
