import { createRequire, findSourceMap } from 'node:module'
import { fileURLToPath } from 'node:url'
import { ShardlogError } from './errors'
import { Lru } from './lru'
import { ownFile, ownFolder } from './own-place'

/** Where a call comes from: its place in the program, and the trace that it belongs to. */

const MAX_SITES = 1_000
/**
 * Most frames of ours, or of wrappers that V8 adds, between the level method and the program's
 * call.
 */
const MAX_FRAMES = 12

const callSites: NonNullable<typeof Error.prepareStackTrace> = (_error, sites) => sites

/** A function on the stack. */
export type Top = ((...args: never) => unknown) | undefined

/** Up to `frames` frames of the stack above `top`; none if `top` is not on it. Each frame costs. */
function stackAbove(top: Top, frames: number): NodeJS.CallSite[] {
  const { prepareStackTrace, stackTraceLimit } = Error
  const holder: { stack?: unknown } = {}
  try {
    Error.prepareStackTrace = callSites
    Error.stackTraceLimit = frames
    Error.captureStackTrace(holder, top)
    return (holder.stack ?? []) as NodeJS.CallSite[]
  } finally {
    Error.prepareStackTrace = prepareStackTrace
    Error.stackTraceLimit = stackTraceLimit
  }
}

function isOurs(site: NodeJS.CallSite): boolean {
  return ownFolder !== null && Boolean(site.getFileName()?.startsWith(ownFolder))
}

/** The program's call, which nearly always is what called `top`. */
function programSite(top: Top): NodeJS.CallSite | undefined {
  const [nearest] = stackAbove(top, 1)
  if (nearest && !isOurs(nearest)) return nearest
  return stackAbove(nearest ? top : undefined, MAX_FRAMES).find(site => !isOurs(site))
}

function pathOf(file: string): string {
  return file.startsWith('file:') ? fileURLToPath(file) : file
}

/** File and line as they were written, if Node knows a source map. */
function place(file: string, line: number, column: number): string {
  const entry = findSourceMap(file)?.findEntry(line - 1, column - 1)
  if (entry && 'originalSource' in entry) return `${pathOf(entry.originalSource)}:${entry.originalLine + 1}`
  return `${pathOf(file)}:${line}`
}

interface Scripted {
  getScriptHash?: () => string
}

/**
 * What tells apart places in scripts of one name, or of none: those of `eval`, `new Function` and
 * `vm`.
 */
function sourceOf(site: NodeJS.CallSite & Scripted): string {
  const hash = site.getScriptHash?.() ?? ''
  return site.isEval() || site.getFileName() == null ? `${hash} ${site.getEvalOrigin() ?? ''}` : hash
}

function describe(site: NodeJS.CallSite): string {
  const at = place(site.getFileName() ?? '<anonymous>', site.getLineNumber() ?? 0, site.getColumnNumber() ?? 1)
  const name = site.getFunctionName()
  return name ? `${at} (${name})` : at
}

/** How often places were found. */
export interface CallSiteStats {
  /** Calls whose place was known from an earlier one. */
  hits: number
  misses: number
  /** Places that are remembered, 1,000 at the most. */
  cached: number
}

/**
 * Finds call sites. Working out line and function is what costs; the place in the script is the key
 * to what was worked out before.
 */
export class CallSites {
  readonly #known = new Lru<string, string>(MAX_SITES)
  #hits = 0
  #misses = 0

  /** `file:line (function)` of the program's call of `top`; undefined if it cannot be told. */
  find(top: Top): string | undefined {
    const site = programSite(top)
    return site && this.#described(site)
  }

  #described(site: NodeJS.CallSite): string {
    const { getPosition } = site as { getPosition?: () => number }
    const position = getPosition ? getPosition.call(site) : `${site.getLineNumber()}:${site.getColumnNumber()}`
    const key = `${position} ${site.getFileName()} ${sourceOf(site)}`
    const known = this.#known.get(key)
    if (known !== undefined) {
      this.#hits++
      return known
    }
    this.#misses++
    const text = describe(site)
    this.#known.set(key, text)
    return text
  }

  stats(): CallSiteStats {
    return { hits: this.#hits, misses: this.#misses, cached: this.#known.size }
  }
}

/** Which OpenTelemetry span a record belongs to. */

interface SpanContext {
  traceId: string
  spanId: string
  traceFlags: number
}

interface Baggage {
  getEntry(name: string): { value: string } | undefined
  getAllEntries(): [string, { value: string }][]
}

/** What is used of `@opentelemetry/api`. */
interface OtelApi {
  trace: { getActiveSpan(): { spanContext(): SpanContext } | undefined }
  propagation: { getActiveBaggage(): Baggage | undefined }
  isSpanContextValid(context: SpanContext): boolean
}

export interface TraceStats {
  /** Records that carry a trace. */
  correlated: number
}

/** Of baggage entries; true for all, null for none. */
type Names = readonly string[] | true | null

const requireInstalled = createRequire(ownFile)

/**
 * The API as it is installed.
 *
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if it is not
 */
export function loadOtelApi(load: (name: string) => unknown = requireInstalled): OtelApi {
  try {
    return load('@opentelemetry/api') as OtelApi
  } catch (cause) {
    throw new ShardlogError(
      'ERR_SHARDLOG_CONFIG',
      'option otel needs the package @opentelemetry/api, which cannot be loaded: npm install @opentelemetry/api',
      { cause }
    )
  }
}

/** Two hex digits, as in a traceparent header. */
function flagsText(flags: number): string {
  return flags.toString(16).padStart(2, '0')
}

export class TraceContext {
  readonly #api: OtelApi
  readonly #names: Names
  #correlated = 0

  /** @param names of baggage entries; true for all, null for none */
  constructor(api: OtelApi, names: Names) {
    this.#api = api
    this.#names = names
  }

  /** Fields that tell of the active span; null if there is none. */
  fields(): Record<string, unknown> | null {
    const context = this.#api.trace.getActiveSpan()?.spanContext()
    if (!context || !this.#api.isSpanContextValid(context)) return null
    this.#correlated++
    const { traceId, spanId, traceFlags } = context
    const fields = { trace_id: traceId, span_id: spanId, trace_flags: flagsText(traceFlags) }
    const baggage = this.#names === null ? null : this.#baggage(this.#names)
    return baggage === null ? fields : { ...fields, baggage }
  }

  #baggage(names: readonly string[] | true): Record<string, string> | null {
    const active = this.#api.propagation.getActiveBaggage()
    if (!active) return null
    const entries = active.getAllEntries().filter(([name]) => names === true || names.includes(name))
    return entries.length === 0 ? null : Object.fromEntries(entries.map(([name, { value }]) => [name, value]))
  }

  stats(): TraceStats {
    return { correlated: this.#correlated }
  }
}
