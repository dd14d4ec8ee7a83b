import { isOfThisBoot } from '../arena/arena-file'
import { arenaOfLog } from './arena-of-log'
import { FileSource, type Source } from './source'

/**
 * How far a log can be read without meeting a flush that is half done: where its arena says that blocks are being written, or
 * was left writing them when its owner died, or else the present size. Infinity where no arena tells. `arenaDir` as in Config.
 */
export async function stableEnd(source: Source, arenaDir?: string): Promise<number> {
  if (!(source instanceof FileSource)) return Number.POSITIVE_INFINITY
  // The size comes first: what it counts is complete if no flush is under way afterwards.
  const { size, ino } = await source.handle.stat({ bigint: true })
  try {
    const arena = arenaOfLog(source.path, arenaDir)
    if (!arena) return Number.POSITIVE_INFINITY
    try {
      const state = arena.state()
      if (state.logInode !== ino || !isOfThisBoot(arena.owner)) return Number.POSITIVE_INFINITY
      return state.flushingAt ?? Number(size)
    } finally {
      arena.close()
    }
  } catch {
    // An arena that may not or cannot be read says nothing; whoever wants to know why asks for it by itself.
    return Number.POSITIVE_INFINITY
  }
}
