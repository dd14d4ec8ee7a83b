import diagnostics from 'node:diagnostics_channel'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type RecordedEvent, Recorder, type RecorderOptions, readSnapshot } from '../../lib/public'
import { shardlog } from '../support/shardlog'
import { live, snapshotsIn } from '../support/snapshots'
import { tempDir } from '../support/temp'

function open(options: RecorderOptions): Recorder {
  const recorder = new Recorder({ onCrash: false, directory: tempDir(), path: false, ...options })
  onTestFinished(() => recorder.close())
  return recorder
}

/** What the console's methods are called with, in place of being printed. */
function quiet() {
  const said: unknown[][] = []
  for (const name of ['debug', 'log', 'info', 'warn', 'error', 'trace'] as const) {
    const spy = vi.spyOn(console, name).mockImplementation((...args: unknown[]) => void said.push([name, ...args]))
    onTestFinished(() => spy.mockRestore())
  }
  return said
}

describe('the console', () => {
  it('says what it did, and is heard by the recorder', () => {
    const said = quiet()
    const methods = { ...console }
    const recorder = open({ capture: { console: true } })
    console.log('%s has %d', 'cart', 3, { a: 1 })
    for (const name of ['debug', 'info', 'warn', 'error', 'trace'] as const) console[name](name)
    expect(said).toEqual([
      ['log', '%s has %d', 'cart', 3, { a: 1 }],
      ...['debug', 'info', 'warn', 'error', 'trace'].map(name => [name, name])
    ])
    const events = recorder.takeSnapshot().map(({ level, target, message }) => ({ level, target, message }))
    expect(events).toEqual([
      { level: 'info', target: 'console', message: 'cart has 3 { a: 1 }' },
      ...['debug', 'info', 'warn', 'error', 'trace'].map(name => ({ level: name, target: 'console', message: name }))
    ])
    recorder.close()
    expect({ ...console }).toEqual(methods)
  })

  it('keeps what others put around it, and is heard no more after the close', () => {
    const said = quiet()
    const one = open({ capture: { console: true } })
    const two = open({ capture: { console: true } })
    console.log('both')
    // Not in the order in which they came.
    one.close()
    console.log('second')
    expect(two.takeSnapshot().map(event => event.message)).toEqual(['both', 'second'])
    const around = console.log
    console.log = (...args: unknown[]) => around('around', ...args)
    two.close()
    console.log('nobody')
    expect(said.map(args => args.at(-1))).toEqual(['both', 'second', 'nobody'])
    console.log = around
  })

  it('throws what it threw, and hears nothing of what is said while it listens', () => {
    const said = quiet()
    const recorder = open({ capture: { console: true } })
    const loud = {
      [Symbol.for('nodejs.util.inspect.custom')]: () => {
        console.log('within')
        return 'shown'
      }
    }
    console.log(loud)
    const bad = {
      [Symbol.for('nodejs.util.inspect.custom')]: () => {
        throw new Error('not shown')
      }
    }
    console.log(bad)
    expect(said.map(args => args[1])).toEqual(['within', loud, bad])
    expect(recorder.takeSnapshot()).toMatchObject([
      { message: 'shown' },
      { level: 'info', fields: { notRecorded: 'not shown' } }
    ])
  })

  it('is heard from the level of the recorder on', () => {
    quiet()
    const recorder = open({ level: 'warn', capture: { console: true } })
    console.log('no')
    console.error('yes')
    expect(recorder.takeSnapshot()).toMatchObject([{ message: 'yes' }])
  })
})

it('keeps process warnings, which others still get', async () => {
  const heard: string[] = []
  const listener = (warning: Error): void => void heard.push(warning.message)
  process.on('warning', listener)
  onTestFinished(() => void process.off('warning', listener))
  const listeners = process.listenerCount('warning')
  const recorders = [0, 1, 2].map(() => open({ capture: { warnings: true } }))
  expect(process.listenerCount('warning')).toBe(listeners + 1)
  process.emitWarning('old', { type: 'DeprecationWarning', code: 'DEP1', detail: 'use the new one' })
  await sleep(0)
  expect(heard).toEqual(['old'])
  for (const recorder of recorders) {
    expect(recorder.takeSnapshot()).toMatchObject([
      { level: 'warn', message: 'old', fields: { type: 'DeprecationWarning', code: 'DEP1', detail: 'use the new one' } }
    ])
    recorder.close()
  }
  expect(process.listenerCount('warning')).toBe(listeners)
})

