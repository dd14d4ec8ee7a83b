/**
 * What makes snapshots without being asked: crashes, a signal, time, an event loop that stands
 * still, and what a process has left that was killed.
 */

import fs from 'node:fs'
import path from 'node:path'
import { isMainThread, threadId } from 'node:worker_threads'
import { fromSystemError, ShardlogError } from '../errors'
import { performance } from '../timers'
import { readArenaFile } from './arena'
import { watchCrashes } from './crash-watch'
import { isLeft } from './left'
import type { ResolvedOptions } from './options'
import { type Place, removeHalfWritten, writeSnapshot } from './snapshot'

export interface Takers {
  /**
   * An exception or a rejection that nobody has caught: a snapshot is written before it returns.
   * Never throws.
   *
   * @param goesOn whether a handler of the program takes it, which may go on
   */
  crash(error: unknown, reason: string, goesOn: boolean): void
  /** A snapshot is begun. Never throws. */
  begin(reason: string): void
  /** One of what is new. */
  beginIncrement(): void
}

/** Looks so often whether the event loop stands still, of the time that it may. */
const LOOKS = 4
const LEAST_LOOK_MS = 10

type Undo = () => void

function watchSignal(signal: NodeJS.Signals, takers: Takers): Undo {
  const listener = (): void => takers.begin(signal)
  process.on(signal, listener)
  return () => process.off(signal, listener)
}

function every(ms: number, call: () => void): Undo {
  const timer = setInterval(call, ms)
  timer.unref()
  return () => clearInterval(timer)
}

/**
 * Notices afterwards that the loop has stood still. While it does, `shardlog snapshot` looks from
 * outside.
 */
export function watchLoop(limit: number, late: (ms: number) => void): Undo {
  const period = Math.max(LEAST_LOOK_MS, Math.floor(limit / LOOKS))
  let last = performance.now()
  return every(period, () => {
    const now = performance.now()
    const ms = now - last - period
    last = now
    if (ms > limit) late(ms)
  })
}

/** Installs what the options ask for. Returns what takes it away. */
export function installTriggers(options: ResolvedOptions, takers: Takers): Undo {
  const undo: Undo[] = []
  if (options.onCrash) undo.push(watchCrashes((error, reason, goesOn) => takers.crash(error, reason, goesOn)))
  // Signals are the main thread's.
  if (options.signal !== undefined && isMainThread) undo.push(watchSignal(options.signal, takers))
  if (options.interval > 0) undo.push(every(options.interval, () => takers.beginIncrement()))
  if (options.stall > 0) undo.push(watchLoop(options.stall, () => takers.begin('stall')))
  return () => {
    for (const one of undo) one()
  }
}

const REASON = 'killed'

/** Arenas that no snapshot could be made of stay, but no more than so many: the latest. */
const MOST_LEFT = 10
/** Numbers of the names that a thread claims arenas by. */
const NUMBERS_OF_A_THREAD = 1000

/** Arenas beside `ring` that nobody is looking into. */
function leftBeside(ring: string): string[] {
  const directory = path.dirname(ring)
  const start = `${path.basename(ring)}.left-`
  return fs
    .readdirSync(directory)
    .filter(name => name.startsWith(start))
    .map(name => ({ file: path.join(directory, name), parts: /^\d+(?:\.(\d+))?$/.exec(name.slice(start.length)) }))
    .filter(({ file, parts }) => parts !== null && isLeft(file, Number(parts[1] ?? 0)))
    .map(({ file }) => file)
}

/**
 * Gives the arena a name that says who looks into it, so that nobody else does; never that of
 * another arena. Null if somebody was faster.
 */
function claim(file: string): string | null {
  const base = file.replace(/\d+(\.\d+)?$/, '')
  for (let number = threadId * NUMBERS_OF_A_THREAD + 1; ; number++) {
    const claimed = `${base}${number}.${process.pid}`
    if (fs.existsSync(claimed)) continue
    try {
      fs.renameSync(file, claimed)
      return claimed
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }
}

/** Removes the oldest of the arenas, so that a program that ends again and again fills no disk. */
function removeOldest(arenas: readonly string[]): void {
  const time = (file: string): number => fs.lstatSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0
  const byAge = arenas.map(file => ({ file, time: time(file) })).sort((a, b) => b.time - a.time)
  for (const { file } of byAge.slice(MOST_LEFT)) fs.rmSync(file, { force: true })
}

/**
 * Writes a snapshot of each arena that was left beside `ring`, and removes it then. Yields the
 * file, or the error that kept it from being written; that arena stays, if it is among the latest.
 */
export async function* harvest(ring: string, place: Place): AsyncGenerator<string | ShardlogError, void> {
  let found: string[] = []
  try {
    removeHalfWritten(place.directory)
    found = leftBeside(ring)
  } catch (error) {
    yield fromSystemError('ERR_SHARDLOG_IO', `cannot look for arenas beside ${ring}`, error, ring)
  }
  const unread: string[] = []
  for (const left of found) {
    try {
      const claimed = claim(left)
      if (claimed === null) continue
      unread.push(claimed)
      const arena = readArenaFile(claimed)
      const file = await writeSnapshot({ arena, reason: REASON, minAge: 0 }, place)
      unread.pop()
      fs.rmSync(claimed)
      if (file !== null) yield file
    } catch (error) {
      yield error instanceof ShardlogError
        ? error
        : fromSystemError('ERR_SHARDLOG_SNAPSHOT', `cannot make a snapshot of ${left}`, error, left)
    }
  }
  removeOldest(unread)
}
