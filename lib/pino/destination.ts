/** Destinations that write text to a file or a descriptor. */

import { isMainThread } from 'node:worker_threads'
import * as onExit from 'on-exit-leak-free'
import { SonicBoom, type SonicBoomOpts } from 'sonic-boom'
import { RecordDestination, type RecordDestinationOptions } from './record-destination'

export type DestinationOptions = SonicBoomOpts

/** What `sonic-boom` has beyond its declarations. */
interface Boom extends SonicBoom {
  destroyed: boolean
}

type Disposable = 'write' | 'end' | 'flushSync' | 'destroy'

const STDOUT = 1
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
function pathOrDescriptor(dest: string | number): string | number {
  const number = Number(dest)
  return dest !== '' && Number.isInteger(number) ? number : dest
}

function hasFormat(dest: unknown): dest is RecordDestinationOptions {
  return typeof dest === 'object' && dest !== null && (dest as { format?: unknown }).format !== undefined
}

function standardOutput(): number {
  // Worker threads have no descriptor of their own on process.stdout.
  return (process.stdout as { fd?: number }).fd || STDOUT
}

/** A stream to standard output, or to `process.stdout` itself if somebody has replaced its `write`. */
export function standardDestination(): SonicBoom | NodeJS.WriteStream {
  const stdout = process.stdout
  const replaced = stdout.write !== (stdout.constructor.prototype as NodeJS.WriteStream).write
  return replaced ? stdout : openDestination({ fd: standardOutput() })
}

/**
 * A destination for text, or, with a `format`, one that records.
 *
 * @param dest a path, a descriptor, or options with one of them as `dest`; default standard output
 */
export function destination(dest?: number | string | object): SonicBoom | RecordDestination {
  if (hasFormat(dest)) return new RecordDestination(dest)
  if (typeof dest !== 'object' || dest === null) {
    return openDestination({ dest: pathOrDescriptor(dest ?? standardOutput()), minLength: 0 })
  }
  const options = dest as DestinationOptions
  return openDestination({ ...options, dest: pathOrDescriptor(options.dest || standardOutput()) })
}
