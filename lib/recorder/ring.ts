/**
 * The ring that a recorder writes to: the addon's, in a file or in memory, or that of the
 * JavaScript engine.
 */

import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { threadId } from 'node:worker_threads'
import { loadNative } from '../engine/load-native'
import { asShardlogError, fromSystemError, ShardlogError } from '../errors'
import { version } from '../own-place'
import type { RecordTarget } from '../record/record-encoder'
import type { RecorderNumbers } from '../types'
import {
  type About,
  type Arena,
  type DrainedRun,
  MOST_ABOUT_BYTES,
  overwrittenOf,
  parseArena,
  SEGMENT_BYTES,
  usedBytesOf
} from './arena'
import { JsRing } from './js-ring'
import type { ResolvedOptions } from './options'

export interface OpenRing {
  readonly engine: 'native' | 'js'
  readonly target: RecordTarget
  /** The arena's file; null: memory. */
  readonly path: string | null
  /** An arena that an earlier process has left; null: none. */
  readonly left: string | null
  /** For other addons; null: there is no addon to write to. */
  readonly native: object | null
  stats(): RecorderNumbers
  /** What is in it now. Disturbs nobody who records. */
  arena(): Arena
  countTruncated(): void
  /** Takes out what has been read of these runs: readers leave it out from now on. */
  drain(runs: readonly DrainedRun[]): void
  /**
   * The end of the process: its file is gone for others as after `close`, and what is recorded
   * still goes into memory.
   *
   * @param keep whether the file stays
   */
  leave(keep: boolean): void
  /** @param keep whether its file stays */
  close(keep: boolean): void
}

/** How many processes may have rings at paths that were not given. */
const MOST_DEFAULT_PATHS = 1000

interface Said {
  /** What the arena says of its process, as JSON. */
  about: Buffer
  /** What of it recorders have to agree on that share a ring. */
  kind: string
  /** The number of the recorder's level. */
  leastLevel: number
  messageKey: string
}

function saidOf(options: ResolvedOptions, levels: Record<string, number>, messageKey: string): Said {
  const { node = '', v8 = '' } = process.versions
  const about: About = {
    service: options.service,
    hostname: os.hostname(),
    versions: { node, v8, shardlog: version },
    levels,
    messageKey,
    capacity: options.capacity
  }
  const text = Buffer.from(JSON.stringify(about))
  const leastLevel = options.level === undefined ? Number.NEGATIVE_INFINITY : levels[options.level]!
  const kind = JSON.stringify([levels, messageKey])
  if (text.length <= MOST_ABOUT_BYTES) return { about: text, kind, leastLevel, messageKey }
  const message = `names of the service and of levels take ${text.length} bytes, a recorder has room for ${MOST_ABOUT_BYTES}`
  throw new ShardlogError('ERR_SHARDLOG_CONFIG', message)
}

/** The addon's messages speak of a log's options. */
function inOurWords(error: unknown): ShardlogError {
  const { code, message, errno, syscall, path: file } = asShardlogError(error)
  const ours = message.replace('option arenaDir', 'option path').replace('a smaller bufferSize', 'a smaller capacity')
  return new ShardlogError(code, ours, { errno, syscall, path: file, cause: error })
}

function openAt(options: ResolvedOptions, file: string | null, said: Said): OpenRing {
  const binding = loadNative()
  const { segments, maxFields } = options
  const { about, kind, leastLevel, messageKey } = said
  const handle = binding.openRecorder({
    path: file ?? '',
    segments,
    about: about.toString(),
    kind,
    thread: threadId,
    leastLevel,
    mostFields: maxFields,
    messageKey
  })
  const { keeper, direct, left, native, ...calls } = handle
  const route = direct && { ...direct, buffer: () => binding.recorderBuffer(keeper) }
  return {
    engine: 'native',
    target: { ...calls, direct: route },
    path: file,
    left,
    native,
    stats: () => binding.recorderStats(keeper),
    arena: () => parseArena(Buffer.from(binding.recorderImage(keeper)), file ?? 'the recorder', true),
    countTruncated: () => binding.countTruncated(keeper),
    drain: runs => {
      const numbers = runs.flatMap(({ sequence, end, events }) => [sequence, end, events])
      binding.drainRecorder(keeper, new Float64Array(numbers))
    },
    leave: keep => binding.leaveRecorder(keeper, keep),
    close: keep => binding.closeRecorder(keeper, keep)
  }
}

/**
 * Whether a path is another process's, another user's, or that of a recorder of this process that
 * says other things of itself.
 */
function isTaken(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === 'ERR_SHARDLOG_LOCKED' || code === 'ERR_SHARDLOG_ARENA_OWNER' || code === 'ERR_SHARDLOG_CONFIG'
}

/** @throws ShardlogError `ERR_SHARDLOG_IO` */
function makeDirectory(directory: string): void {
  try {
    fs.mkdirSync(directory, { recursive: true })
  } catch (error) {
    throw fromSystemError('ERR_SHARDLOG_IO', `cannot make the directory ${directory}`, error, directory)
  }
}

/** @throws ShardlogError with the addon's codes */
function openNativeRing(options: ResolvedOptions, said: Said): OpenRing {
  const { path: file, isDefaultPath } = options
  if (file === null) return openAt(options, null, said)
  for (let i = 1; ; i++) {
    try {
      if (isDefaultPath) makeDirectory(path.dirname(file))
      return openAt(options, i === 1 ? file : `${file}-${i}`, said)
    } catch (error) {
      if (!isDefaultPath || !isTaken(error) || i === MOST_DEFAULT_PATHS) throw inOurWords(error)
    }
  }
}

function openScriptRing(options: ResolvedOptions, about: Buffer): OpenRing {
  const ring = new JsRing(options.segments, about, threadId)
  const arena = (): Arena => parseArena(ring.image(), 'the recorder')
  return {
    engine: 'js',
    target: ring.target,
    path: null,
    left: null,
    native: null,
    stats: () => {
      const now = arena()
      const { recorded, dropped, truncated, drained } = now
      return {
        recorded,
        overwritten: overwrittenOf(now),
        drained,
        dropped,
        truncated,
        usedBytes: usedBytesOf(now),
        bytes: options.segments * SEGMENT_BYTES,
        producers: 1
      }
    },
    arena,
    countTruncated: () => ring.countTruncated(),
    drain: runs => ring.drain(runs),
    leave: () => undefined,
    close: () => undefined
  }
}

/**
 * Opens the ring.
 *
 * @param levels names of levels and their numbers, for readers
 * @throws ShardlogError `ERR_SHARDLOG_NO_NATIVE`, `ERR_SHARDLOG_LOCKED`,
 *   `ERR_SHARDLOG_ARENA_OWNER`, `ERR_SHARDLOG_IO`, `ERR_SHARDLOG_CONFIG`
 */
export function openRing(options: ResolvedOptions, levels: Record<string, number>, messageKey: string): OpenRing {
  const said = saidOf(options, levels, messageKey)
  if (options.engine === 'js') return openScriptRing(options, said.about)
  if (options.engine === 'native') return openNativeRing(options, said)
  try {
    loadNative()
  } catch {
    // A recorder that does not outlive the process is better than none; `engine` of the statistics
    // tells.
    return openScriptRing(options, said.about)
  }
  return openNativeRing(options, said)
}
