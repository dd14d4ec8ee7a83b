import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it, onTestFinished, vi } from 'vitest'
import { readSnapshot, type ShardlogError } from '../../lib/public'
import { HEADER_BYTES, readArenaFile } from '../../lib/recorder/arena'
import { EventDecoder } from '../../lib/recorder/decode'
import { harvest } from '../../lib/recorder/triggers'
import { decodedByOthers, hasDecoder } from '../support/other-decoder'
import { kill, live, othersIn, snapshotsIn, start } from '../support/snapshots'
import { tempDir } from '../support/temp'

const CAPACITY = 5000
/** More of them: `SHARDLOG_KILLS=600 npx vitest run test/recorder/crash.test.ts`. */
const KILLS = Number(process.env.SHARDLOG_KILLS ?? 15)
const MOST_MS_A_KILL = 8_000

/** What is made of the arenas beside a ring: files, and errors. */
async function harvestAll(ring: string, directory: string): Promise<(string | ShardlogError)[]> {
  const results = []
  for await (const result of harvest(ring, { directory, retention: {} })) results.push(result)
  return results
}

it('writes a snapshot of an exception that nobody has caught, and the process ends as it would', () => {
  const directory = tempDir()
  const { status, stderr } = live('throws', { directory })
  expect(status).toBe(1)
  expect(stderr).toContain('TypeError: a bug')
  const [file] = snapshotsIn(directory)
  expect(readSnapshot(file!)).toMatchObject({
    reason: 'uncaughtException',
    events: [
      { level: 'debug', message: 'before' },
      {
        level: 'fatal',
        target: 'process',
        message: 'a bug',
        fields: { type: 'TypeError', origin: 'uncaughtException' }
      }
    ]
  })
  expect(othersIn(directory)).toEqual([])
})

it('tells an error that tells nothing of itself', () => {
  const directory = tempDir()
  expect(live('throwsRiddle', { directory }).status).not.toBe(0)
  expect(readSnapshot(snapshotsIn(directory)[0]!).events).toMatchObject([
    { level: 'fatal', message: 'uncaughtException', fields: { notRecorded: 'asked for its message' } }
  ])
})

it('writes one of a rejection, which ends the process', () => {
  const directory = tempDir()
  const { status } = live('rejects', { directory })
  expect(status).toBe(1)
  expect(readSnapshot(snapshotsIn(directory)[0]!)).toMatchObject({
    reason: 'unhandledRejection',
    events: [{ message: 'not caught' }]
  })
})

it('writes one of a rejection that a handler of the program takes, which goes on', () => {
  const directory = tempDir()
  const { status, stdout } = live('observes', { directory })
  expect([status, stdout]).toEqual([0, 'handler: caught late\n'])
  expect(readSnapshot(snapshotsIn(directory)[0]!)).toMatchObject({
    reason: 'unhandledRejection',
    events: [{ message: 'caught late' }]
  })
})

it('keeps no rejection from ending the process that no handler of the program takes any more', () => {
  const { status, stdout, stderr } = live('forgets', { directory: tempDir() })
  expect([status, stdout]).toEqual([1, 'handler: caught late\n'])
  expect(stderr).toContain('Error: not caught')
})

it('has listeners of which there are as many for many recorders as for one', () => {
  const { status, stderr } = live('crowd', { directory: tempDir() })
  expect([status, stderr]).toEqual([0, ''])
})

it.each([
  ['unhandledRejection', 'storm'],
  ['uncaughtException', 'exceptions']
])('writes no snapshot of each in a row that a handler takes, but one at the end: %s', (reason, life) => {
  const directory = tempDir()
  expect(live(life, { directory }).status).toBe(0)
  const snapshots = snapshotsIn(directory).map(file => readSnapshot(file))
  expect(snapshots.map(snapshot => [snapshot.reason, snapshot.events.length])).toEqual([
    [reason, 1],
    [reason, 4]
  ])
  expect(othersIn(directory)).toEqual([])
})

