import { arenaOfLog, countWaiting, type WaitingReport } from '../../lib/reader/log-place'

/** Counts what waits in the arena of a log; null if there is none. */
export function waitingEntries(logPath: string): WaitingReport | null {
  const arena = arenaOfLog({ path: logPath })
  if (!arena) return null
  try {
    return countWaiting(arena)
  } finally {
    arena.close()
  }
}
