import fs from 'node:fs'
import path from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Recorder, readSnapshot, ShardlogError } from '../../lib/public'
import { readArenaFile } from '../../lib/recorder/arena'
import { readEvents } from '../../lib/recorder/snapshot'
import fc from '../support/random'
import { tempDir } from '../support/temp'

/** Changes of bytes, by their places as shares of the length. */
const changes = fc.array(fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255)), {
  minLength: 1,
  maxLength: 20
})

function changed(bytes: Buffer, length: number, at: readonly [number, number][]): Buffer {
  const copy = Buffer.from(bytes)
  for (const [share, byte] of at) copy[Math.floor(share * length)] = byte
  return copy
}

/** Runs `read`; it may refuse what it is given, by an error of ours. */
function readOrRefuse(read: () => void): void {
  try {
    read()
  } catch (error) {
    expect(error).toBeInstanceOf(ShardlogError)
  }
}

function record(directory: string): Recorder {
  const recorder = new Recorder({ directory, path: path.join(directory, 'ring'), bytes: 64 * 4096, onCrash: false })
  onTestFinished(() => recorder.close())
  for (let n = 0; n < 200; n++) {
    recorder.record(n % 2 ? 'info' : 'warn', `t${n % 3}`, 'message', {
      n,
      text: 'some text',
      nested: { a: [n], b: null }
    })
  }
  return recorder
}

it('reads an arena whose bytes were changed as far as it can, or refuses it', () => {
  const directory = tempDir()
  record(directory)
  const bytes = fs.readFileSync(path.join(directory, 'ring'))
  const file = path.join(directory, 'changed')
  const events = (): number => {
    const steps = readEvents({ arena: readArenaFile(file), minAge: 0 })
    for (;;) {
      const step = steps.next()
      if (step.done) return step.value.events.length
    }
  }
  // Header and slots, and the entries that there are.
  for (const length of [4096 + 64 * 64, 30_000]) {
    fc.assert(
      fc.property(changes, at => {
        fs.writeFileSync(file, changed(bytes, length, at))
        readOrRefuse(() => expect(events()).toBeLessThanOrEqual(200_000))
      }),
      { numRuns: 300 }
    )
  }
})

it('reads a snapshot whose bytes were changed, or refuses it', async () => {
  const directory = tempDir()
  const bytes = fs.readFileSync(await record(directory).snapshot())
  const file = path.join(directory, 'changed.bin')
  fc.assert(
    fc.property(changes, fc.double({ min: 0, max: 1, noNaN: true }), (at, share) => {
      const all = changed(bytes, bytes.length, at)
      fs.writeFileSync(file, all.subarray(0, share > 0.7 ? Math.floor(all.length * share) : all.length))
      readOrRefuse(() => void readSnapshot(file))
    }),
    { numRuns: 500 }
  )
})
