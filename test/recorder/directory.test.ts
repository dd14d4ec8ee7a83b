import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readSnapshot } from '../../lib/public'
import { run, succeeds } from '../support/run'
import { diskName, smallDisk } from '../support/small-disk'
import { childProgram, live, othersIn, snapshotsIn } from '../support/snapshots'
import { tempDir } from '../support/temp'

// The directory of the snapshots, in states in which it takes none: the program goes on, is told
// once, and what it has recorded stays.

const isRoot = process.getuid?.() === 0
const leftOut = (unless: boolean, why: string): string => (unless ? '' : ` (left out: ${why})`)

interface Tried {
  failed: { code: string; errno?: string } | null
  snapshots: number
  snapshotErrors: number
  kept: string[]
}

interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

function expectToGoOn({ status, stdout, stderr }: Ended, errno: string | RegExp): void {
  expect(status).toBe(0)
  const { failed, ...rest } = JSON.parse(stdout) as Tried
  expect(failed).toMatchObject({ code: 'ERR_SHARDLOG_SNAPSHOT', errno: expect.stringMatching(errno) as string })
  expect(rest).toEqual({ snapshots: 0, snapshotErrors: 2, kept: ['first', 'second'] })
  expect(stderr.match(/cannot write the snapshot/g)).toHaveLength(1)
}

describe('the directory of the snapshots', () => {
  it(`is full: ${diskName}`, async () => {
    const disk = await smallDisk()
    const ring = path.join(tempDir(), 'ring')
    const directory = path.join(disk.directory, 'snapshots')
    fs.mkdirSync(path.join(disk.view, 'snapshots'), { recursive: true })
    const [command, ...args] = [...disk.wrapper(), process.execPath, childProgram, 'tries']
    const options = JSON.stringify({ directory, path: ring })
    disk.fill(process.pid)
    const ended = spawnSync(command as string, [...args, options], { encoding: 'utf8', timeout: 30_000 })
    expectToGoOn(ended, disk.errno)
    expect(fs.readdirSync(path.join(disk.view, 'snapshots'))).toEqual([])
  })

  it.skipIf(!isRoot)(`is read-only${leftOut(isRoot, 'needs root to mount')}`, () => {
    const directory = tempDir()
    run('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', directory])
    onTestFinished(() => void run('umount', [directory]))
    expectToGoOn(live('tries', { directory, path: path.join(tempDir(), 'ring') }), 'EROFS')
  })

  it.skipIf(!isRoot)(`is another user's${leftOut(isRoot, 'needs root to become another')}`, () => {
    const directory = tempDir()
    fs.chmodSync(directory, 0o755)
    expectToGoOn(live('triesAsNobody', { directory, path: false }), 'EACCES')
    expect(fs.readdirSync(directory)).toEqual([])
  })

  it.skipIf(!isRoot)(`may be written to and not be read${leftOut(isRoot, 'needs root to become another')}`, () => {
    const directory = tempDir()
    fs.chmodSync(directory, 0o733)
    const { status, stdout, stderr } = live('triesAsNobody', { directory, path: false })
    expect([status, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toEqual({ failed: null, snapshots: 2, snapshotErrors: 0, kept: ['first', 'second'] })
    expect(snapshotsIn(directory)).toHaveLength(2)
  })

  it('is gone, and is made again', () => {
    const directory = path.join(tempDir(), 'snapshots')
    fs.mkdirSync(directory)
    const { status, stdout, stderr } = live('triesWhereItWas', { directory, path: path.join(tempDir(), 'ring') })
    expect([status, stderr]).toEqual([0, ''])
    expect(JSON.parse(stdout)).toEqual({ failed: null, snapshots: 2, snapshotErrors: 0, kept: ['first', 'second'] })
    expect(
      snapshotsIn(directory)
        .map(file => readSnapshot(file).reason)
        .sort()
    ).toEqual(['fatal', 'tried'])
  })

  it.skipIf(!isRoot)(
    `has snapshots of others, which retention leaves alone${leftOut(isRoot, 'needs root to give files away')}`,
    async () => {
      const directory = tempDir()
      const foreign = path.join(directory, 'shardlog-1-20200101000000000-old.bin')
      fs.writeFileSync(foreign, 'not ours')
      fs.chownSync(foreign, 65534, 65534)
      fs.utimesSync(foreign, 1, 1)
      expect(live('tries', { directory, path: false, retention: { files: 1, age: 1000, bytes: 1 } }).status).toBe(0)
      expect(fs.existsSync(foreign)).toBe(true)
      expect(snapshotsIn(directory)).toHaveLength(2)
    }
  )
})

it.skipIf(!isRoot)(
  `keeps the ring of a crash where the directory is read-only${leftOut(isRoot, 'needs root to mount')}`,
  () => {
    const directory = tempDir()
    const place = tempDir()
    const ring = path.join(place, 'ring')
    run('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', directory])
    const umount = (): boolean => succeeds('umount', [directory])
    onTestFinished(() => void umount())
    const { status, stderr } = live('throws', { directory, path: ring })
    expect(status).toBe(1)
    expect(stderr).toContain('TypeError: a bug')
    expect(umount()).toBe(true)
    const { stdout } = live('harvests', { directory, path: ring })
    const [file] = JSON.parse(stdout) as string[]
    expect(readSnapshot(file!).events.at(-1)).toMatchObject({ message: 'a bug' })
    expect(othersIn(place)).toEqual([])
  }
)

