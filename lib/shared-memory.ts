/** Memory that the threads of a process share, zero at first. */

import { getEnvironmentData, setEnvironmentData } from 'node:worker_threads'

/**
 * Bytes, by the name under which a thread inherits them from the one that starts it. Another
 * version of this package in the process finds them under the same name: a change of what lies
 * where in them needs another one.
 */
const SIZES = {
  /** For features that count over all threads. */
  'shardlog.slots': 16 * 1024,
  /** For the statistics of the JavaScript engine. */
  'shardlog.statistics.1': 192 * 1024
} as const

type Name = keyof typeof SIZES

function inherited(name: Name): SharedArrayBuffer | undefined {
  // Not there while a snapshot is built.
  if (typeof SharedArrayBuffer === 'undefined') return undefined
  const known = getEnvironmentData(name) as unknown
  // Of whichever realm.
  if (Object.prototype.toString.call(known) === '[object SharedArrayBuffer]') return known as SharedArrayBuffer
  const made = new SharedArrayBuffer(SIZES[name])
  setEnvironmentData(name, made as never)
  return made
}

// When this module is loaded, which in the main thread is before its workers are started: those of
// a process whose main thread has not loaded us share nothing.
const memory: Record<Name, SharedArrayBuffer | undefined> = {
  'shardlog.slots': inherited('shardlog.slots'),
  'shardlog.statistics.1': inherited('shardlog.statistics.1')
}

/** The memory of that name; of this thread alone where threads cannot share any. */
export function sharedMemory(name: Name): ArrayBufferLike {
  return memory[name] ?? new ArrayBuffer(SIZES[name])
}
