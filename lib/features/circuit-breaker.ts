/**
 * A destination in front of one that may fail: after failures in a row it is left alone for a
 * while.
 */

import { EventEmitter } from 'node:events'
import { CircuitState, type CircuitStateName } from '../circuit-state'
import type { Stream } from '../pino/context'
import { whenClosed } from '../pino/destination'
import { needsMetadataGsym } from '../pino/symbols'
import type { DestinationStream } from '../pino/types'
import { failOption, isOptions, type Rules, resolved, rules } from './options'

export type { CircuitStateName }

export interface CircuitBreakerOptions {
  /** Failures in a row that open the circuit. Default 5. */
  failures?: number
  /** How long the destination is left alone then, in ms. Default 60,000. */
  recovery?: number
  /** Writes that must succeed after that to close the circuit. Default 3. */
  successes?: number
  /**
   * What becomes of lines that the destination does not take: written to stderr, or counted only.
   * Default 'stderr'.
   */
  fallback?: 'stderr' | 'count'
  /**
   * Most bytes of lines that the destination may have taken and not written yet; beyond it a write
   * is a failure. Default 16 MiB.
   */
  maxPending?: number
}

export interface CircuitBreakerStats {
  state: CircuitStateName
  /** Writes given to the destination. */
  attempted: number
  /** Writes that failed, and errors that the destination reported. */
  failures: number
  failuresInARow: number
  /** How often the circuit opened. */
  opened: number
  /** Lines that went to stderr instead. */
  diverted: number
  /** Lines that are lost. */
  dropped: number
  /** Bytes of lines that the destination has taken and not written yet, as far as it tells. */
  pending: number
}

/**
 * How a destination tells that a write succeeded: of the engine's, the result says whether the line
 * was taken.
 */
type Confirmation = 'callback' | 'event' | 'result' | 'return'

interface Target extends Omit<Stream, 'write'> {
  write(line: string, callback?: (error?: Error | null) => void): unknown
  on?: (event: string, listener: (value: unknown) => void) => unknown
  emit?: (event: string, ...values: unknown[]) => unknown
  end?: () => unknown
  getStatsSnapshot?: () => unknown
  destroyed?: boolean
  errored?: unknown
  _writableState?: unknown
}

/** The destination that a circuit breaker writes to at present. */
export const targetSym: unique symbol = Symbol('shardlog.target')

const RULES: Rules<CircuitBreakerOptions> = {
  failures: rules.count,
  recovery: rules.milliseconds,
  successes: rules.count,
  maxPending: rules.count,
  fallback: { allowed: "'stderr' or 'count'", accepts: value => value === 'stderr' || value === 'count' }
}
const DEFAULTS: Required<CircuitBreakerOptions> = {
  failures: 5,
  recovery: 60_000,
  successes: 3,
  fallback: 'stderr',
  maxPending: 16 * 1024 * 1024
}

function confirmationOf(target: Target): Confirmation {
  if (target._writableState !== undefined) return 'callback'
  if (typeof target.getStatsSnapshot === 'function') return 'result'
  // Its 'write' event; the package may be another copy than ours.
  return target.constructor?.name === 'SonicBoom' ? 'event' : 'return'
}

function isTarget(value: unknown): value is Target {
  return typeof (value as { write?: unknown } | null | undefined)?.write === 'function'
}

/** A destination with a circuit breaker. Emits 'stateChange' with the new state. */
export class CircuitBreaker extends EventEmitter {
  /** By this loggers tell a stream from options. */
  readonly writable = true
  lastLevel = 0
  lastObj: unknown
  lastMsg: unknown
  lastTime: string | undefined
  lastLogger: unknown
  readonly #open: (() => DestinationStream) | null
  readonly #toStderr: boolean
  readonly #state: CircuitState
  readonly #maxPending: number
  /** Errors of writes, which streams report by an event too. */
  readonly #told = new WeakSet<object>()
  #target: Target
  #confirmation: Confirmation
  #pending = 0
  #attempted = 0
  #failures = 0
  #diverted = 0
  #dropped = 0

  /** @throws ShardlogError `ERR_SHARDLOG_CONFIG` */
  constructor(destination: DestinationStream | (() => DestinationStream), given: CircuitBreakerOptions) {
    super()
    if (!isOptions(given)) failOption('circuitBreaker', given, 'an object')
    const options = resolved('circuitBreaker', given, RULES, DEFAULTS)
    this.#open = typeof destination === 'function' ? destination : null
    this.#toStderr = options.fallback === 'stderr'
    this.#maxPending = options.maxPending ?? DEFAULTS.maxPending
    this.#state = new CircuitState(options, name => this.#tell(name))
    this.#target = this.#attached(typeof destination === 'function' ? destination() : destination)
    this.#confirmation = confirmationOf(this.#target)
  }

  /** Whether the destination wants to be told about each line: multistream does. */
  get [needsMetadataGsym](): boolean {
    return this.#target[needsMetadataGsym] === true
  }

  /** @internal */
  get [targetSym](): object {
    return this.#target
  }

  #attached(destination: unknown): Target {
    if (!isTarget(destination))
      failOption('destination of circuitBreaker', destination, 'a stream, or a function that opens one')
    const target = destination
    target.on?.('error', error => {
      if (target === this.#target) this.#reported(error)
    })
    target.on?.('write', bytes => {
      if (target !== this.#target || this.#confirmation !== 'event') return
      this.#pending = Math.max(0, this.#pending - Number(bytes))
      this.#state.succeed()
    })
    return target
  }

  #tell(name: CircuitStateName): void {
    super.emit('stateChange', name)
  }

