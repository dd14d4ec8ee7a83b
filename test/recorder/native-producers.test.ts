import { createRequire } from 'node:module'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { Recorder } from '../../lib/public'
import type { RecordedEvent } from '../../lib/recorder/decode'
import type { RecorderOptions } from '../../lib/recorder/options'
import { succeeds } from '../support/run'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

/** Has so many threads of an addon record so many events each. How many they were told are kept. */
type Run = (native: object, threads: number, events: number) => number

const hasCompiler = succeeds('cc', ['--version'])
const leftOut = hasCompiler ? '' : ' (left out: no C compiler)'

function compiled(compiler: string, ...flags: string[]): Run {
  const addon = path.join(tempDir(), 'addon.node')
  const source = path.join(__dirname, 'children', 'native_producer.c')
  const include = path.join(packageRoot, 'include')
  const warnings = ['-Wall', '-Wextra', '-Werror', '-pedantic']
  expect(
    succeeds(compiler, [...flags, ...warnings, '-I', include, '-pthread', '-shared', '-fPIC', '-o', addon, source])
  ).toBe(true)
  return createRequire(__filename)(addon) as Run
}

const texts = (i: number): string => `text ${i} "ä" ${' '.repeat(i % 3 === 0 ? 280 : 0)}`

const expected = (i: number, thread: number) => ({
  level: i % 5 === 0 ? 'debug' : 'info',
  target: i % 2 === 0 ? 'native' : '',
  message: i % 50 === 0 ? `number ${i}` : 'of an "addon"',
  thread,
  fields: {
    n: i,
    large: 1_099_511_627_776 + i,
    x: i / 2,
    text: texts(i),
    even: i % 2 === 0,
    nothing: null,
    json: { a: [1, 2] }
  }
})

const withoutTime = ({ time, ...event }: RecordedEvent) => {
  expect(Math.abs(Number(time) / 1e6 - Date.now())).toBeLessThan(60_000)
  return event
}

describe.skipIf(!hasCompiler)(`events of another addon, by the C header${leftOut}`, () => {
  function recorded(options: RecorderOptions, threads: number, events: number) {
    const run = compiled('cc', '-std=c99')
    const recorder = new Recorder({ engine: 'native', path: false, ...options })
    const kept = run(recorder.native!, threads, events)
    const snapshot = recorder.takeSnapshot()
    return { run, recorder, kept, snapshot }
  }

  it('are those of several threads, whole and in order, beside JavaScript', () => {
    const { recorder, kept, snapshot } = recorded({ capacity: 50_000 }, 4, 2000)
    recorder.record('info', 'js', 'after them', { n: 1 })
    expect(kept).toBe(8000)
    for (let thread = 100; thread < 104; thread++) {
      const own = snapshot.filter(event => event.thread === thread).map(withoutTime)
      expect(own).toEqual(Array.from({ length: 2000 }, (_, i) => expected(i, thread)))
    }
    expect(recorder.takeSnapshot().at(-1)).toMatchObject({ target: 'js', message: 'after them' })
    expect(recorder.stats).toMatchObject({ recorded: 8001, dropped: 0, truncated: 0, overwritten: 0 })
    recorder.close()
  })

  it.each([
    { threads: 2, capacity: 1000 },
    // More than the ring has segments to spare.
    { threads: 8, capacity: 10 }
  ])('overwrite the oldest, and each is counted: $threads threads, a ring for $capacity', ({ threads, capacity }) => {
    const { recorder, kept, snapshot } = recorded({ capacity }, threads, 20_000)
    const { recorded: all, overwritten, dropped } = recorder.stats
    expect([all, kept + dropped]).toEqual([kept, threads * 20_000])
    expect(snapshot).toHaveLength(kept - overwritten)
    for (const event of snapshot) {
      expect(withoutTime(event)).toEqual(expected(event.fields.n as number, event.thread))
    }
    recorder.close()
  })

  it('go by the level and the number of fields of the recorder', () => {
    const { recorder, kept, snapshot } = recorded({ level: 'info', maxFields: 3 }, 1, 100)
    expect(kept).toBe(80)
    expect(new Set(snapshot.map(event => event.level))).toEqual(new Set(['info']))
    expect(Object.keys(snapshot[0]!.fields)).toEqual(['n', 'large', 'x'])
    expect(recorder.stats).toMatchObject({ recorded: 80, truncated: 80 })
    recorder.close()
  })

  it('are not kept any more when the recorder is closed', () => {
    const { run, recorder } = recorded({}, 1, 1)
    const { native } = recorder
    recorder.close()
    expect(run(native!, 2, 10)).toBe(0)
  })

  it('are so in C++ as well', () => {
    const run = compiled('c++', '-x', 'c++', '-std=c++11')
    const recorder = new Recorder({ engine: 'native', path: false })
    expect(run(recorder.native!, 1, 10)).toBe(10)
    recorder.close()
  })
})

it('there is nothing for other addons with the JavaScript engine', () => {
  const recorder = new Recorder({ engine: 'js', path: false })
  expect(recorder.native).toBeNull()
  recorder.close()
})
