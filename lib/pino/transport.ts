/**
 * Transports: destinations that hand lines to a worker thread, which runs the module that sends
 * them on.
 */

import fs = require('node:fs')
import path = require('node:path')
import ThreadStream = require('thread-stream')

import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { WorkerOptions } from 'node:worker_threads'
import * as onExit from 'on-exit-leak-free'
import { ownFile, ownFolder } from '../own-place'
import { transportUsesMultistreamSym } from './symbols'
import type {
  AnyTransportOptions,
  TransportMultiOptions,
  TransportPipelineOptions,
  TransportSingleOptions
} from './types'

// The files that a call came from: there a target is looked up.

/** Most frames of ours between the program's call and the question. */
const OWN_FRAMES = 5

const callSites: NonNullable<typeof Error.prepareStackTrace> = (_error, sites) => sites

function stack(): NodeJS.CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error
  Error.prepareStackTrace = callSites
  Error.stackTraceLimit = stackTraceLimit + OWN_FRAMES
  const sites = new Error().stack as unknown
  Error.prepareStackTrace = prepareStackTrace
  Error.stackTraceLimit = stackTraceLimit
  return Array.isArray(sites) ? (sites as NodeJS.CallSite[]) : []
}

/** Absolute paths (or URLs) of the files on the stack that are not ours, nearest first. */
export function callers(): string[] {
  const files = stack()
    .map(site => site.getFileName())
    .filter((file): file is string => Boolean(file))
  const others = files.filter(file => ownFolder === null || !file.startsWith(ownFolder))
  // All are ours where the program is one of ours: the command, or a test.
  return others.length > 0 ? others : files
}

// Options of the worker thread. It runs the program's preloads (`--import`, `--require`) again: a
// preload that opens a transport would open another one there, without end, and a preload that is
// not there any more ends the worker.

const PRELOAD_FLAGS: ReadonlySet<string> = new Set(['--import', '--require', '-r'])

interface Flag {
  /** The words that make it up: one, or flag and value. */
  words: string[]
  /** What is preloaded, if it is a preload. */
  preload: string | undefined
}

/** Flags with their values, from a list of words. */
function parseFlags(words: readonly string[]): Flag[] {
  const flags: Flag[] = []
  for (let at = 0; at < words.length; at++) {
    const word = words[at] as string
    const equals = word.indexOf('=')
    const name = equals < 0 ? word : word.slice(0, equals)
    const isPreload = PRELOAD_FLAGS.has(name)
    if (isPreload && equals < 0 && at + 1 < words.length) {
      const value = words[++at] as string
      flags.push({ words: [word, value], preload: value })
    } else {
      flags.push({ words: [word], preload: isPreload && equals >= 0 ? word.slice(equals + 1) : undefined })
    }
  }
  return flags
}

