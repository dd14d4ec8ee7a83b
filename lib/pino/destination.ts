/**
 * Destinations: which of them the engine writes to, and those that write text as pino's do.
 */

import { once } from 'node:events'
import fs from 'node:fs'
import { inspect } from 'node:util'
import { isMainThread } from 'node:worker_threads'
import * as onExit from 'on-exit-leak-free'
import { SonicBoom, type SonicBoomOpts } from 'sonic-boom'
import { ENGINE_OPTIONS } from '../config'
import { nearestName, ShardlogError } from '../errors'
import { pathOf, withPaths } from '../path-like'
import { RecordDestination, type RecordDestinationOptions } from './record-destination'

/** What the engine has in place of an option; of `sync` also what it does without. */
const INSTEAD: Readonly<Record<string, string>> = {
  append: 'lines are always appended: leave it out',
  contentMode: 'lines are UTF-8: leave it out',
  fd: 'dest takes the number of a descriptor',
  fsync: 'dsync, which is on by default for files: what a flush wrote is on the device',
  maxLength: 'bufferSize says how much waits, onFull what becomes of what finds no room',
  maxWrite: 'bufferSize and flushInterval say how much is written at once: leave it out',
  minLength: 'flushInterval says when lines are written, bufferSize how many wait: leave it out',
  mkdir: 'the folder has to exist: make it by fs.mkdirSync(folder, { recursive: true })',
  mode: 'the file is made with mode 0644: make it beforehand for another',
  periodicFlush: 'flushInterval says how often what waits is written',
  retryEAGAIN: 'onFull and blockTimeout say what happens while nobody reads',
  sync: 'no call waits for the kernel, and a file loses nothing for it when the process ends: leave it out; flushSync() waits'
}

/** What only pino's stream can do, or be asked to do at another time than it is here. */
const PINO_OPTIONS: readonly string[] = Object.keys(INSTEAD)

/**
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if one of them is given for a destination of the
 * engine's
 */
function assertNoPinoOptions(options: object): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || !Object.hasOwn(INSTEAD, name)) continue
    const message = `option ${name} (value ${inspect(value)}) is of pino's stream, which a destination with a format is not: ${INSTEAD[name]}`
    throw new ShardlogError('ERR_SHARDLOG_CONFIG', message)
  }
}

/** What `sonic-boom` has beyond its declarations. */
interface Boom extends SonicBoom {
  destroyed: boolean
}

type Disposable = 'write' | 'end' | 'flushSync' | 'destroy'

const STDOUT = 1

const noop = (): void => {}

/**
 * The reader of a pipe has gone: nothing more can be written, and that is no reason to end the
 * process.
 */
function disable(stream: SonicBoom): void {
  const methods = stream as unknown as Record<Disposable, () => unknown>
  for (const name of ['write', 'end', 'flushSync', 'destroy'] as const) methods[name] = noop
}

function ignoreEpipe(stream: SonicBoom): void {
  const onError = (error: NodeJS.ErrnoException): void => {
    if (error.code === 'EPIPE') {
      disable(stream)
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
export function openDestination(options: SonicBoomOpts): SonicBoom {
  const stream = new SonicBoom(options)
  ignoreEpipe(stream)
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

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

/** An option that makes a destination pino's stream; `sync: false` goes without saying anywhere. */
function pinoOption(options: Given): string | undefined {
  return PINO_OPTIONS.find(name => isGiven(options, name) && !(name === 'sync' && options.sync === false))
}

function engineOption(options: Given): string | undefined {
  return ENGINE_OPTIONS.find(name => isGiven(options, name))
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` if options of both kinds are given */
function assertOneKind(options: Given): void {
  const ours = engineOption(options)
  const theirs = pinoOption(options)
  if (ours === undefined || theirs === undefined) return
  throw configError(
    `option ${theirs} (value ${inspect(options[theirs])}) makes a destination pino's stream, which has no option ${ours}: give one or the other`
  )
}

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` for a Logger's name of the path */
function assertNoLogFilePath(options: Given): void {
  if (!isGiven(options, 'logFilePath')) return
  throw configError(
    `option logFilePath (value ${inspect(options.logFilePath)}) is of new Logger(…); a destination's is dest: ` +
      "shardlog.destination({ dest, format: 'ndjson' })"
  )
}

/**
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` for what pino's stream would ignore, but is meant for
 * the engine, or nearly so named
 */
function assertNoEngineOptions(options: Given): void {
  for (const name of Object.keys(options)) {
    if (!isGiven(options, name) || PINO_OPTIONS.includes(name) || name === 'dest') continue
    const near = nearestName(name, ENGINE_OPTIONS)
    if (near === undefined) continue
    const what = near === name ? `option ${name}` : `unknown option ${name}`
    const hint = near === name ? '' : `did you mean ${near}? It `
    throw configError(
      `${what} (value ${inspect(options[name])}): ${hint}needs format: 'ndjson' or 'shard'; without a format a path is written by pino's stream`
    )
  }
}

/** Lines of a descriptor by way of the engine. */
function openRecords(descriptor: number, { sync: _, ...options }: Given): RecordDestination {
  return new RecordDestination({ ...options, dest: descriptor, format: 'ndjson' } as RecordDestinationOptions)
}

/**
 * As `openRecords` without options; null for what the engine cannot write to: pino's stream says
 * why in its own time.
 */
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
  // A plain stat of a pipe leaves its kind in memory that Node's own module resolution reads
  // afterwards.
  const { dev, ino, rdev } = fs.fstatSync(descriptor, { bigint: true })
  return `${dev} ${ino} ${rdev}`
}

