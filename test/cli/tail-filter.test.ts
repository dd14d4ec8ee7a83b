import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { shardlog as build, packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

const main = path.join(packageRoot, 'dist', 'cli', 'main.js')

let directory: string

beforeEach(() => {
  directory = tempDir()
})

function shardlog(...args: string[]) {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', cwd: directory })
}

const messages = (text: string): unknown[] =>
  text
    .split('\n')
    .filter(line => line !== '')
    .map(line => (JSON.parse(line) as { msg: unknown }).msg)

/** Runs `tail -f`; what it has printed so far. */
function follow(...args: string[]): { child: ChildProcessWithoutNullStreams; text: () => string } {
  const child = spawn(process.execPath, [main, 'tail', '-f', ...args], { cwd: directory })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout.on('data', chunk => {
    text += String(chunk)
  })
  return { child, text: () => text }
}

/** Waits for a text. */
const shows = (text: () => string, part: string) => expect.poll(text, { timeout: 20_000 }).toContain(part)

function writeLog(count: number): string {
  const file = path.join(directory, 'app.log')
  const lines = Array.from({ length: count }, (_, i) => {
    return JSON.stringify({
      level: i % 1000 === 0 ? 50 : 30,
      time: 1_764_419_926_000 + i,
      name: 'web',
      user: i % 7,
      msg: `m${i}`
    })
  })
  fs.writeFileSync(file, `${lines.join('\n')}\nno JSON\n`)
  return file
}

describe('shardlog tail with filters', () => {
  it('prints the last entries that pass, however far from the end they are', () => {
    const file = writeLog(30_000)
    const of = (...args: string[]) => messages(shardlog('tail', ...args, file).stdout)
    expect(of('--level', 'warn', '-n', '3')).toEqual(['m27000', 'm28000', 'm29000'])
    expect(of('--level', 'error', '-n', '100')).toHaveLength(30)
    expect(of('--level', '35', '-n', '1')).toEqual(['m29000'])
    expect(of('--where', 'user=3', '-n', '1')).toEqual(['m29998'])
    expect(of('--where', 'message~^m2999[0-3]$', '--where', 'level=info')).toEqual([
      'm29990',
      'm29991',
      'm29992',
      'm29993'
    ])
    expect(of('--until', '1764419926002', '--target', 'web')).toEqual(['m0', 'm1'])
    expect(of('--target', 'other')).toEqual([])
    expect(shardlog('tail', '-n', '1', file).stdout).toBe('no JSON\n')
    expect(shardlog('tail', '--where', 'message=no JSON', file).stdout).toBe('no JSON\n')
  })

  it('refuses what it does not know', () => {
    const file = writeLog(1)
    expect(shardlog('tail', '--level', 'wran', file)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('did you mean warn')
    })
    expect(shardlog('tail', '--where', 'user~(', file)).toMatchObject({ status: 2 })
    expect(shardlog('tail', '--since', 'yesterday', file)).toMatchObject({ status: 2 })
  })

  it('follows what a live process has in its arena', async () => {
    const file = path.join(directory, 'app.log')
    const destination = build.destination({ dest: file, format: 'ndjson', flushInterval: 3_600_000 })
    const log = build({ level: 'debug' }, destination)
    onTestFinished(() => log.close())
    log.warn({ user: 1 }, 'before')
    const { child, text } = follow('--level', 'warn', '--where', 'user=1', file)
    await shows(text, 'before')
    log.warn({ user: 2 }, 'another user')
    log.info({ user: 1 }, 'too light')
    log.error({ user: 1 }, 'after')
    await shows(text, 'after')
    expect(messages(text())).toEqual(['before', 'after'])
    expect(fs.statSync(file).size).toBe(0)
    child.kill('SIGINT')
    await expect.poll(() => child.exitCode, { timeout: 20_000 }).toBe(0)
  })

  it('follows the recorder of a live process, also below the level of its log', async () => {
    const { Recorder } = build
    const recorder = new Recorder({ directory, service: 'shop', onCrash: false })
    onTestFinished(() => recorder.close())
    recorder.record('debug', 'cart', 'before', { n: 12345678901234567890n })
    recorder.record('trace', 'cart', 'too light')
    const { child, text } = follow('--level', 'debug', '--target', 'cart', path.join(directory, '.shop.recorder'))
    await shows(text, 'before')
    recorder.record('info', 'db', 'another target')
    recorder.record('warn', 'cart', 'after', { user: 1 })
    await shows(text, 'after')
    expect(messages(text())).toEqual(['before', 'after'])
    expect(JSON.parse(text().split('\n')[1]!)).toMatchObject({ level: 40, name: 'cart', user: 1, msg: 'after' })
    child.kill('SIGTERM')
    await expect.poll(() => child.exitCode, { timeout: 20_000 }).toBe(0)
  })

  it('follows the recorders of processes that come one after the other', async () => {
    const { Recorder } = build
    const options = { directory, service: 'shop', onCrash: false }
    const first = new Recorder(options)
    first.record('info', 'a', 'of the first')
    const { text } = follow(path.join(directory, '.shop.recorder'))
    await shows(text, 'of the first')
    first.close()
    const second = new Recorder(options)
    onTestFinished(() => second.close())
    second.record('info', 'a', 'of the second')
    await shows(text, 'of the second')
    expect(messages(text())).toEqual(['of the first', 'of the second'])
  })
})
