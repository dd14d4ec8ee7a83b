import type { ArenaFile } from '../arena/arena-file'
import type { WaitingSegment } from '../arena/waiting-segments'
import type { BlockInfo } from './types'

/** A segment's generation as trailers tell it: modulo 2^32. */
export const generationOf = (waiting: WaitingSegment): number => Number(waiting.generation & 0xffff_ffffn)

/** What is known of entries that wait in a segment of an arena, as if they were a block; `own` is what its reader found. */
export function arenaBlock(
  arena: ArenaFile,
  logPath: string,
  waiting: WaitingSegment,
  own: Pick<BlockInfo, 'valid' | 'entries' | 'firstTime' | 'lastTime'>
): BlockInfo {
  return {
    path: logPath,
    offset: waiting.position,
    source: 'arena',
    hasTrailer: false,
    recovered: false,
    stream: arena.stream,
    generation: generationOf(waiting),
    segment: waiting.segment,
    producer: waiting.producer,
    ...own
  }
}
