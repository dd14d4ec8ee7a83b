/** Destinations: which of them the engine writes to, and those that write text as pino's do. */

import fs from 'node:fs'
import { isMainThread } from 'node:worker_threads'
import * as onExit from 'on-exit-leak-free'
import { SonicBoom, type SonicBoomOpts } from 'sonic-boom'
import { ENGINE_OPTIONS } from '../config'
import { ShardlogError } from '../errors'
import { RecordDestination, type RecordDestinationOptions } from './record-destination'

export type DestinationOptions = SonicBoomOpts

/** What `sonic-boom` has beyond its declarations. */
interface Boom extends SonicBoom {
  destroyed: boolean
}

type Disposable = 'write' | 'end' | 'flushSync' | 'destroy'

const STDOUT = 1

/** What only pino's stream can do, or be asked to do at another time than it is here. */
const PINO_OPTIONS: readonly string[] = [
  'append',
  'contentMode',
  'fd',
  'fsync',
  'maxLength',
  'maxWrite',
  'minLength',
  'mkdir',
  'mode',
  'periodicFlush',
  'retryEAGAIN',
  'sync'
]
const noop = (): void => {}

/** The reader of a pipe has gone: nothing more can be written, and that is no reason to end the process. */
function silence(stream: SonicBoom): void {
  const methods = stream as unknown as Record<Disposable, () => unknown>
  for (const name of ['write', 'end', 'flushSync', 'destroy'] as const) methods[name] = noop
}

function survivesBrokenPipe(stream: SonicBoom): void {
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') {
      silence(stream)
      return
    }
    stream.removeListener('error', onError)
    stream.emit('error', error, stream)
  }
  stream.on('error', onError)
}

function flushAtExit(stream: Boom, event: string): void {
  if (stream.destroyed) return
  if (event !== 'beforeExit') {
    stream.flushSync()
    return
  }
  stream.flush()
  stream.on('drain', () => stream.end())
}

/** A stream to a file or descriptor that is flushed when the process ends. */
export function openDestination(options: DestinationOptions): SonicBoom {
  const stream = new SonicBoom(options)
  survivesBrokenPipe(stream)
  // In worker threads the exit events come too late to write.
  if (!options.sync && isMainThread) {
    onExit.register(stream as Boom, flushAtExit)
    stream.on('close', () => onExit.unregister(stream))
  }
  return stream
}

/** A path stays one; digits alone are a descriptor. */
export function pathOrDescriptor(dest: string | number): string | number {
  const number = Number(dest)
  return dest !== '' && Number.isInteger(number) ? number : dest
}

function standardOutput(): number {
  // Worker threads have no descriptor of their own on process.stdout.
  return (process.stdout as { fd?: number }).fd || STDOUT
}

type Given = Partial<Record<string, unknown>>

const isGiven = (options: Given, name: string): boolean => options[name] !== undefined

/** Whether options are for the engine: some say so by their names, none are, or `sync: false`, which goes without saying there. */
function isForEngine(options: Given): boolean {
  const names = Object.keys(options).filter(name => name !== 'dest' && isGiven(options, name))
  if (names.some(name => ENGINE_OPTIONS.includes(name))) return true
  return names.every(name => name === 'sync' && options.sync === false)
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` if options of both kinds are given */
function refuseBoth(options: Given): void {
  const ours = ENGINE_OPTIONS.find(name => isGiven(options, name))
  const theirs = PINO_OPTIONS.find(name => isGiven(options, name) && !(name === 'sync' && options.sync === false))
  if (ours === undefined || theirs === undefined) return
  throw new ShardlogError(
    'ERR_SHARDLOG_CONFIG',
    `option ${theirs} (value ${String(options[theirs])}) makes a destination pino's stream, which has no option ${ours}: give one or the other`
  )
}

/** Lines of a descriptor by way of the engine. */
function openRecords(descriptor: number, { sync: _, ...options }: Given): RecordDestination {
  return new RecordDestination({ ...options, dest: descriptor, format: 'ndjson' } as RecordDestinationOptions)
}

/** As `openRecords` without options; null for what the engine cannot write to: pino's stream says why in its own time. */
function tryRecords(descriptor: number): RecordDestination | null {
  try {
    return openRecords(descriptor, {})
  } catch (error) {
    if (error instanceof ShardlogError && error.code === 'ERR_SHARDLOG_IO') return null
    throw error
  }
}

/** The destination of loggers without one; all of a thread share it. */
let standard: { records: RecordDestination; target: string } | null = null

/** What a descriptor leads to. */
function targetOf(descriptor: number): string {
  const { dev, ino, rdev } = fs.fstatSync(descriptor)
  return `${dev} ${ino} ${rdev}`
}

function standardRecords(descriptor: number): RecordDestination | null {
  if (standard !== null && !standard.records.ended && standard.target === targetOf(descriptor)) return standard.records
  const records = tryRecords(descriptor)
  standard = records === null ? null : { records, target: targetOf(descriptor) }
  return records
}

/** Standard output, or `process.stdout` itself if somebody has replaced its `write`. */
export function standardDestination(): SonicBoom | RecordDestination | NodeJS.WriteStream {
  const stdout = process.stdout
  const replaced = stdout.write !== (stdout.constructor.prototype as NodeJS.WriteStream).write
  if (replaced) return stdout
  const descriptor = standardOutput()
  return standardRecords(descriptor) ?? openDestination({ fd: descriptor })
}

/** A descriptor goes by way of the engine, unless it is asked for what only pino's stream does. */
function openDescriptor(descriptor: number, options: Given): SonicBoom | RecordDestination {
  refuseBoth(options)
  if (!isForEngine(options)) return openDestination({ ...options, dest: descriptor })
  if (ENGINE_OPTIONS.some(name => isGiven(options, name))) return openRecords(descriptor, options)
  return tryRecords(descriptor) ?? openDestination({ dest: descriptor, minLength: 0 })
}

/**
 * A destination: with a `format`, or a descriptor, one whose lines the engine writes; otherwise a file that lines are written to as text.
 *
 * @param dest a path, a descriptor, or options with one of them as `dest`; default standard output
 * @throws ShardlogError as `RecordDestination` does
 */
export function destination(dest?: number | string | object): SonicBoom | RecordDestination {
  const isObject = typeof dest === 'object' && dest !== null
  const options = (isObject ? dest : {}) as Given
  // As pino has it, 0 by itself is a descriptor, and as an option none.
  const given = isObject ? options.dest || undefined : dest
  const to = pathOrDescriptor((given ?? standardOutput()) as string | number)
  if (isGiven(options, 'format')) return new RecordDestination({ ...options, dest: to } as RecordDestinationOptions)
  if (typeof to === 'number') return openDescriptor(to, options)
  return openDestination(isObject ? { ...options, dest: to } : { dest: to, minLength: 0 })
}