function unquoted(text: string): string {
  return text.replace(/^(["'])(.*)\1$/, '$2')
}

/** Whether a preload names a file, by absolute path or URL, that does not exist. */
function isMissing(preload: string): boolean {
  const name = unquoted(preload)
  if (name.startsWith('file://')) return !existsSync(fileURLToPath(name))
  return path.isAbsolute(name) && !existsSync(name)
}

/**
 * NODE_OPTIONS without preloads of files that are not there; undefined if nothing is to be left
 * out.
 */
function repairedNodeOptions(value: string | undefined): string | undefined {
  if (!value) return undefined
  const flags = parseFlags(value.match(/(?:[^\s"']|"[^"]*"|'[^']*')+/g) ?? [])
  const kept = flags.filter(flag => flag.preload === undefined || !isMissing(flag.preload))
  return kept.length === flags.length ? undefined : kept.flatMap(flag => flag.words).join(' ')
}

/** The flags of this process without preloads; undefined if it has none. */
function execArgvWithoutPreloads(): string[] | undefined {
  const flags = parseFlags(process.execArgv)
  const kept = flags.filter(flag => flag.preload === undefined)
  return kept.length === flags.length ? undefined : kept.flatMap(flag => flag.words)
}

/** Whether the program's main module has not begun yet: then this is a preload's code. */
function isPreloading(): boolean {
  return typeof require === 'function' && require.main === undefined && process.argv[1] !== undefined
}

/** @param name of the thread, unless `own` names it */
export function workerOptions(own: WorkerOptions, name: string): WorkerOptions {
  const options: WorkerOptions = { name, ...own }
  const nodeOptions = own.env === undefined ? repairedNodeOptions(process.env.NODE_OPTIONS) : undefined
  if (nodeOptions !== undefined) options.env = { ...process.env, NODE_OPTIONS: nodeOptions }
  const execArgv = own.execArgv === undefined && isPreloading() ? execArgvWithoutPreloads() : undefined
  if (execArgv) options.execArgv = execArgv
  return options
}

// The transport.

/** `thread-stream` with what its declarations leave out. */
interface Thread extends ThreadStream {
  readonly closed: boolean
  ref(): void
  unref(): void
  [transportUsesMultistreamSym]?: boolean
}

type Options = Partial<TransportSingleOptions & TransportMultiOptions & TransportPipelineOptions> & {
  caller?: string | string[]
  sync?: boolean
}

type Overrides = Record<string, string>

/** The transport that writes to a file or descriptor, under both names. */
const FILE_TARGETS: ReadonlySet<string> = new Set(['pino/file', 'shardlog/file'])
/** Name of a worker thread that serves several targets. */
const SEVERAL = 'pino.transport'
/** Time for a worker to take over what was written last, in ms. */
const GRACE = 100

/** Paths that a bundler's plugin has put in place of modules. */
function bundlerOverrides(): Overrides {
  const name = '__bundlerPathsOverrides'
  // Not what somebody else put on Object.prototype: the path is that of code to run.
  const own = Object.hasOwn(globalThis, name) ? (globalThis as { [name]?: unknown })[name] : undefined
  return Object.assign(Object.create(null), own) as Overrides
}

function resolveFrom(file: string, target: string): string | undefined {
  const from = file === 'node:repl' ? process.cwd() + path.sep : file
  try {
    return createRequire(from).resolve(target)
  } catch {
    // Not to be found from this file, or the file is none; another caller may know it.
    return undefined
  }
}

// Bundlers' tracers recognise these very forms, a function's return of a `path.join` by that name,
// and copy the files.
function fileModule(): string {
  return path.join(__dirname, 'file.js')
}
function workerModule(): string {
  return path.join(__dirname, 'transport-worker.js')
}

/**
 * Path of one of our own modules for worker threads; in a bundle without it, of that of the package
 * as it is installed.
 */
function ownModule(name: 'file' | 'worker'): string {
  if (typeof __dirname === 'string') {
    const file = name === 'file' ? fileModule() : workerModule()
    if (ownFolder !== null || fs.existsSync(file)) return file
  }
  const subpath = name === 'file' ? 'file' : 'lib/worker'
  const found = resolveFrom(ownFile, `shardlog/${subpath}`) ?? resolveFrom(ownFile, `pino/${subpath}`)
  if (found === undefined) throw new Error(`unable to determine transport target for "pino/${subpath}" from a bundle`)
  return found
}

/** @throws if `target` cannot be found from any of `files` */
function locate(target: string, files: readonly string[], overrides: Overrides): string {
  const replaced = overrides[target] ?? target
  if (path.isAbsolute(replaced) || replaced.startsWith('file://')) return replaced
  if (FILE_TARGETS.has(replaced)) return ownModule('file')
  for (const file of files) {
    const found = resolveFrom(file, replaced)
    if (found !== undefined) return found
  }
  throw new Error(`unable to determine transport target for "${replaced}"`)
}

function endAtExit(stream: Thread): void {
  stream.ref()
  stream.flushSync()
  stream.end()
  stream.once('close', () => stream.unref())
}

function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

function openThread(
  filename: string,
  workerData: object,
  worker: Options['worker'],
  sync: boolean,
  name: string
): Thread {
  const { autoEnd, ...rest } = worker ?? {}
  const workerOpts = workerOptions(rest, name)
  const stream = new ThreadStream({ filename, workerData, workerOpts, sync }) as Thread
  const onProcessExit = (): void => {
    if (stream.closed) return
    stream.flushSync()
    // The worker is not ready yet: what was written reaches it only if this thread gives it time.
    sleep(GRACE)
    stream.end()
  }
  process.on('exit', onProcessExit)
  stream.on('close', () => process.removeListener('exit', onProcessExit))
  stream.on('ready', () => {
    process.removeListener('exit', onProcessExit)
    stream.unref()
    if (autoEnd !== false) endWithProcess(stream)
  })
  return stream
}

function endWithProcess(stream: Thread): void {
  onExit.register(stream, endAtExit)
  onExit.registerBeforeExit(stream, thread => thread.flushSync())
  stream.on('close', () => onExit.unregister(stream))
}

type Locate = (target: string) => string

/** Targets and pipelines as the worker that serves several of them takes them. */
function severalTargets(targets: TransportMultiOptions['targets'], find: Locate): object {
  const single = targets.filter((entry): entry is TransportSingleOptions => 'target' in entry && Boolean(entry.target))
  const piped = targets.filter(
    (entry): entry is TransportPipelineOptions => 'pipeline' in entry && Boolean(entry.pipeline)
  )
  return {
    targets: single.map(entry => ({ ...entry, target: find(entry.target) })),
    pipelines: piped.map(entry => onePipeline(entry, find))
  }
}

function onePipeline({ pipeline, level }: TransportPipelineOptions, find: Locate): object[] {
  return pipeline.map(step => ({ ...step, level, target: find(step.target) }))
}

/**
 * A destination that hands lines to a worker thread.
 *
 * @param options one `target`, several `targets`, or a `pipeline` of them
 * @throws if both `target` and `targets` are given, or a target cannot be found
 */
export function transport(options: object): ThreadStream {
  const { target, targets, pipeline, levels, dedupe, worker, sync = false, ...rest } = options as Options
  if (target && targets) throw new Error('only one of target or targets can be specified')
  const { caller = callers() } = rest
  const overrides = bundlerOverrides()
  const find: Locate = name => locate(name, typeof caller === 'string' ? [caller] : caller, overrides)
  const data: AnyTransportOptions = { ...rest.options }
  if (targets) Object.assign(data, severalTargets(targets, find))
  else if (pipeline) data.pipelines = [onePipeline({ pipeline }, find)]
  if (levels) data.levels = levels
  if (dedupe) data.dedupe = dedupe
  data.pinoWillSendConfig = true
  const several = Boolean(targets || pipeline)
  const file = several ? (overrides['pino-worker'] ?? ownModule('worker')) : find(target as string)
  const stream = openThread(file, data, worker, sync, several ? SEVERAL : (target as string))
  if (targets) stream[transportUsesMultistreamSym] = true
  return stream
}
