/**
 * Uploads of snapshots. To S3-compatible storage in a process of their own: the client, its memory
 * and its failures are not the application's, and it goes on when that has crashed. What is to be
 * uploaded has a mark beside it until it has been, by which the next start finds it.
 */

import { spawn } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fromSystemError, ShardlogError } from '../errors'
import { ownFolder } from '../own-place'
import { clearTimeout, performance, setTimeout } from '../timers'
import { asFileName } from './file-name'
import { type Marked, marksIn, readMark, removeMark, takeOver, type UploadInfo } from './upload-mark'

export interface S3Options {
  bucket: string
  /** Before `<service>/<hostname>/<file>`. Default none. */
  prefix?: string
  /** Of another service than AWS. */
  endpoint?: string
  /** Default: what the SDK finds. */
  region?: string
  /** The bucket as part of the path, as many other services want it. Default false. */
  forcePathStyle?: boolean
  /** Tries of one file, with growing pauses between them. Default 5. */
  attempts?: number
  /** Of one try, in ms. Default 10,000. */
  timeout?: number
  /** How long the end of the process waits for what is not uploaded yet, in ms. Default 3,000. */
  exitTimeout?: number
}

/** Uploads a file in its own way; tried again when it throws or rejects. */
export type UploadHook = (file: string, info: UploadInfo) => unknown

export type Upload = UploadHook | S3Options

/** What the process is told that uploads. */
export interface UploadJob {
  s3: S3Options
  attempts: number
  timeout: number
  files: { file: string; mark: string; key: string }[]
}

/** What it says at its end. */
export interface UploadReport {
  uploaded: string[]
  failed: { file: string; message: string }[]
  /** Why none could be tried. */
  missing?: string
}

interface Listener {
  uploaded(): void
  failed(error: ShardlogError): void
}

export const DEFAULT_ATTEMPTS = 5
export const DEFAULT_TIMEOUT_MS = 10_000
const DEFAULT_EXIT_MS = 3000
/** Of one call of a function that uploads. */
const HOOK_TIMEOUT_MS = 120_000
const FIRST_PAUSE_MS = 500
const LOOK_MS = 10
const LONG_MS = 60_000
/** Files of one process: they are named in an argument, which has an end. */
const MOST_OF_A_JOB = 50

/** ms before the next try. */
export const pauseAfter = (attempt: number): number => FIRST_PAUSE_MS * 2 ** (attempt - 1) * (0.75 + Math.random() / 2)

const keyOf = ({ prefix = '' }: S3Options, { service, hostname }: UploadInfo, file: string): string =>
  `${prefix}${asFileName(service)}/${asFileName(hostname)}/${path.basename(file)}`

const failure = (message: string, file: string, cause?: unknown): ShardlogError =>
  new ShardlogError('ERR_SHARDLOG_UPLOAD', message, { path: file, cause })

function sleep(ms: number): Promise<void> {
  // The end of the program does not wait for another try.
  return new Promise(resolve => void setTimeout(resolve, ms).unref())
}

/** Blocks the thread. */
function pause(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}

/** A process that uploads files. */
interface Uploading {
  pid: number
  marked: readonly Marked[]
}

/** Whether a process has something left to do, though nobody has been told of its end. */
function isBusy({ pid, marked }: Uploading): boolean {
  if (!marked.some(({ mark }) => fs.existsSync(mark))) return false
  try {
    // Behind the name, which may have parentheses: Z is a process that is over.
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^[ZX]$/.test(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[0] ?? '')
  } catch {
    return !fs.existsSync('/proc/self/stat') // Else it is over, and its parent knows.
  }
}

