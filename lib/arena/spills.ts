import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import path from 'node:path'
import { crc32c } from '../format/crc32c'
import type { LoadSpilled } from '../record/render'
import type { ArenaFile } from './arena-file'

const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
const LONGEST_NAME = 200

/** What the names of an arena's spills begin with. As `native/engine/spills.cc`. */
function prefixOf({ path: arena, stream }: ArenaFile): string {
  // One that was set aside keeps the spills that lie where it was.
  const place = arena.replace(/\.aside-[^/]*$/, '')
  const name = path.basename(place)
  const stem = Buffer.byteLength(name) > LONGEST_NAME ? '.shardlog' : name
  return path.join(path.dirname(place), `${stem}.spill-${stream.toString(16).padStart(16, '0')}-`)
}

function readWhole(fd: number, length: number): Buffer | null {
  const info = fstatSync(fd)
  if (!info.isFile() || info.size !== length) return null
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length; ) {
    const count = readSync(fd, bytes, done, length - done, done)
    if (count === 0) return null
    done += count
  }
  return bytes
}

function readFile(file: string, length: number): Buffer | null {
  let fd: number
  try {
    fd = openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
  } catch {
    return null // Removed by now, since its line is in the log; or a damaged arena that tells of none.
  }
  try {
    return readWhole(fd, length)
  } finally {
    closeSync(fd)
  }
}

/** Reads the spills of an arena. */
export function loadSpilled(arena: ArenaFile): LoadSpilled {
  return ({ id, length, crc }) => {
    const bytes = readFile(`${prefixOf(arena)}${id}`, length)
    return bytes !== null && crc32c(bytes, 0, 0, length) === crc ? bytes : null
  }
}
