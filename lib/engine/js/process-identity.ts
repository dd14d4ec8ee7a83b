import fs from 'node:fs'

/** State and start time of a process, of /proc/<pid>/stat; undefined without /proc, or without such a process. */
function statOf(pid: number | 'self'): { state: string; startTime: string } | undefined {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    // The command in parentheses may hold anything, so fields are counted from behind it.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0]!, startTime: fields[19]! }
  } catch {
    return undefined // isAlive asks the kernel.
  }
}

/** Clock ticks since boot at which this process started. '0' where there is no /proc. */
export const ownStartTime = (): string => statOf('self')?.startTime ?? '0'

/** Whether the process `pid` that started at `startTime` still runs. */
export function isAlive(pid: number, startTime: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const stat = statOf(pid)
  if (stat === undefined) return true
  return stat.state !== 'Z' && (startTime === '0' || stat.startTime === startTime)
}

const major = (device: bigint): bigint => ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)
const minor = (device: bigint): bigint => (device & 0xffn) | ((device >> 12n) & 0xffffff00n)

/** Pid of the process that holds a flock on `file`, as the native engine does while it has the log open; undefined if none. */
export function flockHolder(file: string): number | undefined {
  let locks: string
  try {
    locks = fs.readFileSync('/proc/locks', 'latin1')
  } catch {
    return undefined // Not Linux: there is no native engine with a flock either.
  }
  const { dev, ino } = fs.statSync(file, { bigint: true })
  const hex = (value: bigint): string => value.toString(16).padStart(2, '0')
  const id = `${hex(major(dev))}:${hex(minor(dev))}:${ino}`
  for (const line of locks.split('\n')) {
    const fields = line.trim().split(/\s+/)
    if (fields[1] === 'FLOCK' && fields[5] === id) return Number(fields[4])
  }
  return undefined
}
