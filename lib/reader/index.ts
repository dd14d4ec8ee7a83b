/**
 * Reading logs. What does it is loaded when it is first called: a program that logs seldom reads
 * what it has logged.
 */

import type { LogPath } from './log-place'
import {
  type LogEntries,
  type ReadOptions,
  type RecoverOptions,
  type RecoverReport,
  readLog as read,
  recoverLog as recover
} from './read-log'
import { type VerifyOptions, type VerifyReport, verifyLog as verify } from './verify-log'

export type { SequenceRange } from './block-scanner'
export type { BlockInfo, Damage, DamageKind, Entry, FormatChoice, LogFormat } from './items'
export type { WaitingReport } from './log-place'
export type { LogEntries, ReadOptions, RecoveredArena, RecoverOptions, RecoverReport } from './read-log'
export type { VerifyOptions, VerifyProgress, VerifyReport } from './verify-log'

/**
 * Reads one log, or several, in memory that does not grow with their size. Corrupt parts are
 * stepped over and told to `onDamage`; docs/reference/log-format.md says by which rules.
 *
 * @param path file or files, as strings or `file:` URLs; pipes can be read too, but not followed
 * @returns an async iterable of entries; `batches()` of it gives arrays of them
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` at once for wrong options; while iterating,
 *   `ERR_SHARDLOG_READ` if a file cannot be opened or read, `ERR_SHARDLOG_FORMAT` if it is neither
 *   blocks nor text, and `ERR_SHARDLOG_CORRUPT` with `strict`
 */
export function readLog(path: LogPath | readonly LogPath[], options?: ReadOptions): LogEntries {
  return read(path, options)
}

/**
 * Reads every block of a log and checks it: headers, entries, checksums, padding, sequence numbers;
 * of a text, that every line is JSON. What waits in the log's arena is checked and counted as well.
 * Changes nothing.
 *
 * @throws ShardlogError `ERR_SHARDLOG_READ` if the file cannot be read, `ERR_SHARDLOG_FORMAT` if it
 *   is neither blocks nor text; damage is reported, not thrown
 */
export async function verifyLog(path: LogPath, options?: VerifyOptions): Promise<VerifyReport> {
  return verify(path, options)
}

/**
 * Writes the entries that dead processes left in arenas into their log, each once and in order, and
 * removes the arenas. With no arena there is nothing to do. The path may also be that of the log's
 * arena. Needs the native engine; blocks the thread while it writes.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`, `ERR_SHARDLOG_LOCKED` if the owner is alive,
 *   `ERR_SHARDLOG_NO_NATIVE`, `ERR_SHARDLOG_RECOVERY`, `ERR_SHARDLOG_ARENA_VERSION`,
 *   `ERR_SHARDLOG_ARENA_CORRUPT`; the arena is kept then
 */
export async function recoverLog(logPath: LogPath, options?: RecoverOptions): Promise<RecoverReport> {
  return recover(logPath, options)
}
