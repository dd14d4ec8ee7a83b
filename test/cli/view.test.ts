import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Recorder, readSnapshot } from '../../lib/public'
import { packageRoot } from '../support/shardlog'
import { start } from '../support/snapshots'
import { tempDir } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')

let directory: string

beforeEach(() => {
  directory = tempDir()
})

function shardlog(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', cwd: directory })
}

const at = (seconds: number): bigint => 1_764_419_926_000_000_000n + BigInt(seconds) * 1_000_000_000n

/** A snapshot of events at these seconds. */
async function snapshotOf(service: string, events: readonly [number, string, string, object?][]): Promise<string> {
  const recorder = new Recorder({ directory, service, path: false, onCrash: false, onFatal: false })
  onTestFinished(() => recorder.close())
  for (const [second, level, message, fields = {}] of events) {
    recorder.add({
      timestampNanos: at(second),
      level,
      target: 'db',
      message,
      fields: fields as Record<string, unknown>
    })
  }
  return recorder.snapshot('test')
}

const lines = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split('\n')
    .map(line => JSON.parse(line) as Record<string, unknown>)

const messages = (...args: string[]): unknown[] => {
  const { stdout } = shardlog('view', '--json', ...args)
  return stdout === '' ? [] : lines(stdout).map(line => line.message)
}

describe('shardlog view', () => {
  it('tells what is in a snapshot', async () => {
    const file = await snapshotOf('shop', [
      [0, 'info', 'start'],
      [1, 'info', 'query', { ms: 1 }],
      [61, 'warn', 'slow', { ms: 900 }],
      [62, 'info', 'query', { ms: 2 }]
    ])
    const { status, stdout, stderr } = shardlog('view', file)
    expect([status, stderr]).toEqual([0, ''])
    expect(stdout).toContain(`snapshot 'test' of shop, process ${process.pid}`)
    expect(stdout).toMatch(/events {4}4, 0\.0645 a second/)
    expect(stdout).toMatch(/levels {4}info 3, warn 1/)
    expect(stdout).toMatch(/gaps {6}60\.0 s from 2025-11-29T12:38:47\.000000000Z/)
    expect(stdout).toMatch(/ 2 {2}query\n/)
    const [json] = lines(shardlog('view', '--summary', '--json', file).stdout)
    expect(json).toMatchObject({
      events: 4,
      levels: [
        { name: 'info', count: 3 },
        { name: 'warn', count: 1 }
      ],
      distinctMessages: 3
    })
  })

  it('prints events as JSON and for a person, those of several files by time', async () => {
    const one = await snapshotOf('one', [
      [0, 'info', 'a', { n: 12345678901234567n }],
      [2, 'info', 'c']
    ])
    const two = await snapshotOf('two', [[1, 'error', 'b\u001b[2J', { text: 'x y', o: { k: 1 } }]])
    const log = path.join(directory, 'app.log')
    fs.writeFileSync(log, `{"level":40,"time":${Number(at(3)) / 1e6},"name":"web","msg":"d","userId":7}\nno JSON\n`)
    expect(messages(two, one, log)).toEqual(['a', 'b\u001b[2J', 'c', 'd', 'no JSON'])
    const [first, , , fourth] = lines(shardlog('view', '--json', two, one, log).stdout)
    expect(first).toEqual({
      time: '2025-11-29T12:38:46.000000000Z',
      level: 'info',
      target: 'db',
      message: 'a',
      fields: { n: '12345678901234567' },
      file: one,
      service: 'one',
      hostname: expect.any(String),
      pid: process.pid,
      thread: 0
    })
    expect(fourth).toMatchObject({ level: 'warn', target: 'web', fields: { userId: 7 }, file: log })
    const text = shardlog('view', '--list', two).stdout
    expect(text).toBe('2025-11-29T12:38:47.000000000Z ERROR db: bESC[2J text="x y" o={"k":1}\n')
  })

  it('filters', async () => {
    const file = await snapshotOf('shop', [
      [0, 'debug', 'one', { user: 'ann', nested: { id: 1 } }],
      [1, 'warn', 'two', { user: 'bob', big: 2n ** 60n }],
      [2, 'error', 'three', { user: 'anna', nested: { id: 2 } }]
    ])
    expect(messages('--level', 'warn', file)).toEqual(['two', 'three'])
    expect(messages('--target', 'db', file)).toHaveLength(3)
    expect(messages('--target', 'web', file)).toEqual([])
    expect(messages('--where', 'user=ann', file)).toEqual(['one'])
    expect(messages('--where', 'user~^ann', file)).toEqual(['one', 'three'])
    expect(messages('--where', 'user~^ann', '--where', 'nested.id=2', file)).toEqual(['three'])
    expect(messages('--where', `big=${2n ** 60n}`, file)).toEqual(['two'])
    expect(messages('--where', 'message=two', file)).toEqual(['two'])
    expect(messages('--where', 'service=shop', '--where', 'constructor=x', file)).toEqual([])
    expect(messages('--since', '2025-11-29T12:38:47Z', file)).toEqual(['two', 'three'])
    expect(messages('--until', String(at(1) / 1_000_000n), file)).toEqual(['one'])
  })

  it('refuses what it does not know', async () => {
    const file = await snapshotOf('shop', [[0, 'info', 'one']])
    expect(shardlog('view', '--level', 'wran', file)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('did you mean warn')
    })
    expect(shardlog('view', '--since', 'yesterday', file)).toMatchObject({ status: 2 })
    expect(shardlog('view', '--where', 'user', file)).toMatchObject({ status: 2 })
    expect(shardlog('view', '--where', 'user~(', file)).toMatchObject({ status: 2 })
    expect(shardlog('view', '--list', '--json', file)).toMatchObject({ status: 2 })
    expect(shardlog('view')).toMatchObject({ status: 2 })
  })

  it('tells times of what has some', () => {
    const file = path.join(directory, 'app.log')
    fs.writeFileSync(file, 'a line of text\n')
    expect(shardlog('view', file).stdout).toMatch(/^events +1\nno event has a time\nlevels /m)
    expect(shardlog('view', '--list', file).stdout).toMatch(/^- /)
    expect(JSON.parse(shardlog('view', '--json', file).stdout)).toMatchObject({ time: null })
    fs.appendFileSync(file, '{"level":30,"time":1764419926000,"msg":"one"}\n{"level":30,"msg":"two"}\n')
    fs.appendFileSync(file, '{"level":30,"time":1764419928000,"msg":"three"}\n')
    const [summary] = lines(shardlog('view', '--summary', '--json', file).stdout)
    expect(summary).toMatchObject({
      events: 4,
      first: '2025-11-29T12:38:46.000000000Z',
      last: '2025-11-29T12:38:48.000000000Z',
      rate: 2,
      gaps: [{ from: '2025-11-29T12:38:46.000000000Z', seconds: 2 }]
    })
  })

  it('says which file it cannot read, and shows the others', async () => {
    const file = await snapshotOf('shop', [[0, 'info', 'one']])
    const damaged = path.join(directory, 'damaged.bin')
    fs.writeFileSync(damaged, fs.readFileSync(file).subarray(0, -20))
    const { status, stdout, stderr } = shardlog('view', '--json', file, damaged, 'missing')
    expect(status).toBe(1)
    expect(lines(stdout)).toHaveLength(1)
    expect(stderr).toMatch(/damaged\.bin is no snapshot/)
    expect(stderr).toMatch(/cannot read missing/)
  })
})

