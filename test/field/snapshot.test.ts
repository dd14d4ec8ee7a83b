import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import readline from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { prelude } from '../support/child'
import { run, succeeds } from '../support/run'
import { expectOnce, faults, find, type Kind, kinds, restarted } from './support'
import { makeVolume, type VolumeKind, volumeKinds } from './volumes'

const COUNT = 20_000

/** Uses both sets; then, at each line of its input, logs; flushes; goes on and ends. */
const SCRIPT = `
const { kind, file, count } = config
const options = { bufferSize: 16 << 20, flushInterval: 100_000 }
const told = []
const onError = error => void told.push(error.code)
const pad = 'y'.repeat(200)
let destination, say
if (kind === 'raw') {
  destination = new Logger({ logFilePath: file, onError, ...options })
  say = n => destination.log(JSON.stringify({ n, pad, msg: 'm' }) + '\\n')
} else {
  destination = shardlog.destination({ dest: file, format: kind, ...options })
  destination.on('error', onError)
  const log = shardlog({ base: null }, destination)
  say = n => log.info({ n, pad }, 'm')
}
let next = 0
const use = times => { while (times-- > 0) { say(next++); destination.flushSync() } }
const answer = more => {
  const { arenaPath, droppedLogs } = destination.getStatsSnapshot()
  process.stdout.write(JSON.stringify({ arenaPath, droppedLogs, told: told.splice(0), ...more }) + '\\n')
}
const steps = [
  () => use(4),
  () => { while (next < count) say(next++) },
  // It fails: the log has no room either.
  () => { try { destination.flushSync() } catch {} },
  () => destination.flushSync(),
  () => use(4)
]
use(4)
answer({})
require('node:readline').createInterface({ input: process.stdin }).on('line', () => {
  steps.shift()()
  // The thread that writes tells in its own time.
  setTimeout(() => {
    answer({ said: next })
    if (steps.length > 0) return
    destination.closeSync()
    process.exit()
  }, 300)
})
`

interface Answer {
  arenaPath: string | null
  droppedLogs: number
  told: string[]
  said: number
}

function takeSnapshot(kind: VolumeKind, directory: string, arena: string): void {
  if (kind === 'btrfs') run('btrfs', ['-q', 'subvolume', 'snapshot', directory, path.join(directory, 'snapshot')])
  else run('cp', ['--reflink=always', arena, path.join(directory, 'snapshot')])
}

/** Until nothing goes in any more, also of what was written back. */
function fill(directory: string): string {
  const filler = path.join(directory, 'filler')
  for (const size of ['2G', '1M', '4K']) {
    succeeds('sh', ['-c', `head -c ${size} /dev/zero >> ${filler}; sync -f ${directory}`])
  }
  return filler
}

function start(kind: Kind, file: string) {
  const child = spawn(process.execPath, ['-e', prelude({ kind, file, count: COUNT }) + SCRIPT], {
    stdio: ['pipe', 'pipe', 'inherit']
  })
  const exited = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exited
  })
  const answers = readline.createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  return {
    exited,
    kill: () => void child.kill('SIGKILL'),
    answer: async () => JSON.parse((await answers.next()).value as string) as Answer,
    step() {
      child.stdin!.write('\n')
      return this.answer()
    }
  }
}

const copying = volumeKinds.filter(({ kind }) => kind === 'xfs' || kind === 'btrfs')

describe.each(copying)('a log on $name, of which there is a snapshot', ({ kind: volume, works }) => {
  /** A logger whose arena has no room any more: each store needs what it had before. */
  async function withoutRoom(kind: Kind) {
    const { directory } = makeVolume(volume)
    const file = path.join(directory, 'app.log')
    const logger = start(kind, file)
    const { arenaPath } = await logger.answer()
    takeSnapshot(volume, directory, arenaPath!)
    await logger.step()
    const filler = fill(directory)
    const logged = await logger.step()
    expect(logged).toMatchObject({ arenaPath: null, said: COUNT, droppedLogs: 0 })
    expect(logged.told).toContain('ERR_SHARDLOG_ARENA_LOST')
    const makeRoom = (): void => {
      fs.rmSync(filler)
      run('sync', ['-f', directory])
    }
    return { logger, file, arenaPath, makeRoom }
  }

  it.runIf(works).each(kinds)(
    '%s: goes on when the disk is full, and every line is there once when it is not',
    async kind => {
      const { logger, file, arenaPath, makeRoom } = await withoutRoom(kind)
      await logger.step()
      makeRoom()
      await logger.step()
      // Room for an arena is asked for now and then, at flushes.
      expect(await logger.step()).toMatchObject({ arenaPath, droppedLogs: 0 })
      expect(await logger.exited).toEqual([0, null])
      await expectOnce([file], kind, [{ first: 0, promised: COUNT + 4 }])
    }
  )

  it.runIf(works).each(kinds)(
    '%s: no line is there twice, and none is mixed, after a kill while it was full',
    async kind => {
      const { logger, file, makeRoom } = await withoutRoom(kind)
      await logger.step()
      logger.kill()
      await logger.exited
      makeRoom()
      const next = await restarted({ kind, file, first: 1_000_000 })
      const found = await find([file], kind)
      // The half of a line of text, which a failed write has left, is ended: nobody has its rest.
      if (kind === 'ndjson' && found.torn.length === 1) expect(found.torn.pop()).toMatch(/^\{"level":30,"time":\d/)
      expect(faults(found, [next])).toMatchObject({ twice: { count: 0 }, lost: { count: 0 }, torn: { count: 0 } })
    }
  )
})
