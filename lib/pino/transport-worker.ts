/**
 * Runs in the worker thread of a transport with several targets or a pipeline: loads and opens
 * them, and shares out the lines.
 */

import { EventEmitter } from 'node:events'
import { createRequire } from 'node:module'
import { PassThrough, pipeline, type Writable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'
import build from 'pino-abstract-transport'
import { ownFile } from '../own-place'
import { multistream } from './multistream'

type OpenTarget = (options: unknown) => unknown

interface WithDefault {
  default?: unknown
}

const COULD_NOT_IMPORT: ReadonlySet<string> = new Set([
  'ENOTDIR',
  'ERR_MODULE_NOT_FOUND',
  'ERR_UNKNOWN_FILE_EXTENSION',
  'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING',
  'ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING_FLAG'
])

/** Loads it by `require`, which knows archives, loaders and extensions that `import` does not. */
function loadByRequire(target: string): unknown {
  return createRequire(ownFile)(target.startsWith('file://') ? fileURLToPath(target) : target)
}

async function load(target: string): Promise<unknown> {
  try {
    return await import(target.startsWith('file://') ? target : pathToFileURL(target).href)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === undefined || !COULD_NOT_IMPORT.has(code)) throw error
    return loadByRequire(target)
  }
}

function exportedFunction(loaded: unknown): unknown {
  let candidate = loaded
  // Compiled modules that are imported have their default below the default.
  for (let depth = 0; depth < 3 && typeof candidate === 'object' && candidate !== null; depth++) {
    candidate = (candidate as WithDefault).default
  }
  return candidate
}

/**
 * The function that a transport's module exports.
 *
 * @param target absolute path or file URL
 * @throws if it cannot be loaded or exports no function
 */
async function loadTarget(target: string): Promise<OpenTarget> {
  const exported = exportedFunction(await load(target))
  if (typeof exported !== 'function') throw Error('exported worker is not a function')
  return exported as OpenTarget
}

interface TargetOptions {
  target: string
  level?: string | number
  options?: unknown
}

interface WorkerData {
  targets?: TargetOptions[]
  pipelines?: TargetOptions[][]
  levels?: Record<string, number>
  dedupe?: boolean
}

interface Opened {
  stream: Writable
  level: string | number | undefined
}

/** The stream of parsed lines; it carries what the last line said. */
interface Lines extends NodeJS.ReadableStream {
  lastTime?: unknown
  lastMsg?: unknown
  lastObj?: unknown
  lastLevel?: number
}

async function open({ target, level, options }: TargetOptions): Promise<Opened> {
  const openStream = await loadTarget(target)
  return { stream: (await openStream(options)) as Writable, level }
}

async function openPipeline(steps: TargetOptions[]): Promise<Opened> {
  const opened = await Promise.all(steps.map(open))
  return { stream: joined(opened.map(step => step.stream)), level: opened.at(-1)?.level }
}

/** A stream into the first of `steps`, closed when the last one is. */
function joined(steps: Writable[]): Writable {
  const ended = new EventEmitter()
  const entrance = new PassThrough({
    autoDestroy: true,
    destroy(_error, callback) {
      ended.on('error', callback)
      ended.on('closed', () => callback(null))
    }
  })
  pipeline([entrance, ...(steps as unknown as NodeJS.ReadWriteStream[])], error => {
    if (error && error.code !== 'ERR_STREAM_PREMATURE_CLOSE') ended.emit('error', error)
    else ended.emit('closed')
  })
  return entrance
}

/** Ends all streams; `callback` follows the last one's close. */
function endAll(opened: Opened[], callback: () => void): void {
  let open = opened.length
  for (const { stream } of opened) {
    stream.on('close', () => {
      open--
      if (open === 0) callback()
    })
    stream.end()
  }
}

function shareOut(opened: Opened[], { levels, dedupe }: WorkerData, source: Lines): void {
  const multi = multistream(opened, { ...(levels && { levels }), ...(dedupe !== undefined && { dedupe }) })
  source.on('data', (line: Buffer | string) => {
    multi.lastLevel = source.lastLevel as number
    multi.lastTime = source.lastTime
    multi.lastMsg = source.lastMsg
    multi.lastObj = source.lastObj
    multi.write(`${String(line)}\n`)
  })
}

async function run(data: WorkerData): Promise<unknown> {
  const targets = await Promise.all((data.targets ?? []).map(open))
  const pipelines = await Promise.all((data.pipelines ?? []).map(openPipeline))
  const opened = [...targets, ...pipelines]
  const only = opened[0]
  // A single one without a level of its own takes every line as it comes.
  if (opened.length === 1 && only && only.level === undefined) return only.stream
  return build(source => shareOut(opened, data, source as unknown as Lines), {
    parse: 'lines',
    close(error, callback) {
      endAll(opened, () => callback(error))
    }
  })
}

// For packages that import it by the path that it has in pino.
run.loadTarget = loadTarget

export = run
