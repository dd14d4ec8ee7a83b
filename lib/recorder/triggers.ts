/**
 * What makes snapshots without being asked: crashes, a signal, time, an event loop that stands
 * still, and what a process has left that was killed.
 */

import fs from 'node:fs'
import path from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { fromSystemError, ShardlogError } from '../errors'
import { performance } from '../timers'
import { readArenaFile } from './arena'
import type { ResolvedOptions } from './options'
import { type Place, writeSnapshot } from './snapshot'

export interface Takers {
  /**
   * An exception or a rejection that nobody has caught: a snapshot is written before it returns.
   * Never throws.
   */
  crash(error: unknown, reason: string): void
  /** A snapshot is begun. Never throws. */
  begin(reason: string): void
  /** One of what is new. */
  beginIncrement(): void
}

/** Looks so often whether the event loop stands still, of the time that it may. */
const LOOKS = 4
const LEAST_LOOK_MS = 10

type Undo = () => void

/**
 * Node calls it for what ends the process, whatever other handlers do: it changes nothing of that.
 */
function watchExceptions(takers: Takers): Undo {
  const listener = (error: unknown, origin: string): void => takers.crash(error, origin)
  process.on('uncaughtExceptionMonitor', listener)
  return () => process.off('uncaughtExceptionMonitor', listener)
}

/**
 * A rejection that a handler of the program's own takes does not get to the monitor. A handler of
 * ours alone would keep the process from ending, so there is one while there are others.
 */
function watchRejections(takers: Takers): Undo {
  const NAME = 'unhandledRejection'
  const observer = (error: unknown): void => takers.crash(error, NAME)
  const others = (): number => process.listeners(NAME).filter(listener => listener !== observer).length
  let watching = false
  const adjust = (count: number): void => {
    if (count > 0 === watching) return
    watching = !watching
    if (watching) process.prependListener(NAME, observer)
    else process.off(NAME, observer)
  }
  // Told before it is added, and after it was removed.
  const added = (name: string | symbol, listener: unknown): void => {
    if (name === NAME && listener !== observer) adjust(1)
  }
  const removed = (name: string | symbol): void => {
    if (name === NAME) adjust(others())
  }
  process.on('newListener', added)
  process.on('removeListener', removed)
  adjust(others())
  return () => {
    process.off('newListener', added)
    process.off('removeListener', removed)
    adjust(0)
  }
}

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
function watchLoop(limit: number, takers: Takers): Undo {
  const period = Math.max(LEAST_LOOK_MS, Math.floor(limit / LOOKS))
  let last = performance.now()
  return every(period, () => {
    const now = performance.now()
    const late = now - last - period
    last = now
    if (late > limit) takers.begin('stall')
  })
}

/** Installs what the options ask for. Returns what takes it away. */
export function installTriggers(options: ResolvedOptions, takers: Takers): Undo {
  const undo: Undo[] = []
  if (options.onCrash) undo.push(watchExceptions(takers), watchRejections(takers))
  // Signals are the main thread's.
  if (options.signal !== undefined && isMainThread) undo.push(watchSignal(options.signal, takers))
  if (options.interval > 0) undo.push(every(options.interval, () => takers.beginIncrement()))
  if (options.stall > 0) undo.push(watchLoop(options.stall, takers))
  return () => {
    for (const one of undo) one()
  }
}

const REASON = 'killed'

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Arenas beside `ring` that nobody is looking into. */
function leftBeside(ring: string): string[] {
  const directory = path.dirname(ring)
  const start = `${path.basename(ring)}.left-`
  return fs
    .readdirSync(directory)
    .filter(name => name.startsWith(start) && /^\d+(\.\d+)?$/.test(name.slice(start.length)))
    .filter(name => {
      const reader = Number(path.extname(name).slice(1))
      return reader === 0 || (reader !== process.pid && !isRunning(reader))
    })
    .map(name => path.join(directory, name))
}

/**
 * Gives the arena a name that says who looks into it, so that nobody else does. Null if somebody
 * was faster.
 */
function claim(file: string): string | null {
  const claimed = `${file.replace(/(\.left-\d+)\.\d+$/, '$1')}.${process.pid}`
  try {
    fs.renameSync(file, claimed)
    return claimed
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

/**
 * Writes a snapshot of each arena that was left beside `ring`, and removes it then. Yields the
 * file, or the error that kept it from being written; that arena stays.
 */
export async function* harvest(ring: string, place: Place): AsyncGenerator<string | ShardlogError, void> {
  let found: string[] = []
  try {
    found = leftBeside(ring)
  } catch (error) {
    yield fromSystemError('ERR_SHARDLOG_IO', `cannot look for arenas beside ${ring}`, error, ring)
  }
  for (const left of found) {
    try {
      const claimed = claim(left)
      if (claimed === null) continue
      const arena = readArenaFile(claimed)
      const file = await writeSnapshot({ arena, reason: REASON, minAge: 0 }, place)
      fs.rmSync(claimed)
      if (file !== null) yield file
    } catch (error) {
      yield error instanceof ShardlogError
        ? error
        : fromSystemError('ERR_SHARDLOG_SNAPSHOT', `cannot make a snapshot of ${left}`, error, left)
    }
  }
}
