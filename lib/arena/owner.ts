import { readFileSync } from 'node:fs'

export interface ArenaOwner {
  pid: number
  /** Clock ticks after boot at which it started: tells it from a later process with the same pid. */
  start: bigint
  /** Hex digits of the boot's id. */
  bootId: string
}

function readProc(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // No such process, or no procfs: the caller decides what that means.
    return null
  }
}

/** Whether the machine has been running since the arena was made; also where that cannot be told. */
export function isOfThisBoot(owner: ArenaOwner): boolean {
  const boot = readProc('/proc/sys/kernel/random/boot_id')
  return boot === null || boot.replaceAll('-', '').trim() === owner.bootId
}

/** Whether the process that made an arena is still running. */
export function isOwnerAlive(owner: ArenaOwner): boolean {
  if (!isOfThisBoot(owner)) return false
  const stat = readProc(`/proc/${owner.pid}/stat`)
  if (stat === null) return false
  // The command name in parentheses may hold anything, so fields are counted from behind it; the state is field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  return fields[19] === String(owner.start) && state !== 'Z' && state !== 'X'
}
