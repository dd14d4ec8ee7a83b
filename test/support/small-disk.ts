import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { run, succeeds } from './run'
import { tempDir } from './temp'

/**
 * What stands for a small disk, best first. Only a limit on the size of files needs no right to
 * mount.
 */
export type DiskKind = 'ext4 on a loop device' | 'tmpfs' | 'tmpfs in a user namespace' | 'file size limit'

const MIB = 1 << 20
const DISK_BYTES = 32 * MIB
/**
 * Taken from the start, so that there is room again when one of them goes, whatever a log has
 * reserved meanwhile.
 */
const FIRST_BALLASTS = 3
const FIRST_BALLAST_BYTES = 8 * MIB
const BALLAST_STEPS = [4 * MIB, 65_536, 4_096]

export interface SmallDisk {
  kind: DiskKind
  /** What a write answers when there is no room. */
  errno: 'ENOSPC' | 'EFBIG'
  /** Where a logger's files go, as the process that logs sees it. */
  directory: string
  /** The same directory as this process sees it. */
  view: string
  /** Command that a process which logs here is started through. */
  wrapper: () => string[]
  /** Leaves no room, for the processes given and for those started from now on. */
  fill: (pid: number) => void
  /** Makes room of some MiB, up to three times. */
  free: (pid: number) => void
}

const loopWorks = (): boolean => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'shardlog-probe-'))
  try {
    const disk = mountExt4(directory, 8 * MIB)
    disk.unmount()
    return true
  } catch {
    return false // No right to mount, or no loop devices: what is used instead is told by its name.
  } finally {
    fs.rmSync(directory, { recursive: true, force: true })
  }
}

const mountTmpfs = 'mount -t tmpfs -o size=32m tmpfs "$0"'

function bestKind(): DiskKind {
  if (loopWorks()) return 'ext4 on a loop device'
  if (succeeds('unshare', ['-m', 'sh', '-c', mountTmpfs, os.tmpdir()])) return 'tmpfs'
  if (succeeds('unshare', ['-rm', 'sh', '-c', mountTmpfs, os.tmpdir()])) return 'tmpfs in a user namespace'
  return 'file size limit'
}

/** The best that this machine allows; `SHARDLOG_TEST_DISK` names another one. */
export const diskKind: DiskKind = (process.env.SHARDLOG_TEST_DISK as DiskKind | undefined) ?? bestKind()

/** For a test's name: what is used, and that it is a substitute if it is one. */
export const diskName = diskKind === 'ext4 on a loop device' ? diskKind : `${diskKind} (for want of a loop device)`

export interface Ext4 {
  directory: string
  image: string
  device: string
  mount: (options?: string) => void
  unmount: () => void
}

/**
 * An ext4 in a file below `directory`, mounted at `directory`/disk. The device stays the same over
 * unmounting.
 */
export function mountExt4(directory: string, bytes = DISK_BYTES, features: string[] = []): Ext4 {
  const image = path.join(directory, 'image')
  const at = path.join(directory, 'disk')
  fs.mkdirSync(at)
  fs.writeFileSync(image, '')
  fs.truncateSync(image, bytes)
  run('mkfs.ext4', ['-q', '-b', '4096', '-m', '0', ...features, image])
  const device = run('losetup', ['-f', '--show', image]).trim()
  const disk: Ext4 = {
    directory: at,
    image,
    device,
    mount: options => {
      run('mount', ['-t', 'ext4', ...(options === undefined ? [] : ['-o', options]), device, at])
    },
    unmount: () => {
      spawnSync('umount', [at])
      run('losetup', ['-d', device])
    }
  }
  try {
    disk.mount()
  } catch (error) {
    disk.unmount()
    throw error
  }
  return disk
}

/** Takes all the room that is left: in large pieces first, then in single blocks. */
function pour(ballast: string): void {
  const fd = fs.openSync(ballast, 'a')
  try {
    for (const bytes of BALLAST_STEPS) {
      const piece = Buffer.alloc(bytes)
      while (fits(fd, piece)) {
        // Until it no longer does.
      }
    }
  } finally {
    fs.closeSync(fd)
  }
}

function fits(fd: number, piece: Buffer): boolean {
  try {
    const written = fs.writeSync(fd, piece)
    fs.fsyncSync(fd)
    return written === piece.length
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOSPC') return false
    throw error
  }
}

function withBallast(kind: DiskKind, directory: string, view = directory, wrapper: string[] = []): SmallDisk {
  const ballasts = Array.from({ length: FIRST_BALLASTS }, (_, i) => path.join(view, `ballast.${i}`))
  for (const file of ballasts) fs.writeFileSync(file, Buffer.alloc(FIRST_BALLAST_BYTES), { flush: true })
  return {
    kind,
    errno: 'ENOSPC',
    directory,
    view,
    wrapper: () => wrapper,
    fill: () => pour(path.join(view, 'ballast')),
    free: () => fs.rmSync(ballasts.pop()!)
  }
}

/** A mount of tmpfs that lives as long as the process that holds its namespaces. */
async function tmpfsInNamespace(at: string): Promise<SmallDisk> {
  const script = `${mountTmpfs} && echo mounted && exec sleep 600`
  const holder = spawn('unshare', ['-rm', 'sh', '-c', script, at], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void holder.kill('SIGKILL'))
  await firstOutput(holder)
  const pid = String(holder.pid)
  const enter = ['nsenter', '-U', '-m', '--preserve-credentials', '-t', pid]
  return withBallast('tmpfs in a user namespace', at, `/proc/${pid}/root${at}`, enter)
}

const firstOutput = (child: ChildProcess): Promise<void> =>
  new Promise((resolve, reject) => {
    child.stdout!.once('data', () => resolve())
    child.once('exit', code => reject(new Error(`ended with ${code}`)))
  })

/** No disk at all: files beyond a size cannot grow. */
function sizeLimit(directory: string): SmallDisk {
  let limit: number | undefined
  const argument = (): string => `--fsize=${limit ?? 'unlimited'}:unlimited`
  const apply = (pid: number): void => void spawnSync('prlimit', ['--pid', String(pid), argument()])
  return {
    kind: 'file size limit',
    errno: 'EFBIG',
    directory,
    view: directory,
    wrapper: () => ['prlimit', argument()],
    fill: pid => {
      const sizes = fs.readdirSync(directory).map(name => (name.endsWith('.log') ? sizeOf(directory, name) : 0))
      limit = Math.max(0, ...sizes) + 512
      apply(pid)
    },
    free: pid => {
      limit = undefined
      apply(pid)
    }
  }
}

const sizeOf = (directory: string, name: string): number => fs.statSync(path.join(directory, name)).size

/** A disk of 32 MiB that goes away with the test. */
export async function smallDisk(): Promise<SmallDisk> {
  const directory = tempDir()
  if (diskKind === 'file size limit') return sizeLimit(directory)
  if (diskKind === 'ext4 on a loop device') {
    const ext4 = mountExt4(directory)
    onTestFinished(ext4.unmount)
    return withBallast(diskKind, ext4.directory)
  }
  const at = path.join(directory, 'disk')
  fs.mkdirSync(at)
  if (diskKind === 'tmpfs in a user namespace') return tmpfsInNamespace(at)
  run('sh', ['-c', mountTmpfs, at])
  onTestFinished(() => void run('umount', [at]))
  return withBallast(diskKind, at)
}