/** A promise that is given up after a while. */
async function within<Result>(ms: number, promise: Promise<Result>): Promise<Result> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no end within ${ms / 1000} s`)), ms)
    timer.unref()
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

/** Uploads the snapshots of one recorder, one after the other. */
export class Uploader {
  readonly #upload: Upload
  readonly #directory: string
  readonly #service: string
  readonly #listener: Listener
  #queue: Marked[] = []
  /** Given up for now: they are tried again once another got through. */
  #failed: Marked[] = []
  #running: Promise<void> | null = null
  /** What is being uploaded, and the processes that may be at it. */
  #inFlight: Marked[] = []
  #processes: Uploading[] = []
  #isEnding = false

  constructor(upload: Upload, directory: string, service: string, listener: Listener) {
    this.#upload = upload
    this.#directory = directory
    this.#service = service
    this.#listener = listener
  }

  /** What earlier processes of the service have left. */
  resume(): void {
    for (const mark of marksIn(this.#directory)) {
      const taken = takeOver(mark, this.#service)
      if (taken !== null) this.#queue.push(taken)
    }
    this.#begin()
  }

  /** A file that has been written with a mark. */
  add(file: string): void {
    const marked = readMark(file)
    if (marked === null) return
    this.#queue.push(marked)
    this.#begin()
  }

  /** Once all is uploaded, or given up for now: whether all is. */
  async settled(): Promise<boolean> {
    // Nothing of an upload keeps the program from its end, but that somebody waits for it.
    const alive = setInterval(() => undefined, LONG_MS)
    try {
      while (this.#running !== null) await this.#running
    } finally {
      clearInterval(alive)
    }
    return this.#failed.length === 0
  }

  /**
   * The end of the process: waits for what is being uploaded to S3, as long as it may. A hook's go
   * on at the next start.
   */
  finish(): void {
    if (typeof this.#upload === 'function') return
    this.#isEnding = true
    const left = this.#queue.slice(0, MOST_OF_A_JOB)
    const { exitTimeout = DEFAULT_EXIT_MS } = this.#upload
    if (exitTimeout === 0) return
    this.#spawnLast(left)
    const limit = performance.now() + exitTimeout
    while (performance.now() < limit && this.#processes.some(isBusy)) pause(LOOK_MS)
  }

  #spawnLast(left: readonly Marked[]): void {
    if (left.length === 0) return
    try {
      // That it cannot be started is told when nobody listens any more; the marks stay.
      this.#spawn(left)
        ?.once('error', () => undefined)
        .unref()
    } catch (error) {
      this.#giveUp(left, failure('cannot start a process for uploads', this.#directory, error))
    }
  }

  #begin(): void {
    if (this.#running !== null || this.#queue.length === 0 || this.#isEnding) return
    this.#running = this.#run().finally(() => {
      this.#running = null
      this.#begin()
    })
  }

  async #run(): Promise<void> {
    this.#inFlight = this.#queue.splice(0, MOST_OF_A_JOB)
    try {
      await (typeof this.#upload === 'function' ? this.#callHook(this.#upload) : this.#toS3())
    } catch (error) {
      this.#giveUp(
        this.#inFlight,
        failure(`cannot upload snapshots: ${(error as Error).message}`, this.#directory, error)
      )
    } finally {
      this.#inFlight = []
    }
  }

  #done(): void {
    this.#listener.uploaded()
    this.#queue.push(...this.#failed)
    this.#failed = []
  }

  #giveUp(marked: readonly Marked[], error: ShardlogError): void {
    for (const one of marked) {
      if (fs.existsSync(one.file)) {
        this.#failed.push(one)
        this.#listener.failed(error)
      } else removeMark(one.mark) // Its time was over: retention has removed it.
    }
  }

  async #callHook(hook: UploadHook): Promise<void> {
    for (const marked of this.#inFlight) {
      const { file, mark, info } = marked
      for (let attempt = 1; ; attempt++) {
        try {
          await within(HOOK_TIMEOUT_MS, Promise.resolve(hook(file, info)))
          removeMark(mark)
          this.#done()
          break
        } catch (error) {
          if (attempt < DEFAULT_ATTEMPTS && fs.existsSync(file)) await sleep(pauseAfter(attempt))
          else {
            this.#giveUp(
              [marked],
              failure(`cannot upload ${file}: ${String((error as Error)?.message ?? error)}`, file, error)
            )
            break
          }
        }
      }
    }
  }

  /** Starts the process that uploads; null if there is no file of it, as in a bundle. */
  #spawn(marked: readonly Marked[]): ReturnType<typeof spawn> | null {
    if (ownFolder === null) return null
    const s3 = this.#upload as S3Options
    const { attempts = DEFAULT_ATTEMPTS, timeout = DEFAULT_TIMEOUT_MS } = s3
    const files = marked.map(({ file, mark, info }) => ({ file, mark, key: keyOf(s3, info, file) }))
    const job: UploadJob = { s3, attempts, timeout, files }
    // What the program is started with is not for this one.
    const { NODE_OPTIONS: _, ...env } = { ...process.env, ELECTRON_RUN_AS_NODE: '1' } as NodeJS.ProcessEnv
    const script = path.join(ownFolder, 'recorder', 'upload-process.js')
    const child = spawn(process.execPath, [script, JSON.stringify(job)], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
      windowsHide: true
    })
    this.#processes = [...this.#processes.filter(isBusy), { pid: child.pid ?? 0, marked }]
    return child
  }

  async #toS3(): Promise<void> {
    const marked = this.#inFlight
    const { uploaded, failed, missing } = await this.#report(marked)
    if (missing !== undefined) {
      this.#giveUp(marked, new ShardlogError('ERR_SHARDLOG_PACKAGE', missing))
      return
    }
    for (const _ of uploaded) this.#done()
    for (const { file, message } of failed) {
      this.#giveUp(
        marked.filter(one => one.file === file),
        failure(`cannot upload ${file}: ${message}`, file)
      )
    }
    const told = new Set([...uploaded, ...failed.map(({ file }) => file)])
    const untold = marked.filter(({ file }) => !told.has(file))
    if (untold.length > 0)
      this.#giveUp(untold, failure('the process that uploads snapshots has ended early', this.#directory))
  }

  #report(marked: readonly Marked[]): Promise<UploadReport> {
    const child = this.#spawn(marked)
    if (child === null) {
      const message =
        'snapshots are uploaded by a file of the package, which a bundle does not have; give upload a function'
      return Promise.reject(new Error(message))
    }
    child.unref()
    const { stdout } = child
    ;(stdout as unknown as { unref?(): void } | null)?.unref?.()
    return new Promise((resolve, reject) => {
      let text = ''
      stdout?.setEncoding('utf8').on('data', (some: string) => {
        text += some
      })
      child.once('error', error => reject(fromSystemError('ERR_SHARDLOG_UPLOAD', 'cannot start a process', error)))
      child.once('close', () => {
        try {
          resolve(JSON.parse(text || '{"uploaded":[],"failed":[]}') as UploadReport)
        } catch (error) {
          reject(error as Error)
        }
      })
    })
  }
}
