import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { arenaOf } from '../support/arena-path'
import { tempDir, tempLog } from '../support/temp'
import { expectNothingLost, expectOnce, type Kind, killed, kinds, leftBeside, recover, restarted } from './support'

const NEXT = 10_000_000
const NOTE = 'a note of the operator\n'

/** What happens to a log between a kill in the middle of a flush and the next start. */
interface Change {
  name: string
  kinds?: Kind[]
  options?: object
  /**
   * Nobody can tell how far the interrupted write has come: what it was about is repeated, and
   * nothing is lost.
   */
  repeats?: boolean
  /** Returns the log that is opened then, and what of it lies elsewhere. */
  happens(file: string): { log: string; rotated: string[] }
}

const unchanged = (log: string, ...rotated: string[]) => ({ log, rotated })

function rename(file: string, to = `${file}.1`): string {
  fs.renameSync(file, to)
  return to
}

function copyTo(directory: string, file: string): string {
  spawnSync('cp', [
    '-a',
    ...fs.readdirSync(path.dirname(file)).map(name => path.join(path.dirname(file), name)),
    directory
  ])
  return path.join(directory, path.basename(file))
}

const changes: Change[] = [
  { name: 'nothing happens to it', happens: file => unchanged(file) },
  {
    name: 'it is copied to another folder together with its arena',
    happens: file => unchanged(copyTo(tempDir(), file))
  },
  {
    name: 'its folder is renamed',
    happens: file => {
      const directory = path.join(tempDir(), 'moved')
      fs.renameSync(path.dirname(file), directory)
      fs.mkdirSync(path.dirname(file))
      return unchanged(path.join(directory, path.basename(file)))
    }
  },
  { name: 'it is renamed', happens: file => unchanged(file, rename(file)) },
  {
    name: 'it is renamed, and an empty file made in its place',
    happens: file => {
      const rotated = rename(file)
      fs.writeFileSync(file, '')
      return unchanged(file, rotated)
    }
  },
  {
    name: 'it is copied and cut',
    happens: file => {
      fs.copyFileSync(file, `${file}.1`)
      fs.truncateSync(file, 0)
      return unchanged(file, `${file}.1`)
    }
  },
  {
    name: 'it is renamed twice',
    happens: file => {
      const rotated = rename(rename(file), `${file}.2`)
      fs.writeFileSync(`${file}.1`, '')
      fs.writeFileSync(file, '')
      return unchanged(file, rotated, `${file}.1`)
    }
  },
  {
    name: 'it is renamed by date, without its extension',
    happens: file => unchanged(file, rename(file, file.replace(/\.log$/, '-2026-11-29.log')))
  },
  {
    name: 'it is renamed into a folder for old logs',
    happens: file => {
      fs.mkdirSync(path.join(path.dirname(file), 'old'))
      return unchanged(file, rename(file, path.join(path.dirname(file), 'old', 'app.log.1')))
    }
  },
  {
    name: 'it is renamed into a folder for old logs that a symbolic link leads to, twice',
    happens: file => {
      const folder = path.join(tempDir(), 'old')
      fs.mkdirSync(folder)
      for (const name of ['archive', 'old']) fs.symlinkSync(folder, path.join(path.dirname(file), name))
      fs.symlinkSync('.', path.join(path.dirname(file), 'here'))
      return unchanged(file, rename(file, path.join(folder, 'app.log.1')))
    }
  },
  {
    name: 'it is renamed into a folder for old logs elsewhere',
    repeats: true,
    happens: file => unchanged(file, rename(file, path.join(tempDir(), 'app.log.1')))
  },
  {
    name: 'it is renamed and compressed',
    kinds: ['ndjson'],
    repeats: true,
    happens: file => {
      const rotated = rename(file)
      spawnSync('gzip', [rotated])
      return unchanged(file, `${rotated}.gz`)
    }
  },
  {
    name: 'its arena is copied away and restored when the log has been recovered',
    happens: file => {
      fs.copyFileSync(arenaOf(file), `${file}.backup`)
      expect(recover(file).status).toBe(0)
      fs.renameSync(`${file}.backup`, arenaOf(file))
      return unchanged(file)
    }
  },
  {
    name: 'with its arena in /dev/shm it is renamed',
    options: { crashSafe: 'shm' },
    happens: file => unchanged(file, rename(file))
  },
  {
    name: 'with its arena in /dev/shm it is copied and cut',
    options: { crashSafe: 'shm' },
    happens: file => {
      fs.copyFileSync(file, `${file}.1`)
      fs.truncateSync(file, 0)
      return unchanged(file, `${file}.1`)
    }
  },
  {
    name: 'without direct I/O and synchronous writes it is renamed',
    options: { dsync: false, directIO: 'off' },
    happens: file => unchanged(file, rename(file))
  },
  {
    name: 'others append to it',
    happens: file => {
      fs.appendFileSync(file, NOTE)
      return unchanged(file)
    }
  },
  {
    name: 'others append to it, and it is renamed',
    happens: file => {
      fs.appendFileSync(file, NOTE)
      const rotated = rename(file)
      fs.appendFileSync(rotated, NOTE)
      return unchanged(file, rotated)
    }
  },
  {
    name: 'it is made read-only',
    happens: file => {
      fs.chmodSync(file, 0o444)
      return unchanged(file)
    }
  },
  {
    name: 'it has a second name',
    happens: file => {
      fs.linkSync(file, `${file}.link`)
      return unchanged(file)
    }
  }
]

describe.each(changes)('a log whose process is killed while it writes; $name', change => {
  const { happens, options, repeats, kinds: only } = change
  const promise = repeats ? 'no line is lost' : 'every line is there once over all files'
  it.each(only ?? kinds)(`%s: ${promise}`, async kind => {
    const file = tempLog()
    const first = await killed({ kind, file, first: 0, options })
    const { log, rotated } = happens(file)
    const next = await restarted({ kind, file: log, first: NEXT, options })
    if (repeats) await expectNothingLost(rotated, log, kind, [first, next])
    else await expectOnce([...rotated, log], kind, [first, next])
    expect(leftBeside(log)).toEqual([])
  })
})