// A listener of exit throws, when the ring's file is gone: what is lost then is told.

/** Of a process that has thrown at its exit: what it said of that, and its status. */
interface ExitTold {
  status: number | null
  stdout: string
  stderr: string
}

/** As a process in a directory that takes the snapshot, but for the snapshot. */
function expectTold(life: string, told: ExitTold, errno: string | RegExp): void {
  const directory = tempDir()
  const good = live(life, { directory, path: path.join(tempDir(), 'ring') })
  expect(snapshotsIn(directory)).toHaveLength(1)
  expect(good.stderr).not.toContain('cannot write')
  expect(told.status).toBe(good.status)
  const [line, ...others] = told.stderr.split('\n').filter(text => text.includes('cannot write the snapshot'))
  expect(line).toMatch(/^shardlog: /)
  expect(line).toMatch(errno)
  expect(line).toContain('ERR_SHARDLOG_SNAPSHOT')
  expect(others).toEqual([])
  const rest = told.stderr.split('\n').filter(text => text !== line)
  expect(rest.join('\n').replace(/\d+/g, 'n')).toBe(good.stderr.replace(/\d+/g, 'n'))
  if (life !== 'throwsAtExitWithHandlers') return
  expect(JSON.parse(good.stdout)).toEqual({ error: 'at the end', snapshots: 1, snapshotErrors: 0, code: null })
  const code = 'ERR_SHARDLOG_SNAPSHOT'
  expect(JSON.parse(told.stdout)).toEqual({ error: 'at the end', snapshots: 0, snapshotErrors: 1, code })
}

describe.each(['throwsAtExit', 'throwsAtExitWithHandlers'])(
  'a snapshot of a listener of exit that throws: %s',
  life => {
    it('cannot be written where a file is in the way', () => {
      const file = path.join(tempDir(), 'file')
      fs.writeFileSync(file, '')
      const ring = path.join(tempDir(), 'ring')
      expectTold(life, live(life, { directory: path.join(file, 'sub'), path: ring }), /ENOTDIR/)
      expect(fs.readdirSync(path.dirname(ring))).toEqual([])
    })

    it(`cannot be written where the disk is full: ${diskName}`, async () => {
      const disk = await smallDisk()
      fs.mkdirSync(path.join(disk.view, 'snapshots'), { recursive: true })
      const [command, ...args] = [...disk.wrapper(), process.execPath, childProgram, life]
      const options = JSON.stringify({
        directory: path.join(disk.directory, 'snapshots'),
        path: path.join(tempDir(), 'ring')
      })
      disk.fill(process.pid)
      const told = spawnSync(command as string, [...args, options], { encoding: 'utf8', timeout: 30_000 })
      expectTold(life, told, disk.errno)
      expect(fs.readdirSync(path.join(disk.view, 'snapshots'))).toEqual([])
    })

    it.skipIf(!isRoot)(`cannot be written to what is read-only${leftOut(isRoot, 'needs root to mount')}`, () => {
      const directory = tempDir()
      run('mount', ['-t', 'tmpfs', '-o', 'ro', 'tmpfs', directory])
      onTestFinished(() => void run('umount', [directory]))
      expectTold(life, live(life, { directory, path: path.join(tempDir(), 'ring') }), /EROFS/)
    })

    it('is written to a directory that was gone', () => {
      const directory = path.join(tempDir(), 'snapshots')
      expect(live(life, { directory, path: path.join(tempDir(), 'ring') }).stderr).not.toContain('cannot write')
      expect(snapshotsIn(directory)).toHaveLength(1)
    })
  }
)
