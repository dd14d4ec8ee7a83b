import type { ArenaFile } from '../arena/arena-file'
import { isOwnerAlive } from '../arena/arena-file'
import { asideArenas } from '../arena/locate'
import { arenaOfLog, countWaiting, isForbidden, type WaitingReport } from '../reader/arena-of-log'
import type { Damage } from '../reader/items'
import { plural } from './human'
import { visibleLine } from './shown-text'

/** A line on stderr for a person. It stays one line, whatever is in it. */
export function say(line: string): void {
  process.stderr.write(`shardlog: ${visibleLine(line)}\n`)
}

/** Says where a log is damaged. */
export function sayDamage(damage: Damage): void {
  const bytes = damage.length > 0 ? `, ${plural(damage.length, 'byte')}` : ''
  say(`${damage.path}: offset ${damage.offset}${bytes}: ${damage.kind}: ${damage.message}`)
}

function sayWaiting(path: string, arenaDir: string | undefined, waiting: WaitingReport): void {
  const { entries, arenaPath, ownerPid, ofThisBoot } = waiting
  if (entries === 0) return
  const recover = `shardlog recover ${arenaDir === undefined ? '' : `--arena-dir ${arenaDir} `}${path}`
  const what = plural(entries, 'entry', 'entries')
  if (ofThisBoot) {
    say(
      `${path}: ${what} ${entries === 1 ? 'waits' : 'wait'} in ${arenaPath}, left by process ${ownerPid}; ` +
        `write them to the log with: ${recover}`
    )
  } else {
    say(
      `${path}: ${what} in ${arenaPath} ${entries === 1 ? 'is' : 'are'} of an earlier boot of the machine, and not shown, since they may ` +
        `be in the log already; what is not, is written to it by: ${recover}`
    )
  }
}

/** Says which arenas of a log were set aside. */
export function sayAsides(path: string, asides: readonly string[]): void {
  for (const aside of asides) {
    say(`${path}: ${aside} was set aside, since it could not be trusted; print it with: shardlog cat ${aside}`)
  }
}

/**
 * Says what a dead process left in the arena of a log, and what to do; and which arenas were set aside. Returns false if the arena
 * cannot be read, which has been reported as damage; that others may not read it is as it should be. `arenaDir` as in Config.
 */
export function sayArena(path: string, arenaDir?: string): boolean {
  sayAsides(path, asideArenas(path, arenaDir))
  let arena: ArenaFile | null = null
  try {
    arena = arenaOfLog(path, arenaDir)
    // What a process that is alive has not written it will write.
    if (arena && !isOwnerAlive(arena.owner)) sayWaiting(path, arenaDir, countWaiting(arena))
    return true
  } catch (error) {
    if (isForbidden(error as Error)) say(`${path}: what waits in its arena is not shown: ${(error as Error).message}`)
    return isForbidden(error as Error)
  } finally {
    arena?.close()
  }
}