it('keeps messages of channels, whatever they are', () => {
  const recorder = open({ capture: { channels: ['shop:sold', 'shop:sold', 'shop:other'] } })
  const channel = diagnostics.channel('shop:sold')
  const heard: unknown[] = []
  const listener = (message: unknown): void => void heard.push(message)
  diagnostics.subscribe('shop:sold', listener)
  onTestFinished(() => void diagnostics.unsubscribe('shop:sold', listener))
  const self: Record<string, unknown> = { id: 7, text: 'x'.repeat(1000) }
  self.self = self
  const unreadable = {
    get bad(): never {
      throw new Error('broken')
    }
  }
  const messages = [self, 'text', null, new Error('late'), Symbol('s'), unreadable, process]
  for (const message of messages) channel.publish(message)
  expect(heard).toEqual(messages)
  const events = recorder.takeSnapshot()
  expect(events).toHaveLength(messages.length)
  expect(events[0]).toMatchObject({ level: 'debug', target: 'shop:sold', fields: { id: 7 } })
  expect((events[0]!.fields.text as string).length).toBeLessThan(600)
  expect(events[0]!.fields.self).toContain('[Circular')
  expect(events[1]!.fields).toEqual({ value: 'text' })
  expect(events[3]!.fields.value).toContain('Error: late')
  expect(events[5]!.fields).toEqual({ notRecorded: 'broken' })
  recorder.close()
  expect(diagnostics.hasSubscribers('shop:other')).toBe(false)
})

it('tells that the event loop stood still', () => {
  const directory = tempDir()
  const { stdout } = live('stallsQuietly', { directory, capture: { stalls: 100 } })
  const events = JSON.parse(stdout) as RecordedEvent[]
  expect(events[0]).toMatchObject({ level: 'warn', target: 'process', message: 'the event loop stood still' })
  expect(events[0]!.fields.ms).toBeGreaterThan(100)
  expect(snapshotsIn(directory)).toEqual([])
})

it('refuses what it does not know', () => {
  for (const capture of [true, { consle: true }, { channels: 'x' }, { channels: [''] }, { stalls: 0 }])
    expect(() => new Recorder({ directory: tempDir(), capture: capture as never })).toThrow(/recorder\.capture must be/)
})

it('refuses to hear a console that is frozen', () => {
  const before = Object.getOwnPropertyDescriptor(console, 'log')!
  const fixed = { ...before, configurable: false }
  const spy = vi.spyOn(Object, 'getOwnPropertyDescriptor')
  const real = spy.getMockImplementation() ?? Reflect.getOwnPropertyDescriptor
  spy.mockImplementation((of, name) => (of === console && name === 'log' ? fixed : real(of as object, name)))
  expect(() => open({ capture: { console: true } })).toThrow('the console is frozen')
})

it('goes into the ring of a logger, by its names of levels, and not into the log', async () => {
  quiet()
  const lines: string[] = []
  const log = shardlog(
    {
      customLevels: { loud: 1, quiet: 90 },
      useOnlyCustomLevels: true,
      levelComparison: 'DESC',
      level: 'loud',
      recorder: { directory: tempDir(), path: false, onCrash: false, capture: { console: true } }
    } as never,
    { write: (line: string) => void lines.push(line) }
  )
  onTestFinished(() => log.close())
  console.error('said')
  const { events } = readSnapshot(await log.snapshot())
  expect(events).toMatchObject([{ level: '50', target: 'console', message: 'said' }])
  expect(lines).toEqual([])
})

it('leaves a listener of exit time to throw, of which there is a snapshot', () => {
  const directory = tempDir()
  const { status, stderr } = live('throwsAtExit', { directory })
  expect(status).not.toBe(0)
  expect(stderr).toContain('RangeError: at the end')
  const [file] = snapshotsIn(directory)
  expect(readSnapshot(file!)).toMatchObject({
    reason: 'uncaughtException',
    events: [{ message: 'before' }, { message: 'ending' }, { message: 'at the end', fields: { type: 'RangeError' } }]
  })
})

it('leaves no file of its ring where a listener of exit throws, nor where it asks for the exit', () => {
  for (const life of ['throwsAtExit', 'throwsAtAskedExit']) {
    const directory = tempDir()
    expect(live(life, { directory, path: `${directory}/ring` }).stderr).toContain('RangeError: at the end')
    expect(snapshotsIn(directory)).toHaveLength(1)
    expect(live('harvests', { directory, path: `${directory}/ring` }).stdout).toBe('[]\n')
  }
})