function standardRecords(descriptor: number): RecordDestination | null {
  if (standard !== null && !standard.records.ended && standard.target === targetOf(descriptor)) return standard.records
  const records = tryRecords(descriptor)
  standard = records === null ? null : { records, target: targetOf(descriptor) }
  return records
}

/** Names that runtimes set which freeze a process, or end it, as soon as it has answered. */
const FROZEN_RUNTIMES = [
  'AWS_LAMBDA_FUNCTION_NAME',
  'FUNCTION_TARGET',
  'FUNCTIONS_WORKER_RUNTIME',
  'K_SERVICE',
  'NETLIFY',
  'VERCEL'
]

/** Whether nothing of this process may run once a call has returned. */
function mayBeFrozen(): boolean {
  return FROZEN_RUNTIMES.some(name => Boolean(process.env[name]))
}

/**
 * Standard output, or `process.stdout` itself if somebody has replaced its `write`.
 *
 * @param sync whether a line is out at the end of the call; default: where a process may be frozen
 *   after it
 */
export function standardDestination(sync = mayBeFrozen()): SonicBoom | RecordDestination | NodeJS.WriteStream {
  const stdout = process.stdout
  const replaced = stdout.write !== (stdout.constructor.prototype as NodeJS.WriteStream).write
  if (replaced) return stdout
  const descriptor = standardOutput()
  if (sync) return openDestination({ fd: descriptor, sync: true })
  return standardRecords(descriptor) ?? openDestination({ fd: descriptor })
}

/** Whether it is the destination that all loggers without one share. */
export function isStandard(stream: unknown): boolean {
  return standard !== null && stream === standard.records
}

/** What of a destination tells that it ends; of a multistream, its streams do. */
export interface Ending {
  end?: ((...args: never[]) => unknown) | undefined
  once?: (event: string, listener: (value?: unknown) => void) => unknown
  destroyed?: boolean
  ended?: boolean
  streams?: unknown
}

const streamsOf = ({ streams }: Ending): Ending[] | null =>
  Array.isArray(streams) ? streams.map(({ stream }: { stream: Ending }) => stream) : null

const isOpen = ({ end, destroyed, ended }: Ending): boolean => typeof end === 'function' && !destroyed && !ended

/** Resolves when a destination that is ended next is closed; at once if it says nothing of that. */
export async function whenClosed(stream: Ending): Promise<void> {
  const streams = streamsOf(stream)
  if (streams !== null) {
    await Promise.all(streams.map(whenClosed))
    return
  }
  if (!isOpen(stream) || typeof stream.once !== 'function') return
  if (stream instanceof RecordDestination) {
    await stream.whenClosed()
    return
  }
  await new Promise<void>((resolve, reject) => {
    stream.once?.('close', () => resolve())
    stream.once?.('error', reject)
  })
}

/** Ends a destination, unless it has ended; of a multistream each of its streams. */
export function endOpen(stream: Ending): void {
  const streams = streamsOf(stream)
  if (streams !== null) streams.forEach(endOpen)
  else if (isOpen(stream)) stream.end?.()
}

/** A descriptor goes by way of the engine, unless it is asked for what only pino's stream does. */
function openDescriptor(descriptor: number, options: Given): SonicBoom | RecordDestination {
  assertOneKind(options)
  if (pinoOption(options) !== undefined) {
    assertNoEngineOptions(options)
    return openDestination({ ...options, dest: descriptor })
  }
  const names = Object.keys(options).filter(name => name !== 'dest' && name !== 'sync' && isGiven(options, name))
  if (names.length > 0) return openRecords(descriptor, options)
  return tryRecords(descriptor) ?? openDestination({ dest: descriptor, minLength: 0 })
}

/**
 * A path without a format: several processes may append to such a file, which the engine's have one
 * owner of.
 */
function openPath(file: string, options: Given | null): SonicBoom {
  if (options === null) return openDestination({ dest: file, minLength: 0 })
  assertNoEngineOptions(options)
  return openDestination({ ...options, dest: file })
}

/**
 * A destination: with a `format`, or a descriptor, one whose lines the engine writes; otherwise a
 * file that lines are written to as text.
 *
 * @param dest a path, a file: URL, a descriptor, or options with one of them as `dest`; default
 *   standard output
 * @throws ShardlogError as `RecordDestination` does
 */
export function destination(dest?: unknown): SonicBoom | RecordDestination {
  const plain = pathOf(dest, 'dest')
  const isObject = typeof plain === 'object' && plain !== null
  const options = withPaths((isObject ? plain : {}) as Given)
  assertNoLogFilePath(options)
  if (options.dest === '' && isGiven(options, 'format')) {
    throw configError("option dest must be a path or the number of an open descriptor, got ''")
  }
  // As pino has it, 0 by itself is a descriptor, and as an option none.
  const given = isObject ? options.dest || undefined : plain
  const to = pathOrDescriptor((given ?? standardOutput()) as string | number)
  if (isGiven(options, 'format')) {
    assertNoPinoOptions(options)
    return new RecordDestination({ ...options, dest: to } as RecordDestinationOptions)
  }
  return typeof to === 'number' ? openDescriptor(to, options) : openPath(to, isObject ? options : null)
}

interface FileOptions {
  /** Path or descriptor. Default 1, standard output. */
  destination?: string | number
  [option: string]: unknown
}

/**
 * The transport `pino/file`, also `shardlog/file`: writes lines to a file or descriptor, from a
 * worker thread.
 */
export async function fileTransport(options: FileOptions = {}): Promise<SonicBoom> {
  const { destination: dest, ...rest } = options
  const stream = openDestination({ ...rest, dest: pathOrDescriptor(dest || 1), sync: false })
  await once(stream, 'ready')
  return stream
}
