import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { Recorder, type RecorderOptions, readSnapshot } from '../../lib/public'
import { codec } from '../../lib/recorder/codec'
import type { Snapshot } from '../../lib/recorder/snapshot'
import { decodedByOthers, hasDecoder, needsDecoder } from '../support/other-decoder'
import { othersIn, snapshotsIn } from '../support/snapshots'
import { tempDir } from '../support/temp'

function open(options: RecorderOptions): Recorder {
  const recorder = new Recorder({ onCrash: false, ...options })
  onTestFinished(() => recorder.close())
  return recorder
}

/** Keeps what is said on stderr from the terminal, and returns it. */
function stderr(): string[] {
  const said: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation(text => said.push(String(text)) > 0)
  return said
}

const untilDone = async (recorder: Recorder, snapshots: number): Promise<void> => {
  await vi.waitFor(() => expect(recorder.stats.snapshots).toBe(snapshots), { timeout: 20_000, interval: 5 })
}

it('writes a file that says who, why and what', async () => {
  const directory = tempDir()
  const recorder = open({ directory, service: 'shop', path: false })
  recorder.record('info', 'cart', 'added', { sku: 'a-1', count: 2, price: 9.5 })
  const file = await recorder.snapshot('check/point ../1')
  expect(path.dirname(file)).toBe(directory)
  expect(path.basename(file)).toMatch(/^shardlog-\d+-\d{17}-check-point-..-1\.bin$/)
  expect(othersIn(directory)).toEqual([])
  const snapshot = readSnapshot(file)
  expect(snapshot).toMatchObject({
    service: 'shop',
    hostname: os.hostname(),
    pid: process.pid,
    reason: 'check/point ../1',
    versions: { node: process.versions.node },
    levels: { info: 30 },
    counters: { recorded: 1, overwritten: 0, dropped: 0, truncated: 0, damaged: 0 }
  })
  expect(snapshot.created_at).toBe(new Date(snapshot.created_at).toISOString())
  expect(snapshot.events).toEqual(recorder.takeSnapshot())
})

it.runIf(hasDecoder)(`is read by another decoder${needsDecoder}`, async () => {
  const recorder = open({ directory: tempDir(), path: false })
  for (let n = 0; n < 5000; n++)
    recorder.record('info', 't', 'm', { n, text: `tëxt ${n}`, real: n / 4, list: [n, null, true] })
  const file = await recorder.snapshot()
  const { events, ...rest } = readSnapshot(file)
  const expected = { ...rest, events: events.map(event => ({ ...event, time: String(event.time) })) }
  expect(decodedByOthers(file)).toEqual(expected)
})

it('has no surrogate that stands alone, which other decoders refuse', async () => {
  const recorder = open({ directory: tempDir(), path: false, service: 'cut \ud83d' })
  // Of the last two, one is a pair, and one is no escape.
  const texts = ['\ud800', 'a\udfffb', '\ud83d\ude00', '\\ud800']
  const fields = { 'key\udc00': 1, text: texts[1], list: texts, inner: { '\ud800': texts[3] } }
  recorder.record('info', 'target\ud800', 'message\udc00', fields)
  const file = await recorder.snapshot('reason \ud83d')
  const { service, reason, events } = readSnapshot(file)
  expect([service, reason]).toEqual(['cut \ufffd', 'reason \ufffd'])
  const list = ['\ufffd', 'a\ufffdb', '\ud83d\ude00', '\\ud800']
  expect(events).toMatchObject([{ target: 'target\ufffd', message: 'message\ufffd' }])
  expect(events[0]!.fields).toEqual({ 'key\ufffd': 1, text: list[1], list, inner: { '\ufffd': list[3] } })
  expect(recorder.takeSnapshot()).toMatchObject([{ message: 'message\udc00', fields }])
})

it('gives each of several of one reason a name', async () => {
  const directory = tempDir()
  const recorder = open({ directory, path: false })
  vi.spyOn(Date.prototype, 'toISOString').mockReturnValue('2026-01-02T03:04:05.006Z')
  const files = await Promise.all([1, 2, 3].map(() => recorder.snapshot('same')))
  expect(new Set(files).size).toBe(3)
  expect(snapshotsIn(directory).map(file => path.basename(file).replace(/^shardlog-\d+-/, ''))).toEqual([
    '20260102030405006-same-2.bin',
    '20260102030405006-same-3.bin',
    '20260102030405006-same.bin'
  ])
})

it('takes directory and name of the service from the environment where no option says them', async () => {
  const directory = tempDir()
  vi.stubEnv('SHARDLOG_SNAPSHOT_DIR', directory)
  vi.stubEnv('SHARDLOG_SERVICE_NAME', 'from-env')
  onTestFinished(() => void vi.unstubAllEnvs())
  const snapshot = readSnapshot(await open({ path: false }).snapshot())
  expect(snapshot.service).toBe('from-env')
  expect(snapshotsIn(directory)).toHaveLength(1)
  const other = tempDir()
  const file = await open({ path: false, directory: other, service: 'from-option' }).snapshot()
  expect(path.dirname(file)).toBe(other)
  expect(readSnapshot(file).service).toBe('from-option')
})

it('takes one after a fatal event, but not of each in a row', () => {
  const directory = tempDir()
  const recorder = open({ directory, path: false })
  for (let i = 0; i < 5; i++) recorder.record('fatal', '', 'end')
  expect(snapshotsIn(directory)).toHaveLength(1)
  expect(readSnapshot(snapshotsIn(directory)[0]!)).toMatchObject({ reason: 'fatal', events: [{ message: 'end' }] })
})

