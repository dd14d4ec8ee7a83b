import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { Logger, Recorder } from '../../lib/public'
import { killWithEntries } from '../support/killed'
import { hasParser, parsed, parserNote, sampleOf } from '../support/open-metrics'
import { packageRoot } from '../support/shardlog'
import { start } from '../support/snapshots'
import { tempDir } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')

let directory: string
let file: string

beforeEach(() => {
  directory = tempDir()
  file = path.join(directory, 'app.log')
})

function metrics(...args: string[]) {
  return spawnSync(process.execPath, [main, 'metrics', ...args], { encoding: 'utf8', cwd: directory, timeout: 30_000 })
}

describe('shardlog metrics of a log', () => {
  it('tells of one that is open what waits, and leaves it there', async () => {
    const logger = new Logger({ logFilePath: file, engine: 'native', flushInterval: 0 })
    onTestFinished(() => logger.close())
    logger.log('written')
    await logger.flush()
    logger.log('first')
    logger.log('second')
    const before = fs.readdirSync(directory)
    for (const given of ['app.log', '.app.log.arena']) {
      const { status, stdout, stderr } = metrics(given)
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
      expect(sampleOf(stdout, 'shardlog_owner_alive', { path: file })).toBe(1)
      expect(sampleOf(stdout, 'shardlog_waiting', { path: file })).toBe(2)
      expect(sampleOf(stdout, 'shardlog_waiting_bytes', { path: file })).toBe('firstsecond'.length)
      expect(stdout.endsWith('# EOF\n')).toBe(true)
    }
    expect(fs.readdirSync(directory)).toEqual(before)
    await logger.flush()
    expect(logger.getStatsSnapshot()).toMatchObject({ writtenLogs: 3, droppedLogs: 0, lastError: null })
    expect(sampleOf(metrics('app.log').stdout, 'shardlog_waiting')).toBe(0)
  })

  it('tells of one that was killed that its process is dead, also where the log is gone', () => {
    killWithEntries({ logFilePath: file, engine: 'native', flushInterval: 0 }, 7)
    const { stdout } = metrics('app.log')
    expect(sampleOf(stdout, 'shardlog_owner_alive')).toBe(0)
    expect(sampleOf(stdout, 'shardlog_waiting')).toBe(7)
    fs.rmSync(file)
    expect(sampleOf(metrics('app.log').stdout, 'shardlog_waiting')).toBe(7)
  })

  it('tells of one that is closed that it has no arena', async () => {
    const logger = new Logger({ logFilePath: file, engine: 'native' })
    logger.log('text')
    await logger.close()
    const { status, stdout } = metrics('app.log')
    expect(status).toBe(0)
    expect(sampleOf(stdout, 'shardlog_arenas')).toBe(0)
    expect(sampleOf(stdout, 'shardlog_owner_alive')).toBe(0)
    expect(sampleOf(stdout, 'shardlog_waiting')).toBe(undefined)
  })

  it('finds the arena in a directory of its own', async () => {
    const arenaDir = tempDir()
    const logger = new Logger({ logFilePath: file, engine: 'native', flushInterval: 0, arenaDir })
    onTestFinished(() => logger.close())
    logger.log('text')
    expect(sampleOf(metrics('--arena-dir', arenaDir, 'app.log').stdout, 'shardlog_waiting')).toBe(1)
  })
})

describe('shardlog metrics of a recorder', () => {
  it('tells the same counters as the recorder itself', () => {
    const recorder = new Recorder({ directory, service: 'shop', bytes: 1 << 18, maxFields: 1, onCrash: false })
    onTestFinished(() => recorder.close())
    for (let i = 0; i < 10_000; i++) recorder.record('info', 'cart', `item ${i}`, { i, j: i })
    const { recorded, overwritten, dropped, truncated, usedBytes, bytes, path: ring } = recorder.stats
    const { status, stdout } = metrics('.shop.recorder')
    const labels = { path: ring!, service: 'shop' }
    const told = (name: string) => sampleOf(stdout, `shardlog_recorder_${name}`, labels)
    expect(status).toBe(0)
    expect(overwritten).toBeGreaterThan(0)
    expect({
      recorded: told('recorded_total'),
      overwritten: told('overwritten_total'),
      dropped: told('dropped_total'),
      truncated: told('truncated_total'),
      usedBytes: told('used_bytes'),
      bytes: told('size_bytes')
    }).toEqual({ recorded, overwritten, dropped, truncated, usedBytes, bytes })
    expect(told('owner_alive')).toBe(1)
    expect(recorder.record('info', 'cart', 'more')).toBe(true)
  })

  it('tells whether its process hangs or is dead', async () => {
    const child = start('hangs', { directory, service: 'hanging' })
    await once(child.stdout, 'data')
    const hangs = metrics('.hanging.recorder').stdout
    expect(sampleOf(hangs, 'shardlog_recorder_owner_alive')).toBe(1)
    expect(sampleOf(hangs, 'shardlog_recorder_events')).toBe(1)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const dead = metrics('.hanging.recorder').stdout
    expect(sampleOf(dead, 'shardlog_recorder_owner_alive')).toBe(0)
    expect(sampleOf(dead, 'shardlog_recorder_events')).toBe(1)
  })
})

it('tells of what can be read, and says what cannot', () => {
  fs.writeFileSync(path.join(directory, 'cut.recorder'), 'SHLRECRD')
  fs.writeFileSync(file, '')
  const { status, stdout, stderr } = metrics('missing.log', 'cut.recorder', 'app.log', '.')
  expect(status).toBe(1)
  expect(stderr).toMatch(/^shardlog: \.: there is no such file/m)
  expect(stderr).toMatch(/missing\.log: there is no such file/)
  expect(stderr).toMatch(/cut\.recorder.* no recorder's arena/)
  expect(sampleOf(stdout, 'shardlog_arenas', { path: file })).toBe(0)
})

it('is called wrongly without a file, and with standard input', () => {
  expect(metrics().status).toBe(2)
  expect(metrics('-').status).toBe(2)
})

it.runIf(hasParser)(`is read by another parser${parserNote}`, () => {
  killWithEntries({ logFilePath: file, engine: 'native', flushInterval: 0 }, 7)
  const recorder = new Recorder({ directory, service: 'a "b"', onCrash: false })
  onTestFinished(() => recorder.close())
  const families = parsed(metrics('app.log', recorder.stats.path!).stdout)
  const names = families.filter(({ samples }) => samples.length > 0).map(({ name }) => name)
  expect(names).toEqual(expect.arrayContaining(['shardlog_waiting_bytes', 'shardlog_recorder_recorded']))
  expect(parsed(metrics('missing').stdout)).toEqual([])
})
