import fs from 'node:fs'

/** Field 22 of /proc/<pid>/stat: clock ticks since boot at which the process started. '0' where there is no /proc. */
export function startTimeOf(pid: number | 'self'): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0'
  } catch {
    return '0' // No /proc, or no such process; isAlive asks the kernel.
  }
}

/** Whether the process `pid` that started at `startTime` still runs. */
export function isAlive(pid: number, startTime: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const now = startTimeOf(pid)
  return now === '0' || startTime === '0' || now === startTime
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