it('keeps the ring where the snapshot cannot be written', () => {
  const directory = tempDir()
  const ring = path.join(tempDir(), 'ring')
  fs.writeFileSync(path.join(directory, 'file'), '')
  const { status, stderr } = live('throws', { directory: path.join(directory, 'file', 'sub'), path: ring })
  expect(status).toBe(1)
  expect(stderr).toContain('cannot write the snapshot')
  const { stdout } = live('harvests', { directory, path: ring })
  const [file] = JSON.parse(stdout) as string[]
  expect(readSnapshot(file!).events.map(event => event.message)).toEqual(['before', 'a bug'])
})

it('keeps the rings of several processes until snapshots of them can be written', async () => {
  const directory = tempDir()
  const ring = path.join(tempDir(), 'ring')
  const blocked = path.join(directory, 'file', 'sub')
  fs.writeFileSync(path.dirname(blocked), '')
  const messages = []
  for (let i = 0; i < 3; i++) {
    const child = start('hangs', { directory: blocked, path: ring })
    await once(child.stdout, 'data')
    await kill(child)
    expect(live('harvests', { directory: blocked, path: ring }).stdout).toBe('[]\n')
    messages.push('about to hang')
  }
  const { stdout } = live('harvests', { directory, path: ring })
  const files = JSON.parse(stdout) as string[]
  expect(files.flatMap(file => readSnapshot(file).events.map(event => event.message))).toEqual(messages)
  expect(fs.readdirSync(path.dirname(ring))).toEqual([])
})

it('looks into an arena that a process of its own number was looking into when it ended', async () => {
  const directory = tempDir()
  const child = start('hangs', { directory })
  await once(child.stdout, 'data')
  await kill(child)
  const ring = path.join(directory, '.record.recorder')
  // Of an earlier process than this one, whose number it has.
  fs.renameSync(ring, `${ring}.left-1.${process.pid}`)
  const later = vi.spyOn(process, 'uptime').mockReturnValue(-1)
  onTestFinished(() => later.mockRestore())
  const results = await harvestAll(ring, directory)
  expect(results).toEqual(snapshotsIn(directory))
  expect(results).toHaveLength(1)
  expect(othersIn(directory)).toEqual([])
})

it('leaves alone what is beside its ring but no file of its own', async () => {
  const directory = tempDir()
  const ring = path.join(directory, 'ring')
  execFileSync('mkfifo', [`${ring}.left-1`])
  fs.symlinkSync(`${ring}.left-1`, `${ring}.left-2`)
  fs.mkdirSync(`${ring}.left-3`)
  expect(await harvestAll(ring, directory)).toEqual([])
  expect(othersIn(directory)).toHaveLength(3)
  expect(() => readArenaFile(`${ring}.left-1`)).toThrow('cannot read')
})

it('reads a ring again that was overwritten as a whole while it was read', async () => {
  const directory = tempDir()
  const child = start('hangs', { directory })
  await once(child.stdout, 'data')
  await kill(child)
  const { readSync } = fs
  let reads = 0
  const reading = vi.spyOn(fs, 'readSync').mockImplementation(((fd: number, into: Buffer, ...where: number[]) => {
    const got = readSync(fd, into, where[0]!, where[1]!, where[2]!)
    // The header, the slots, what they speak of; and the slots as they are then.
    if (++reads === 4) into.fill(0xff, HEADER_BYTES)
    return got
  }) as typeof fs.readSync)
  onTestFinished(() => reading.mockRestore())
  const arena = readArenaFile(path.join(directory, '.record.recorder'))
  expect(arena.runs).toHaveLength(1)
  expect(reads).toBe(7)
})

it('removes what a process had not written to the end, and nothing else', async () => {
  const directory = tempDir()
  const child = start('hangs', { directory })
  await once(child.stdout, 'data')
  await kill(child)
  const left = `.shardlog-${child.pid}-1767323045006-1.tmp`
  const others = [`.shardlog-${process.pid}-1767323045006-1.tmp`, '.shardlog-notes.tmp']
  for (const name of [left, ...others]) fs.writeFileSync(path.join(directory, name), 'a half')
  fs.mkdirSync(path.join(directory, `.shardlog-${child.pid}-1767323045006-2.tmp`))
  await harvestAll(path.join(directory, 'ring'), directory)
  expect(othersIn(directory)).toEqual(expect.arrayContaining(others))
  expect(othersIn(directory)).not.toContain(left)
})

