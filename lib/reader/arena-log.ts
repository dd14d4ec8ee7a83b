import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs'
import { ArenaFile, isArenaHead } from '../arena/arena-file'
import { takeFromArena } from './arena-items'
import { readError } from './errors'
import { Shown } from './shown'
import type { ScanItem } from './types'

/** Whether there is a regular file with the beginning of an arena. */
export function beginsAsArena(path: string): boolean {
  let fd: number
  try {
    fd = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
  } catch {
    return false // Not there, or not to be read.
  }
  try {
    const head = Buffer.alloc(16)
    return fstatSync(fd).isFile() && readSync(fd, head, 0, head.length, 0) === head.length && isArenaHead(head)
  } finally {
    closeSync(fd)
  }
}

/**
 * Opens an arena that somebody has named.
 * @throws ShardlogError
 */
export function openArena(path: string): ArenaFile {
  try {
    const arena = ArenaFile.open(realpathSync(path))
    if (arena) return arena
    throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
  } catch (error) {
    throw readError(path, error)
  }
}

/** Batches of what waits in an arena, whatever of it stands in its log meanwhile. */
export async function* scanArena(path: string): AsyncGenerator<ScanItem[], void> {
  const arena = openArena(path)
  try {
    const shown = new Shown()
    const goal = arena.state().active
    // A process that goes on logging does not keep it going.
    for (let state = arena.state(); state.written <= goal; state = arena.state()) {
      const items = takeFromArena(arena, state, arena.logPath, shown)
      if (items?.length === 0) return
      if (items) yield items
    }
  } catch (error) {
    throw readError(path, error)
  } finally {
    arena.close()
  }
}
