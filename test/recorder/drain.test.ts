import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type RecordedEvent, Recorder, type RecorderOptions, readSnapshot } from '../../lib/public'
import { readArenaCounts, readArenaFile } from '../../lib/recorder/arena'
import { readEvents } from '../../lib/recorder/snapshot'
import { tempDir } from '../support/temp'

const ENGINES = ['native', 'js'] as const
const LEAST_BYTES = 262_144

function open(options: RecorderOptions): Recorder {
  const recorder = new Recorder({ onCrash: false, directory: tempDir(), ...options })
  onTestFinished(() => recorder.close())
  return recorder
}

const numbersOf = (events: RecordedEvent[]): unknown[] => events.map(event => event.fields.n)
const upTo = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at)

describe.each(ENGINES)('a snapshot that drains, engine %s', engine => {
  it('takes out what it has, and nothing that comes later', () => {
    const recorder = open({ engine })
    let n = 0
    const record = (): boolean => recorder.record('info', 't', 'm', { n: ++n })
    for (let i = 0; i < 3; i++) record()
    expect(numbersOf(recorder.takeSnapshot())).toEqual([1, 2, 3])
    expect(numbersOf(recorder.takeSnapshot({ drain: true }))).toEqual([1, 2, 3])
    expect(recorder.takeSnapshot()).toEqual([])
    expect([recorder.length, recorder.utilization]).toEqual([0, 0])
    record()
    expect(numbersOf(recorder.takeSnapshot({ drain: true }))).toEqual([4])
    expect(recorder.stats).toMatchObject({ recorded: 4, drained: 4, overwritten: 0 })
  })

  it('leaves each event to one of them, whatever is overwritten in between', () => {
    const recorder = open({ engine, bytes: LEAST_BYTES })
    const seen: unknown[] = []
    for (let n = 1; n <= 60_000; n++) {
      recorder.record('info', 't', 'm', { n })
      if (n % 500 === 0) seen.push(...numbersOf(recorder.takeSnapshot({ drain: true })))
    }
    expect(seen).toEqual(upTo(1, 60_000))
    expect(recorder.stats).toMatchObject({ recorded: 60_000, drained: 60_000, overwritten: 0 })
    expect(recorder.length).toBe(0)
  })

  it('counts apart what was overwritten before anybody drained it', () => {
    const recorder = open({ engine, bytes: LEAST_BYTES })
    for (let n = 1; n <= 30_000; n++) recorder.record('info', 't', 'm', { n })
    const some = recorder.takeSnapshot({ drain: true })
    for (let n = 30_001; n <= 30_010; n++) recorder.record('info', 't', 'm', { n })
    const { recorded, overwritten, drained } = recorder.stats
    expect({ recorded, overwritten, drained }).toEqual({
      recorded: 30_010,
      overwritten: 30_000 - some.length,
      drained: some.length
    })
    expect(recorder.length).toBe(10)
    for (let n = 30_011; n <= 60_000; n++) recorder.record('info', 't', 'm', { n })
    const now = recorder.stats
    expect(now.recorded).toBe(now.overwritten + now.drained + recorder.takeSnapshot().length)
  })

  it('drains once the file is written, and not if it is not', async () => {
    const recorder = open({ engine })
    recorder.record('info', 't', 'm', { n: 1 })
    const file = await recorder.snapshot('first', { drain: true })
    expect(readSnapshot(file)).toMatchObject({ counters: { recorded: 1, drained: 0 }, events: [{ fields: { n: 1 } }] })
    recorder.record('info', 't', 'm', { n: 2 })
    expect(readSnapshot(await recorder.snapshot()).counters).toMatchObject({ recorded: 2, drained: 1, overwritten: 0 })
    const lost = open({ engine, directory: path.join(file, 'no directory'), path: false })
    lost.record('info', 't', 'm', { n: 3 })
    await expect(lost.snapshot('no', { drain: true })).rejects.toMatchObject({ code: 'ERR_SHARDLOG_SNAPSHOT' })
    expect(numbersOf(lost.takeSnapshot())).toEqual([3])
  })

  it('refuses options that it does not know', async () => {
    const recorder = open({ engine })
    expect(() => recorder.takeSnapshot({ drian: true } as never)).toThrow('drian is not known')
    expect(() => recorder.takeSnapshot({ drain: 1 } as never)).toThrow('drain must be true or false')
    await expect(recorder.snapshot('x', { drian: true } as never)).rejects.toMatchObject({
      code: 'ERR_SHARDLOG_CONFIG'
    })
  })
})

it('is seen from outside', () => {
  const directory = tempDir()
  const recorder = open({ directory, service: 'shop' })
  for (let n = 1; n <= 5; n++) recorder.record('info', 't', 'm', { n })
  recorder.takeSnapshot({ drain: true })
  recorder.record('info', 't', 'm', { n: 6 })
  const file = path.join(directory, '.shop.recorder')
  const steps = readEvents({ arena: readArenaFile(file), minAge: 0 })
  const step = steps.next()
  expect(step.done && numbersOf(step.value.events)).toEqual([6])
  expect(readArenaCounts(file)).toMatchObject({
    recorded: 6,
    drained: 5,
    overwritten: 0,
    usedBytes: recorder.stats.usedBytes
  })
})
