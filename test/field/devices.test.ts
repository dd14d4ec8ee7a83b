import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { expectOnce, killed, kinds, leftBeside, restarted } from './support'
import { makeVolume, volumeKinds } from './volumes'

/** Where the buffers are: those in /dev/shm do not come along under another device number. */
const changes: [string, (file: string) => string[]][] = [
  ['as it was', () => []],
  [
    'after a rotation',
    file => {
      fs.renameSync(file, `${file}.1`)
      return [`${file}.1`]
    }
  ]
]

describe.each(volumeKinds)('a log on $name', ({ kind: volumeKind, works }) => {
  describe.runIf(works).each(changes)('whose volume comes back as another device, %s,', (_name, change) => {
    it.each(kinds)('%s: every line is there once', async kind => {
      const volume = makeVolume(volumeKind)
      const file = path.join(volume.directory, 'app.log')
      const first = await killed({ kind, file, first: 0 })
      const rotated = change(file)
      const { dev } = fs.statSync(volume.directory)
      volume.comeBack()
      if (volumeKind !== 'overlayfs' && volumeKind !== 'btrfs') expect(fs.statSync(volume.directory).dev).not.toBe(dev)
      const next = await restarted({ kind, file, first: 1_000_000 })
      await expectOnce([...rotated, file], kind, [first, next])
      expect(leftBeside(file)).toEqual([])
    })
  })

  it.runIf(!works)('is left out', () => {
    expect(works).toBe(false)
  })
})
