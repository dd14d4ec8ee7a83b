import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import path from 'node:path'
import readline from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { prelude } from '../support/child'
import { tempDir } from '../support/temp'
import { expectOnce, type Kind, kinds, type Logged, recover, restarted } from './support'
import { fullDisk, makeFullDisk } from './volumes'

/** More than the disk has room for, and less than it has when there is room. */
const countOf = (width: number): number => Math.floor(9_000_000 / (width + 60))
const NOTE = 'a note of the operator\n'

/**
 * Logs what the disk has no room for, flushes, which fails half way, and then does what its input
 * says.
 */
const SCRIPT = `
const { kind, file, width, count } = config
const options = { crashSafe: 'shm', bufferSize: 32 << 20, flushInterval: 100_000 }
const ctx = 'x'.repeat(width)
let destination, say
if (kind === 'raw') {
  destination = new Logger({ logFilePath: file, ...options })
  say = n => destination.log(JSON.stringify({ n, ctx }) + '\\n')
} else {
  destination = shardlog.destination({ dest: file, format: kind, ...options })
  destination.on('error', () => {})
  const child = shardlog({ base: null }, destination).child({ ctx })
  say = n => child.info({ n }, 'm')
}
const arena = destination.getStatsSnapshot().arenaPath
for (let n = 0; n < count; n++) say(n)
const flush = () => {
  try {
    destination.flushSync()
    return 'written'
  } catch (error) {
    return error.code
  }
}
process.stdout.write(JSON.stringify({ arena, flushed: flush() }) + '\\n')
require('node:readline').createInterface({ input: process.stdin }).on('line', () => {
  const flushed = flush()
  destination.closeSync()
  process.stdout.write(JSON.stringify({ flushed, dropped: destination.getStatsSnapshot().droppedLogs }) + '\\n')
  process.exit()
})
`

async function failing(kind: Kind, file: string, width: number) {
  const child = spawn(process.execPath, ['-e', prelude({ kind, file, width, count: countOf(width) }) + SCRIPT], {
    stdio: ['pipe', 'pipe', 'inherit']
  })
  const exited = once(child, 'exit')
  const answers = readline.createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const answer = async () => JSON.parse((await answers.next()).value as string) as Record<string, unknown>
  onTestFinished(() => void child.kill('SIGKILL'))
  const { arena, flushed } = await answer()
  onTestFinished(() => fs.rmSync(arena as string, { force: true }))
  expect(flushed).toBe('ERR_SHARDLOG_WRITE')
  expect(fs.statSync(file).size).toBeGreaterThan(0)
  const logged: Logged = { first: 0, promised: countOf(width) }
  return {
    logged,
    /** What happens while none of its threads runs. */
    async standingStill<T>(happens: () => T): Promise<T> {
      const tasks = `/proc/${child.pid}/task`
      const runs = (): boolean =>
        fs.readdirSync(tasks).some(task => !/\) T /.test(fs.readFileSync(`${tasks}/${task}/stat`, 'latin1')))
      child.kill('SIGSTOP')
      while (runs()) await new Promise(resolve => setTimeout(resolve, 1))
      const result = happens()
      child.kill('SIGCONT')
      return result
    },
    async goesOn() {
      child.stdin!.write('go on\n')
      expect(await answer()).toEqual({ flushed: 'written', dropped: 0 })
      await exited
    },
    async dies() {
      child.kill('SIGKILL')
      await exited
    }
  }
}

interface Change {
  rotated: string[]
  notes: number
  /** Files that end within a line of text, which is whole elsewhere. */
  left?: string[]
}

const COPIED = 'it is copied and truncated'

/** What happens to the log; `copy`: where there is room for a copy of it. */
const changes: [string, (file: string, copy: string) => Change][] = [
  ['nothing else happens', () => ({ rotated: [], notes: 0 })],
  [
    COPIED,
    (file, copy) => {
      fs.copyFileSync(file, copy)
      fs.truncateSync(file, 0)
      return { rotated: [copy], notes: 0, left: [copy] }
    }
  ],
  [
    'it is renamed',
    file => {
      fs.renameSync(file, `${file}.1`)
      return { rotated: [`${file}.1`], notes: 0 }
    }
  ],
  [
    'others append to it',
    file => {
      fs.appendFileSync(file, NOTE)
      return { rotated: [], notes: 1 }
    }
  ],
  [
    'others append to it, it is renamed, and others append to both',
    file => {
      fs.appendFileSync(file, NOTE)
      fs.renameSync(file, `${file}.1`)
      fs.appendFileSync(`${file}.1`, NOTE)
      fs.appendFileSync(file, NOTE)
      return { rotated: [`${file}.1`], notes: 3 }
    }
  ]
]

const widths = [100, 4_000, 40_000]
const cases = kinds.flatMap(kind => widths.map(width => ({ kind, width })))

describe.runIf(fullDisk.works).each(changes)(
  `a log on ${fullDisk.name} that fills up in the middle of a flush; %s`,
  (name, change) => {
    function setUp() {
      const disk = makeFullDisk()
      return { disk, file: path.join(disk.directory, 'app.log') }
    }
    const notesIn = (files: string[]): number =>
      files.reduce((sum, name) => sum + fs.readFileSync(name, 'latin1').split(NOTE).length - 1, 0)

    it.each(cases)(
      '$kind, lines of $width bytes: once there is room, every line is there once',
      async ({ kind, width }) => {
        const { disk, file } = setUp()
        const logger = await failing(kind, file, width)
        // What is written between copy and truncation is in neither.
        const copy = path.join(tempDir(), 'app.log.1')
        const early = name === COPIED ? await logger.standingStill(() => change(file, copy)) : undefined
        disk.free()
        const { rotated, notes, left } = early ?? change(file, copy)
        await logger.goesOn()
        // It tries again all the time: others may append while the rest of a line is on its way.
        // Where the rest was written before the file was renamed, there is none of the old name.
        const files = [...rotated, file].filter(at => fs.existsSync(at))
        await expectOnce(files, kind, [logger.logged], kind === 'ndjson' ? notes : 0, left)
        expect(notesIn(files)).toBe(notes)
      }
    )

    it.each(cases)('$kind, lines of $width bytes: the same after a kill', async ({ kind, width }) => {
      const { disk, file } = setUp()
      const logger = await failing(kind, file, width)
      await logger.dies()
      if (!fs.existsSync(`${file}.1`)) expect(recover(file).status).not.toBe(0) // There is no room yet.
      disk.free()
      const { rotated, notes } = change(file, `${file}.1`)
      const next = await restarted({ kind, file, first: 1_000_000, options: { crashSafe: 'shm' }, count: 100 })
      await expectOnce([...rotated, file], kind, [logger.logged, next])
      expect(notesIn([...rotated, file])).toBe(notes)
    })
  }
)