it('takes those of an interval of what is new alone', async () => {
  const directory = tempDir()
  const recorder = open({ directory, path: false, interval: 20 })
  recorder.record('info', '', 'one')
  await untilDone(recorder, 1)
  recorder.record('info', '', 'two')
  recorder.record('info', '', 'three')
  await untilDone(recorder, 2)
  const told = snapshotsIn(directory).map(file => readSnapshot(file).events.map(event => event.message))
  expect(told).toEqual([['one'], ['two', 'three']])
  // What was told is still there.
  expect(recorder.takeSnapshot()).toHaveLength(3)
})

it('leaves out what is older than minAge', () => {
  const recorder = open({ path: false, minAge: 1000 })
  const at = (seconds: number) => BigInt(seconds) * 1_000_000_000n
  for (const seconds of [100, 200, 300, 300]) recorder.event().timestampNanos(at(seconds)).message('m').record()
  expect(recorder.takeSnapshot().map(event => event.time)).toEqual([at(300), at(300)])
})

it.each([
  [{ files: 3 }, 3],
  [{ bytes: 1 }, 1],
  [{ age: 3_600_000 }, 5],
  [false as const, 5]
])('keeps what the retention %j says', async (retention, left) => {
  const directory = tempDir()
  fs.writeFileSync(path.join(directory, 'shardlog-notes.bin'), 'not ours')
  const recorder = open({ directory, path: false, retention })
  const files: string[] = []
  for (let i = 0; i < 5; i++) files.push(await recorder.snapshot(`n${i}`))
  const present = files.filter(file => fs.existsSync(file))
  expect(present).toEqual(files.slice(-left))
  expect(fs.existsSync(path.join(directory, 'shardlog-notes.bin'))).toBe(true)
})

it('removes snapshots that are too old', async () => {
  const recorder = open({ directory: tempDir(), path: false, retention: { age: 60_000 } })
  const old = await recorder.snapshot('old')
  fs.utimesSync(old, 1000, 1000)
  const young = await recorder.snapshot('young')
  expect([fs.existsSync(old), fs.existsSync(young)]).toEqual([false, true])
})

it('says once that the directory cannot be had, counts, and goes on', async () => {
  const said = stderr()
  const parent = tempDir()
  const directory = path.join(parent, 'file')
  const recorder = open({ directory, path: false })
  fs.writeFileSync(directory, 'in its place')
  await expect(recorder.snapshot()).rejects.toMatchObject({ code: 'ERR_SHARDLOG_SNAPSHOT' })
  recorder.record('fatal', '', 'end')
  expect(said.filter(text => text.includes('cannot write the snapshot'))).toHaveLength(1)
  expect(recorder.stats).toMatchObject({
    snapshots: 0,
    snapshotErrors: 2,
    lastError: { code: 'ERR_SHARDLOG_SNAPSHOT' }
  })
  fs.rmSync(directory)
  // Gone is no harm: it is made.
  expect(readSnapshot(await recorder.snapshot()).events).toHaveLength(1)
})

it('leaves nothing half written where the disk is full', async () => {
  stderr()
  const directory = tempDir()
  const recorder = open({ directory, path: false })
  recorder.record('info', '', 'm')
  const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' })
  vi.spyOn(fs, 'writeSync').mockImplementation(() => {
    throw full
  })
  recorder.record('fatal', '', 'end')
  expect(recorder.stats.lastError).toMatchObject({ code: 'ERR_SHARDLOG_SNAPSHOT', errno: 'ENOSPC' })
  expect(fs.readdirSync(directory)).toEqual([])
})

it('keeps every key, also one that objects have of themselves', async () => {
  const fields = '{"__proto__":{"a":[{"__proto__":1}]},"__proto_":2,"constructor":3,"toString":"t"}'
  const recorder = open({ directory: tempDir(), path: false })
  recorder.record('info', 't', 'm', JSON.parse(fields))
  const [event] = readSnapshot(await recorder.snapshot()).events
  expect(JSON.stringify(event!.fields)).toBe(fields)
  expect(event!.fields).toBeInstanceOf(Object)
})

it('reads a file of somebody else, whatever it leaves out', () => {
  const { encode, compressSync } = codec()
  const file = path.join(tempDir(), 'a.bin')
  const written = (content: object): Snapshot => {
    fs.writeFileSync(file, compressSync(encode({ format: 'shardlog-snapshot', version: 1, ...content })))
    return readSnapshot(file)
  }
  const nothing = {
    service: '',
    hostname: '',
    pid: 0,
    reason: '',
    created_at: '',
    versions: {},
    levels: {},
    counters: { recorded: 0, overwritten: 0, drained: 0, dropped: 0, truncated: 0, damaged: 0 }
  }
  expect(written({ events: [] })).toEqual({ ...nothing, events: [], format: 'shardlog-snapshot', version: 1 })
  const wrong = { service: 1, hostname: [2], pid: 'x', reason: null, levels: 3, counters: { damaged: 'many' } }
  expect(written({ ...wrong, events: [] })).toMatchObject(nothing)
  const empty = { level: '', target: '', message: '', thread: 0, fields: {} }
  for (const time of [-5n, 0, 1.5, 2n ** 63n, 2n ** 70n])
    expect(written({ events: [{ time, thread: 'x', fields: [1] }] }).events).toEqual([{ ...empty, time: 0n }])
})

it('refuses what is no snapshot', () => {
  const file = path.join(tempDir(), 'a.bin')
  for (const bytes of [[], [1, 0, 0, 0], [255, 255, 255, 255, 0, 0], [5, 0, 0, 0, 0x50, 1, 2, 3, 4, 5]]) {
    fs.writeFileSync(file, Buffer.from(bytes))
    expect(() => readSnapshot(file)).toThrow(/is no snapshot/)
  }
})