it('keeps the latest of arenas that no snapshot can be made of', async () => {
  const directory = tempDir()
  const ring = path.join(directory, 'ring')
  for (let i = 1; i <= 12; i++) {
    fs.writeFileSync(`${ring}.left-${i}`, `no arena ${i}`)
    fs.utimesSync(`${ring}.left-${i}`, i, i)
  }
  const results = await harvestAll(ring, directory)
  expect(results.map(result => (result as ShardlogError).code)).toEqual(Array(12).fill('ERR_SHARDLOG_CORRUPT'))
  const kept = othersIn(directory).map(name => fs.readFileSync(path.join(directory, name), 'utf8'))
  expect(kept.sort()).toEqual(Array.from({ length: 10 }, (_, i) => `no arena ${i + 3}`).sort())
})

it('writes one at a signal, and after the event loop has stood still', () => {
  const atSignal = live('signal', { directory: tempDir(), signal: 'SIGUSR2' })
  expect(atSignal.status).toBe(0)
  expect(atSignal.stdout).toContain('-SIGUSR2.bin')
  const afterStall = live('stalls', { directory: tempDir(), stall: 100 })
  expect(afterStall.stdout).toContain('-stall.bin')
})

it(
  'leaves the last events whole and in order, whenever the process is killed',
  async () => {
    for (let i = 0; i < KILLS; i++) {
      const directory = tempDir()
      const child = start('forever', { directory, capacity: CAPACITY })
      let told = ''
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        told += text
      })
      await once(child.stdout, 'data')
      await sleep(Math.random() * 150)
      await kill(child)
      const acknowledged = Number(told.trimEnd().split('\n').at(-1))
      const { stdout } = live('harvests', { directory, capacity: CAPACITY })
      const [file] = JSON.parse(stdout) as string[]
      const { events, counters, reason, pid } = readSnapshot(file!)
      expect([reason, pid]).toEqual(['killed', child.pid])
      const numbers = events.map(event => event.fields.n as number)
      expect(numbers.length).toBeGreaterThanOrEqual(Math.min(CAPACITY, acknowledged))
      expect(numbers.at(-1)).toBeGreaterThanOrEqual(acknowledged)
      expect(numbers).toEqual(Array.from(numbers, (_, at) => numbers[0]! + at))
      for (const { fields } of events)
        expect(fields).toEqual({ n: fields.n, text: `event ${fields.n}`, half: (fields.n as number) / 2 })
      expect(counters).toMatchObject({ recorded: numbers.at(-1), overwritten: numbers[0]! - 1, damaged: 0 })
      if (hasDecoder) {
        const others = decodedByOthers(file!) as { events: { time: string }[] }
        expect(others.events).toEqual(events.map(event => ({ ...event, time: String(event.time) })))
      }
      expect(othersIn(directory)).toEqual([])
      fs.rmSync(directory, { recursive: true })
    }
  },
  KILLS * MOST_MS_A_KILL
)

it('is read from outside while its process hangs, and while it records', async () => {
  const directory = tempDir()
  const hanging = start('hangs', { directory, service: 'hanging' })
  await once(hanging.stdout, 'data')
  const arena = readArenaFile(path.join(directory, '.hanging.recorder'))
  expect([...new EventDecoder(arena).eventsOf(arena.runs[0]!)]).toMatchObject([
    { message: 'about to hang', fields: { loop: true } }
  ])
  const busy = start('forever', { directory, service: 'busy', capacity: CAPACITY })
  await once(busy.stdout, 'data')
  for (let i = 0; i < 50; i++) {
    const { runs, ...rest } = readArenaFile(path.join(directory, '.busy.recorder'))
    const decoder = new EventDecoder({ runs, ...rest })
    const numbers = runs.flatMap(run => [...decoder.eventsOf(run)].map(event => event.fields.n as number))
    expect(decoder.damaged).toBe(0)
    for (let at = 1; at < numbers.length; at++) expect(numbers[at]!).toBeGreaterThan(numbers[at - 1]!)
  }
})
