import type { Damage } from '../reader/types'
import { waitingEntries } from '../reader/waiting'
import { plural } from './human'

/** A line on stderr for a person. */
export function say(line: string): void {
  process.stderr.write(`shardlog: ${line}\n`)
}

/** Says where a log is damaged. */
export function sayDamage(damage: Damage): void {
  const bytes = damage.length > 0 ? `, ${plural(damage.length, 'byte')}` : ''
  say(`${damage.path}: offset ${damage.offset}${bytes}: ${damage.kind}: ${damage.message}`)
}

/**
 * Says so if entries of a log wait in an arena, and what to do. Returns false if the arena cannot be read; that others may not
 * read it is as it should be.
 */
export function sayWaiting(path: string): boolean {
  try {
    const waiting = waitingEntries(path)
    if (!waiting || waiting.entries === 0) return true
    const what = `${plural(waiting.entries, 'entry', 'entries')} more ${waiting.entries === 1 ? 'waits' : 'wait'} in ${waiting.arenaPath}`
    const pid = waiting.ownerPid
    if (waiting.ownerAlive) say(`${path}: ${what}; process ${pid} will write them (tail -f shows them now)`)
    else say(`${path}: ${what}, left by process ${pid}; write them to the log with: shardlog recover ${path}`)
    return true
  } catch (error) {
    say(`${path}: ${(error as Error).message}`)
    return (error as NodeJS.ErrnoException).code === 'EACCES'
  }
}
