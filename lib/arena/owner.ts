import { readFileSync, readlinkSync } from 'node:fs'

export interface ArenaOwner {
  pid: number
  /** The namespace in which the pid counts; 0 if it is not known. */
  pidNamespace: bigint
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

/** Inode of the pid namespace whose processes /proc shows; undefined without /proc. */
function ownPidNamespace(): bigint | undefined {
  try {
    return BigInt(/\[(\d+)\]/.exec(readlinkSync('/proc/self/ns/pid'))![1]!)
  } catch {
    return undefined
  }
}

/** Whether the kernel knows a process with the pid, be it one that /proc hides from us. */
function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/**
 * Whether the process that made an arena may still be running: also where that cannot be told, since it runs in another pid namespace (a
 * container's), or there is no /proc.
 */
export function isOwnerAlive(owner: ArenaOwner): boolean {
  if (!isOfThisBoot(owner)) return false
  const namespace = ownPidNamespace()
  if (namespace === undefined) return true
  if (owner.pidNamespace !== 0n && owner.pidNamespace !== namespace) return true
  const stat = readProc(`/proc/${owner.pid}/stat`)
  if (stat === null) return exists(owner.pid)
  // The command name in parentheses may hold anything, so fields are counted from behind it; the state is field 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const state = fields[0]
  return fields[19] === String(owner.start) && state !== 'Z' && state !== 'X'
}
