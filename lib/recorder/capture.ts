/**
 * What else goes into the ring on request: what a program says by `console`, process warnings,
 * messages of diagnostics channels, and that the event loop stood still. Everything takes its way
 * as before: this only looks on.
 */

import diagnostics from 'node:diagnostics_channel'
import { format, inspect } from 'node:util'
import { isError } from '../errors'
import type { EventFields } from './events'

export interface CaptureOptions {
  /**
   * Calls of `console.debug`, `log`, `info`, `warn`, `error` and `trace` of this thread. Default
   * false.
   */
  console?: boolean
  /** What `process.emitWarning` tells, deprecations among it. Default false. */
  warnings?: boolean
  /** Names of channels of `node:diagnostics_channel`. Default none. */
  channels?: readonly string[]
  /** An event when the event loop has stood still for longer than this, in ms. Default: none. */
  stalls?: number
}

/**
 * Keeps an event of a level by its name. Never throws.
 *
 * @param tell what it says, asked for if it is kept
 */
export type Observe = (level: string, target: string, tell: () => Told) => void

interface Told {
  message: string
  fields: EventFields | null
}

type Undo = () => void

/** Methods of the console, and the levels of what is said by them. */
const METHODS = { debug: 'debug', log: 'info', info: 'info', warn: 'warn', error: 'error', trace: 'trace' } as const

/** Whether nothing can be put around its methods, as of one that is frozen. */
export const isConsoleFixed = (): boolean =>
  Object.keys(METHODS).some(name => Object.getOwnPropertyDescriptor(console, name)?.configurable === false)

type Method = (...args: unknown[]) => unknown

/**
 * Puts a function around a method of the console. What others put around that stays when it is
 * taken away again: then it only passes calls on.
 */
function around(name: keyof typeof METHODS, level: string, observe: Observe): Undo {
  const before = Object.getOwnPropertyDescriptor(console, name)
  const original = console[name] as Method
  if (typeof original !== 'function') return () => undefined
  let isOn = true
  const own = Object.defineProperty(
    function (this: unknown, ...args: unknown[]): unknown {
      if (isOn) observe(level, 'console', () => ({ message: format(...args), fields: null }))
      return Reflect.apply(original, this, args)
    },
    'name',
    { value: name, configurable: true }
  )
  Object.defineProperty(console, name, { enumerable: true, writable: true, ...before, configurable: true, value: own })
  return () => {
    isOn = false
    if (console[name] !== own) return
    if (before === undefined) delete (console as Partial<Console>)[name]
    else Object.defineProperty(console, name, before)
  }
}

function watchConsole(observe: Observe): Undo {
  const undo = Object.entries(METHODS).map(([name, level]) => around(name as keyof typeof METHODS, level, observe))
  return () => {
    // The last first: what each finds is its own.
    for (const one of undo.reverse()) one()
  }
}

// One listener for all recorders of a thread, so that there are never too many.
const heeding = new Set<Observe>()

function warned(warning: Error & { code?: unknown; detail?: unknown }): void {
  for (const observe of [...heeding]) {
    observe('warn', 'process', () => {
      const { name, message, code, detail, stack } = warning
      return { message: String(message), fields: { type: name, code, detail, stack } }
    })
  }
}

function watchWarnings(observe: Observe): Undo {
  if (heeding.size === 0) process.on('warning', warned)
  heeding.add(observe)
  return () => {
    if (heeding.delete(observe) && heeding.size === 0) process.off('warning', warned)
  }
}

/** What is shown of a value that may be anything: a socket, a request, itself in itself. */
const BRIEF = { depth: 1, breakLength: Number.POSITIVE_INFINITY, maxArrayLength: 10, maxStringLength: 200 } as const
const MOST_TEXT = 500

function brief(value: unknown): unknown {
  if (typeof value === 'string') return value.length > MOST_TEXT ? `${value.slice(0, MOST_TEXT)}…` : value
  if (typeof value !== 'object' && typeof value !== 'function' && typeof value !== 'symbol') return value
  if (value === null) return null
  if (isError(value)) return brief(String(value.stack))
  return brief(inspect(value, BRIEF))
}

function fieldsOf(message: unknown): EventFields {
  if (typeof message !== 'object' || message === null || isError(message)) return { value: brief(message) }
  return Object.fromEntries(Object.entries(message).map(([key, value]) => [key, brief(value)]))
}

function watchChannel(name: string, observe: Observe): Undo {
  const listener = (message: unknown): void => {
    observe('debug', name, () => ({ message: name, fields: fieldsOf(message) }))
  }
  diagnostics.subscribe(name, listener)
  return () => void diagnostics.unsubscribe(name, listener)
}

/**
 * Begins to look on. Returns what ends it.
 *
 * @param watchLoop calls with the ms that the event loop stood still if they are more than a limit
 */
export function installCapture(
  { console: says = false, warnings = false, channels = [], stalls = 0 }: CaptureOptions,
  observe: Observe,
  watchLoop: (limit: number, late: (ms: number) => void) => Undo
): Undo {
  const undo: Undo[] = []
  if (says) undo.push(watchConsole(observe))
  if (warnings) undo.push(watchWarnings(observe))
  for (const name of new Set(channels)) undo.push(watchChannel(name, observe))
  if (stalls > 0) {
    const late = (ms: number): void =>
      observe('warn', 'process', () => ({ message: 'the event loop stood still', fields: { ms: Math.round(ms) } }))
    undo.push(watchLoop(stalls, late))
  }
  return () => {
    for (const one of undo) one()
  }
}