describe('shardlog snapshot', () => {
  it('reads a log from a pipe, which gives its bytes once', () => {
    const line = '{"level":40,"time":1764419926000,"msg":"by a pipe"}'
    const command = `exec ${[process.execPath, main, 'view', '--list'].map(word => JSON.stringify(word)).join(' ')} <(echo '${line}')`
    const { stdout, status } = spawnSync('bash', ['-c', command], { encoding: 'utf8', cwd: directory })
    expect(stdout).toMatch(/WARN +by a pipe/)
    expect(status).toBe(0)
  })

  it('looks into a process that hangs, which goes on', async () => {
    const child = start('hangs', { directory, service: 'hanging' })
    await once(child.stdout, 'data')
    const { status, stdout } = shardlog('snapshot', '.hanging.recorder')
    expect(status).toBe(0)
    expect(readSnapshot(stdout.trimEnd())).toMatchObject({
      reason: 'external',
      service: 'hanging',
      pid: child.pid,
      events: [{ message: 'about to hang' }]
    })
    expect(child.exitCode).toBe(null)
    expect(messages('.hanging.recorder')).toEqual(['about to hang'])
  })

  it('refuses what is no arena', () => {
    fs.writeFileSync(path.join(directory, 'text'), 'text')
    expect(shardlog('snapshot', 'text')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("no recorder's arena")
    })
    expect(shardlog('snapshot')).toMatchObject({ status: 2 })
  })
})
