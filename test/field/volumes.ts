import fs from 'node:fs'
import path from 'node:path'
import { onTestFinished } from 'vitest'
import { run, succeeds } from '../support/run'
import { diskKind } from '../support/small-disk'
import { tempDir } from '../support/temp'

const MIB = 1 << 20

/** A file system whose device number another mount does not keep. */
export interface Volume {
  directory: string
  /** Unmounts it and mounts it again, as another device. */
  comeBack(): void
}

export type VolumeKind = 'ext4' | 'ext4 on sectors of 4096 bytes' | 'xfs' | 'btrfs' | 'overlayfs'

const MKFS: Record<VolumeKind, { size: number; command: string[]; losetup?: string[] }> = {
  ext4: { size: 200 * MIB, command: ['mkfs.ext4', '-q'] },
  'ext4 on sectors of 4096 bytes': {
    size: 200 * MIB,
    command: ['mkfs.ext4', '-q'],
    losetup: ['--sector-size', '4096']
  },
  xfs: { size: 300 * MIB, command: ['mkfs.xfs', '-q', '-f'] },
  btrfs: { size: 300 * MIB, command: ['mkfs.btrfs', '-q', '-f'] },
  overlayfs: { size: 200 * MIB, command: ['mkfs.ext4', '-q'] }
}

/** Loop devices, mounts and the program that makes the file system. */
const canMake = (kind: VolumeKind): boolean =>
  diskKind === 'ext4 on a loop device' && succeeds('sh', ['-c', `command -v ${MKFS[kind].command[0]}`])

/** Each kind, and for a test's name whether it is left out. */
export const volumeKinds = (Object.keys(MKFS) as VolumeKind[]).map(kind => ({
  kind,
  works: canMake(kind),
  name: canMake(kind) ? kind : `${kind} (left out: needs root, loop devices and ${MKFS[kind].command[0]})`
}))

/** A volume that goes away with the test. */
export function makeVolume(kind: VolumeKind): Volume {
  const place = tempDir()
  const image = path.join(place, 'image')
  const mounted = path.join(place, 'disk')
  const merged = path.join(place, 'merged')
  const { size, command, losetup = [] } = MKFS[kind]
  const attach = (): string => run('losetup', ['-f', '--show', ...losetup, image]).trim()
  const isOverlay = kind === 'overlayfs'
  const directory = isOverlay ? merged : mounted
  fs.mkdirSync(mounted)
  fs.mkdirSync(merged)
  fs.writeFileSync(image, '')
  fs.truncateSync(image, size)
  let device = attach()
  const mount = (): void => {
    run('mount', [device, mounted])
    if (!isOverlay) return
    for (const name of ['lower', 'upper', 'work']) fs.mkdirSync(path.join(mounted, name), { recursive: true })
    const layers = ['lower', 'upper', 'work'].map(name => `${name}dir=${path.join(mounted, name)}`)
    run('mount', ['-t', 'overlay', 'overlay', '-o', layers.join(','), merged])
  }
  const unmount = (): void => {
    for (const at of isOverlay ? [merged, mounted] : [mounted]) run('umount', [at])
  }
  onTestFinished(() => {
    for (const at of [merged, mounted]) succeeds('umount', [at])
    run('losetup', ['-d', device])
  })
  run(command[0]!, [...command.slice(1), device])
  mount()
  return {
    directory,
    comeBack() {
      unmount()
      const before = device
      device = attach()
      run('losetup', ['-d', before])
      mount()
    }
  }
}

const canMountTmpfs = diskKind === 'ext4 on a loop device' || diskKind === 'tmpfs'

/** For a test's name: the small disk, or that it is left out. */
export const fullDisk = {
  works: canMountTmpfs,
  name: canMountTmpfs ? 'a tmpfs' : 'a tmpfs (left out: needs the right to mount)'
}

/** A tmpfs of 16 MiB of which so much is taken until `free`. */
export function makeFullDisk(taken = 10 * MIB): { directory: string; free(): void } {
  const directory = path.join(tempDir(), 'disk')
  const filler = path.join(directory, 'filler')
  fs.mkdirSync(directory)
  run('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', directory])
  onTestFinished(() => void run('umount', [directory]))
  fs.writeFileSync(filler, Buffer.alloc(taken))
  return { directory, free: () => fs.rmSync(filler) }
}
