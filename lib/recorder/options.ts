/** Options of a recorder: what they may be, and what applies by default. */

import os from 'node:os'
import path from 'node:path'
import { inspect } from 'node:util'
import { nearestName, ShardlogError } from '../errors'
import { LEAST_SEGMENTS, MOST_RUN, MOST_SEGMENTS, SEGMENT_BYTES } from './arena'
import { type CaptureOptions, isConsoleFixed } from './capture'
import { asFileName } from './file-name'
import type { S3Options, Upload } from './upload'

export interface RetentionOptions {
  /** Files that are kept, the latest. Default 100. */
  files?: number
  /** Files older than this, in ms, are removed. Default: none. */
  age?: number
  /** Bytes of all that are kept. Default: any. */
  bytes?: number
}

export interface RecorderOptions {
  /**
   * Events that the ring is laid out for, 80 bytes each; of larger ones fewer stay. Default
   * 100,000, which takes up to 8 MiB.
   */
  capacity?: number
  /** Bytes of the ring, in place of `capacity`. */
  bytes?: number
  /** Snapshots leave out events older than this, in ms. Default: none. */
  minAge?: number
  /** Name of the least grave level that is kept. Default: all are. */
  level?: string
  /** Fields of an event that are kept; of one that has more, the first. Default 8. */
  maxFields?: number
  /**
   * Where the ring is while the process runs: a file, which outlives the process, and is looked
   * into at the next start with the same path; `%p` becomes the pid. False: in memory, which does
   * not. Default `.<service>.recorder` in `directory`, or with a number behind it while another
   * process has that.
   */
  path?: string | false
  /**
   * Directory of the snapshots. Default: the environment variable SHARDLOG_SNAPSHOT_DIR, else the
   * system's directory for temporary files.
   */
  directory?: string
  /**
   * Name of the service in snapshots. Default: the environment variable SHARDLOG_SERVICE_NAME, else
   * the name of the program.
   */
  service?: string
  /** Which snapshots stay in the directory, of those that are the user's. False: all. */
  retention?: RetentionOptions | false
  /**
   * Uploads each snapshot: to S3-compatible storage, for which it needs the package
   * @aws-sdk/client-s3, or by a function. What could not be uploaded is at the next start. Default:
   * none are.
   */
  upload?: Upload
  /** Snapshots when an exception or a rejection is not caught. Default true. */
  onCrash?: boolean
  /** A snapshot after an event of level 'fatal', at most once a second. Default true. */
  onFatal?: boolean
  /**
   * A signal that makes a snapshot, such as 'SIGUSR2'; the process no longer ends of it. Default:
   * none.
   */
  signal?: NodeJS.Signals
  /** ms between snapshots of what is new. Default: none. */
  interval?: number
  /**
   * Keeps `caller` with each event: file, line and function of the call that recorded it. Some
   * microseconds each. Default false.
   */
  caller?: boolean
  /**
   * Keeps trace_id, span_id and trace_flags of the active OpenTelemetry span. Needs the package
   * @opentelemetry/api. Default false.
   */
  otel?: boolean
  /** What else is kept: of the console, of the process, of channels. Default: nothing. */
  capture?: CaptureOptions
  /** A snapshot when the event loop has stood still for longer than this, in ms. Default: none. */
  stall?: number
  /**
   * 'auto': the native engine where it loads; 'native', or 'js', whose ring is in memory and does
   * not outlive the process. Default 'auto'.
   */
  engine?: 'auto' | 'native' | 'js'
}

export interface ResolvedOptions {
  segments: number
  /** 0 if the ring is laid out for bytes. */
  capacity: number
  minAge: number
  /** undefined: all. */
  level: string | undefined
  maxFields: number
  path: string | null
  /** Whether the path is nobody's choice: another does as well. */
  isDefaultPath: boolean
  directory: string
  service: string
  retention: RetentionOptions
  upload: Upload | null
  onCrash: boolean
  onFatal: boolean
  signal: NodeJS.Signals | undefined
  interval: number
  stall: number
  caller: boolean
  otel: boolean
  capture: CaptureOptions
  engine: 'auto' | 'native' | 'js'
}

