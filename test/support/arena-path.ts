import { fileArenaPath, oldArenaPath } from '../../lib/arena/locate'

/** Where the arena of a log lies beside it. */
export const arenaOf = (log: string): string => fileArenaPath(log)

/** Where it lay before names of arenas began with a dot. */
export const oldArenaOf = (log: string): string => oldArenaPath(log)