  /** Passes a line on, or to the fallback. Never throws. */
  write(line: string): boolean {
    if (!this.#state.admits()) {
      this.#divert(line)
      return false
    }
    this.#attempted++
    try {
      return this.#pass(line)
    } catch (thrown) {
      this.#failed(thrown)
      this.#divert(line)
      return false
    }
  }

  #pass(line: string): boolean {
    this.#reopen()
    const target = this.#target
    if (this[needsMetadataGsym]) {
      const { lastLevel, lastObj, lastMsg, lastTime, lastLogger } = this
      Object.assign(target, { lastLevel, lastObj, lastMsg, lastTime, lastLogger })
    }
    switch (this.#confirmation) {
      case 'callback':
        return this.#passCounted(target, line)
      case 'event':
        this.#pend(Buffer.byteLength(line))
        return target.write(line) !== false
      case 'result':
        return this.#passChecked(target, line)
      default:
        return this.#passBelieved(target, line)
    }
  }

  /** To a stream of Node's, which keeps what its peer does not take. */
  #passCounted(target: Target, line: string): boolean {
    const bytes = Buffer.byteLength(line)
    this.#pend(bytes)
    return (
      target.write(line, error => {
        if (target === this.#target) this.#pending -= bytes
        this.#ended(line, error)
      }) !== false
    )
  }

  /**
   * @throws if the destination has taken as much as it may and written none of it: its peer has
   * stopped
   */
  #pend(bytes: number): void {
    if (this.#pending > 0 && this.#pending + bytes > this.#maxPending) {
      throw new Error(`more than ${this.#maxPending} bytes wait to be written`)
    }
    this.#pending += bytes
  }

  /** To a destination of the engine's, which says whether it has taken the line. */
  #passChecked(target: Target, line: string): boolean {
    if (target.write(line) === false) throw new Error('the destination has dropped the line')
    this.#state.succeed()
    return true
  }

  #passBelieved(target: Target, line: string): boolean {
    const taken = target.write(line)
    // An emitter that took a line may still report that it could not write it: it is trusted only
    // when it is tried again.
    if (typeof target.on !== 'function' || this.#state.name === 'half-open') this.#state.succeed()
    return taken !== false
  }

  /** A stream of Node's that failed writes nothing any more; a new one may. */
  #reopen(): void {
    const { destroyed, errored } = this.#target
    if (this.#open === null || (destroyed !== true && !errored)) return
    this.#target = this.#attached(this.#open())
    this.#pending = 0
    this.#confirmation = confirmationOf(this.#target)
  }

  #ended(line: string, error: Error | null | undefined): void {
    if (!error) {
      this.#state.succeed()
      return
    }
    this.#failed(error)
    this.#divert(line)
  }

  #failed(error: unknown): void {
    if (typeof error === 'object' && error !== null) this.#told.add(error)
    this.#failures++
    this.#state.fail()
  }

  /** An 'error' event. */
  #reported(error: unknown): void {
    if (typeof error !== 'object' || error === null || !this.#told.has(error)) this.#failed(error)
  }

  #divert(line: string): void {
    if (!this.#toStderr) {
      this.#dropped++
      return
    }
    this.#diverted++
    try {
      process.stderr.write(line, error => {
        if (error) this.#notDiverted()
      })
    } catch {
      this.#notDiverted()
    }
  }

  /** There is nowhere left to say it but the counter. */
  #notDiverted(): void {
    this.#diverted--
    this.#dropped++
    // The stream says it too, to nobody: that its reader has gone is no reason to end the process.
    if (process.stderr.listenerCount('error') === 0) process.stderr.once('error', () => undefined)
  }

  /** Flushes the destination if it can be; `callback` is told when that is done. */
  flush(callback: (error?: Error) => void = () => undefined): void {
    if (typeof this.#target.flush === 'function') this.#target.flush(callback)
    else callback()
  }

  /** As `flush`, but waits in the call; a failure is counted, not thrown. */
  flushSync(): void {
    try {
      this.#target.flushSync?.()
    } catch (thrown) {
      this.#failed(thrown)
    }
  }

  /** Ends the destination behind it, and is closed when that is. */
  end(): void {
    const closed = (): boolean => this.emit('close')
    // An error of its end has been told as any other.
    whenClosed(this.#target).then(closed, closed)
    this.#target.end?.()
  }

  /** Counters of the destination behind it; it has none if that has none. */
  get getStatsSnapshot(): (() => unknown) | undefined {
    const target = this.#target
    return target.getStatsSnapshot && (() => target.getStatsSnapshot?.())
  }

  /** What loggers tell a transport goes on to it. */
  override emit(event: string, ...values: unknown[]): boolean {
    if (event !== 'message') return super.emit(event, ...values)
    this.#target.emit?.(event, ...values)
    return true
  }

  /** What has become of the lines, and the state it is in. */
  stats(): CircuitBreakerStats {
    return {
      state: this.#state.name,
      attempted: this.#attempted,
      failures: this.#failures,
      failuresInARow: this.#state.failuresInARow,
      opened: this.#state.opened,
      diverted: this.#diverted,
      dropped: this.#dropped,
      pending: this.#pending
    }
  }
}

/**
 * A destination that passes lines on to another until that fails `failures` times in a row, then
 * leaves it alone for `recovery` ms, and then tries it until `successes` writes succeeded. A
 * failure is a `write` that throws, calls back with an error, or an 'error' event.
 *
 * @param destination a stream, or a function that opens one: it is called again to replace a stream
 *   of Node's that failed, which writes nothing any more
 * @throws ShardlogError `ERR_SHARDLOG_CONFIG`
 */
export function circuitBreaker(
  destination: DestinationStream | (() => DestinationStream),
  options: CircuitBreakerOptions = {}
): CircuitBreaker {
  return new CircuitBreaker(destination, options)
}