const DEFAULT_CAPACITY = 100_000
/** Bytes that an event of a few fields takes, with its share of what its run defines. */
const EVENT_BYTES = 80
const DEFAULT_FIELDS = 8
const DEFAULT_FILES = 100
const MOST_TIMER = 2 ** 31 - 1
const MOST_BYTES = MOST_SEGMENTS * SEGMENT_BYTES
const MOST_CAPACITY = 10_000_000

interface Rule {
  allowed: string
  accepts: (value: unknown) => boolean
}

const text: Rule = {
  allowed: 'a string that is not empty and has no NUL characters',
  accepts: value => typeof value === 'string' && value !== '' && !value.includes('\0')
}
const flag: Rule = { allowed: 'true or false', accepts: value => typeof value === 'boolean' }
const whole = (unit: string, least: number, most: number): Rule => ({
  allowed: `a whole number${unit} from ${least} to ${most}`,
  accepts: value => Number.isInteger(value) && (value as number) >= least && (value as number) <= most
})
const milliseconds = whole(' of ms', 1, MOST_TIMER)

/**
 * Signals that a process cannot handle, or had better not: nothing is installed for what ends it
 * with a core dump.
 */
const REFUSED = new Set(['SIGKILL', 'SIGSTOP', 'SIGSEGV', 'SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGTRAP', 'SIGSYS'])

const RULES: Record<keyof RecorderOptions, Rule> = {
  capacity: whole(' of events', 1, MOST_CAPACITY),
  bytes: whole(' of bytes', LEAST_SEGMENTS * SEGMENT_BYTES, MOST_BYTES),
  minAge: milliseconds,
  level: text,
  maxFields: whole('', 0, 10_000),
  path: { allowed: `${text.allowed}, or false`, accepts: value => value === false || text.accepts(value) },
  directory: text,
  service: text,
  retention: {
    allowed: 'false or an object { files, age, bytes } of whole numbers above 0',
    accepts: value => value === false || isRetention(value)
  },
  upload: {
    allowed:
      'a function or an object { bucket, prefix, endpoint, region, forcePathStyle, attempts, timeout, exitTimeout }',
    accepts: value => typeof value === 'function' || isS3(value)
  },
  onCrash: flag,
  onFatal: flag,
  signal: {
    allowed: 'the name of a signal that a process may handle and go on',
    accepts: value => typeof value === 'string' && value in os.constants.signals && !REFUSED.has(value)
  },
  interval: milliseconds,
  stall: milliseconds,
  caller: flag,
  otel: flag,
  capture: {
    allowed: 'an object { console, warnings, channels, stalls }: true or false, the same, names of channels, ms',
    accepts: isCapture
  },
  engine: {
    allowed: "one of 'auto', 'native', 'js'",
    accepts: value => value === 'auto' || value === 'native' || value === 'js'
  }
}

const isUrl = (value: unknown): boolean => typeof value === 'string' && /^https?:$/.test(urlOf(value)?.protocol ?? '')

function urlOf(text: string): URL | null {
  try {
    return new URL(text)
  } catch {
    return null
  }
}

const S3: Record<keyof S3Options, (value: unknown) => boolean> = {
  bucket: text.accepts,
  prefix: value => typeof value === 'string' && !value.includes('\0'),
  endpoint: isUrl,
  region: text.accepts,
  forcePathStyle: flag.accepts,
  attempts: whole('', 1, 20).accepts,
  timeout: milliseconds.accepts,
  exitTimeout: value => value === 0 || milliseconds.accepts(value)
}

function isS3(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || (value as { bucket?: unknown }).bucket === undefined) return false
  return Object.entries(value).every(
    ([name, given]) => Object.hasOwn(S3, name) && (given === undefined || S3[name as keyof S3Options](given))
  )
}

