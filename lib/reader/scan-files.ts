import { isArenaHead } from '../arena/arena-file'
import type { ShardlogError } from '../errors'
import { SECTOR_BYTES } from '../format/constants'
import { scanArena } from './arena-log'
import { arenaOfLog } from './arena-of-log'
import { readError } from './errors'
import { LogFollower } from './log-follower'
import { makeScanner, type OpenOptions, sourceFormat } from './open-scanner'
import { openSource } from './open-source'
import { FileSource, type Source } from './source'
import { stableEnd } from './stable-end'
import type { DamageReport, LogFormat, ScanItem, Scanner } from './types'

/** Where reading may go on behind what a scanner has read: at a line, or a sector. */
export function resumePosition({ position }: Scanner, format: LogFormat): number {
  return format === 'ndjson' ? position : position - (position % SECTOR_BYTES)
}

/**
 * Batches of what stands in one source, in file order; closes it at the end.
 * @returns where reading may go on when there is more
 */
export async function* scanSource(source: Source, options: OpenOptions = {}): AsyncGenerator<ScanItem[], number> {
  let scanner: Scanner | null = null
  try {
    // What is too short to tell is empty, or a torn block.
    const format = (await sourceFormat(source, options.format, options.arenaDir)) ?? 'shard'
    scanner = makeScanner(source, format, options)
    scanner.limit = await stableEnd(source, options.arenaDir)
    for (let items = await scanner.next(); items !== null; items = await scanner.next()) yield items
    return resumePosition(scanner, format)
  } catch (error) {
    throw readError(source.path, error)
  } finally {
    await scanner?.close()
    await source.close()
  }
}

/**
 * Batches of what waits in the arena of a log, whose file has been read as far as `start`; and of what its process writes to the
 * file meanwhile. All that was accepted before the call comes, each entry once; a process that goes on logging does not keep it going.
 */
export async function* scanWaiting(
  path: string,
  start: number,
  options: OpenOptions
): AsyncGenerator<ScanItem[], void> {
  const { salvage = false, format = 'auto', arenaDir } = options
  const follower = new LogFollower(path, { start, salvage, format, arenaDir })
  try {
    const goal = follower.activeGeneration()
    const wrong = follower.arenaError
    if (wrong && !isForbidden(wrong)) yield [badArena(path, wrong)]
    if (goal === null) return
    for (let items = await follower.round(); items !== null; items = await follower.round()) {
      if (items.length > 0) yield items
      if (await follower.isPast(goal)) return
    }
    const foreign = await follower.foreignItems()
    if (foreign.length > 0) yield foreign
  } catch (error) {
    throw readError(path, error)
  } finally {
    await follower.close()
  }
}

/** Whether a source is an arena. */
export async function isArena(source: Source): Promise<boolean> {
  return isArenaHead(await source.head())
}

/** That others may not read an arena is as it should be. */
export function isForbidden(error: NodeJS.ErrnoException): boolean {
  return error.code === 'EACCES' || error.code === 'EPERM'
}

function badArena(path: string, { message }: Error): DamageReport {
  return { kind: 'damage', damage: { kind: 'bad-arena', path, offset: 0, length: 0, message } }
}

/** Whether there is an arena for a log, sound or not, that may be read; `arenaDir` as in Config. */
export function hasArena(logPath: string, arenaDir?: string): boolean {
  try {
    const arena = arenaOfLog(logPath, arenaDir)
    arena?.close()
    return arena !== null
  } catch (error) {
    return !isForbidden(error as Error) // Whoever reads it is told what is wrong with it.
  }
}

/** The source of a log; null if there is only its arena. `arenaDir` as in Config. */
export async function openLog(path: string, arenaDir?: string): Promise<Source | null> {
  try {
    return await openSource(path)
  } catch (error) {
    if ((error as ShardlogError).errno === 'ENOENT' && hasArena(path, arenaDir)) return null
    throw error
  }
}

/**
 * Batches of one log: what stands in the file, then what waits in its arena. The log may be an arena itself, or the file be missing.
 */
export async function* scanLog(path: string, options: OpenOptions): AsyncGenerator<ScanItem[], void> {
  const source = await openLog(path, options.arenaDir)
  if (source && (options.format ?? 'auto') === 'auto' && (await isArena(source))) {
    await source.close()
    yield* scanArena(path)
    return
  }
  const isFile = source instanceof FileSource
  const end = source ? yield* scanSource(source, options) : 0
  if (source === null || isFile) yield* scanWaiting(path, end, options)
}

/** Batches of several logs, one after the other. */
export async function* scanFiles(paths: readonly string[], options: OpenOptions): AsyncGenerator<ScanItem[], void> {
  for (const path of paths) yield* scanLog(path, options)
}
