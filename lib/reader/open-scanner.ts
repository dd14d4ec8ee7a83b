import { FORM_TEXT } from '../arena/arena-file'
import { arenaOfLog } from './arena-of-log'
import { detectFormat, type FormatChoice } from './format'
import { LineScanner, type LineScannerOptions } from './line-scanner'
import { BlockScanner, type ScannerOptions } from './scanner'
import { FileSource, type Source } from './source'
import type { LogFormat, Scanner } from './types'

/** What either scanner takes, the format, default 'auto', and where else the arena may lie, as in Config. */
export type OpenOptions = ScannerOptions & LineScannerOptions & { format?: FormatChoice; arenaDir?: string | undefined }

/** What the arena of a log says that the log is; null if there is none that can be read. */
export function formatOfArena(logPath: string, arenaDir?: string): LogFormat | null {
  try {
    const arena = arenaOfLog(logPath, arenaDir)
    if (!arena) return null
    arena.close()
    return arena.form === FORM_TEXT ? 'ndjson' : 'shard'
  } catch {
    // One that may not or cannot be read says nothing; whoever wants to know why asks for it by itself.
    return null
  }
}

/**
 * What a source is: what was asked for, what its bytes say, or, where they do not tell, its arena.
 * @returns null if it is empty, or too short to tell, and nothing else tells
 * @throws ShardlogError `ERR_SHARDLOG_FORMAT` if it is neither
 */
export async function sourceFormat(
  source: Source,
  choice: FormatChoice = 'auto',
  arenaDir?: string
): Promise<LogFormat | null> {
  if (choice !== 'auto') return choice
  return detectFormat(source, source instanceof FileSource ? formatOfArena(source.path, arenaDir) : null)
}

/** The scanner for a format. */
export function makeScanner(source: Source, format: LogFormat, options: OpenOptions): Scanner {
  return format === 'ndjson' ? new LineScanner(source, options) : new BlockScanner(source, options)
}