const CAPTURES: Record<keyof CaptureOptions, (value: unknown) => boolean> = {
  console: flag.accepts,
  warnings: flag.accepts,
  channels: value => Array.isArray(value) && value.every(text.accepts),
  stalls: milliseconds.accepts
}

function isCapture(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).every(
    ([name, given]) =>
      Object.hasOwn(CAPTURES, name) && (given === undefined || CAPTURES[name as keyof CaptureOptions](given))
  )
}

function isRetention(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.entries(value).every(
    ([name, number]) =>
      ['files', 'age', 'bytes'].includes(name) && (number === undefined || (Number.isSafeInteger(number) && number > 0))
  )
}

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

/** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
function check(options: RecorderOptions): void {
  for (const [name, value] of Object.entries(options)) {
    const rule = (RULES as Record<string, Rule | undefined>)[name]
    if (rule === undefined) {
      const near = nearestName(name, Object.keys(RULES))
      throw configError(`unknown option recorder.${name}${near ? `; did you mean ${near}?` : ''}`)
    }
    if (value !== undefined && !rule.accepts(value)) {
      throw configError(`option recorder.${name} must be ${rule.allowed}, got ${inspect(value)}`)
    }
  }
  if (options.capture?.console && isConsoleFixed()) {
    throw configError('option recorder.capture.console must be false: the console is frozen')
  }
  if (options.capacity !== undefined && options.bytes !== undefined) {
    throw configError('options recorder.capacity and recorder.bytes exclude each other')
  }
}

/** Segments for so many bytes of events, and for the run that is being filled. */
function segmentsFor(bytes: number): number {
  const filled = Math.ceil(bytes / SEGMENT_BYTES)
  const spare = Math.min(MOST_RUN, Math.ceil(filled / 7))
  return Math.min(MOST_SEGMENTS, Math.max(LEAST_SEGMENTS, filled + spare))
}

const programName = (): string => asFileName(path.basename(process.argv[1] ?? 'node', '.js'))

/**
 * Options with what applies by default filled in.
 *
 * @param defaults what applies in place of ours
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function resolveOptions(
  options: RecorderOptions,
  defaults: Pick<RecorderOptions, 'service' | 'path'> = {}
): ResolvedOptions {
  if (typeof options !== 'object' || options === null) {
    throw configError(`option recorder must be an object of options, got ${inspect(options)}`)
  }
  check(options)
  const { SHARDLOG_SNAPSHOT_DIR, SHARDLOG_SERVICE_NAME } = process.env
  const service = options.service ?? (SHARDLOG_SERVICE_NAME || defaults.service || programName())
  const directory = path.resolve(options.directory ?? (SHARDLOG_SNAPSHOT_DIR || os.tmpdir()))
  const capacity = options.bytes === undefined ? (options.capacity ?? DEFAULT_CAPACITY) : 0
  const given = options.path ?? defaults.path ?? path.join(directory, `.${asFileName(service)}.recorder`)
  const { retention = {} } = options
  return {
    segments: segmentsFor(options.bytes ?? capacity * EVENT_BYTES),
    capacity,
    minAge: options.minAge ?? 0,
    level: options.level,
    maxFields: options.maxFields ?? DEFAULT_FIELDS,
    path: given === false ? null : path.resolve(given.replaceAll('%p', String(process.pid))),
    isDefaultPath: options.path === undefined,
    directory,
    service,
    retention: retention === false ? {} : { files: DEFAULT_FILES, ...retention },
    upload: options.upload ?? null,
    onCrash: options.onCrash ?? true,
    onFatal: options.onFatal ?? true,
    signal: options.signal,
    interval: options.interval ?? 0,
    stall: options.stall ?? 0,
    caller: options.caller ?? false,
    otel: options.otel ?? false,
    capture: options.capture ?? {},
    engine: options.engine ?? 'auto'
  }
}
