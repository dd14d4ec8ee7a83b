/** A configuration at work: its appenders, its loggers, and reloads. */

import fs from 'node:fs'
import path from 'node:path'
import { asShardlogError, ShardlogError } from '../errors'
import { pathOf } from '../path-like'
import type { Internals } from '../pino/context'
import { logger as makeLogger, type StructuredLogger } from '../pino/logger'
import type { DestinationStream, LoggerOptions } from '../pino/types'
import { clearTimeout, setTimeout } from '../timers'
import { BatchBuffer } from './buffer'
import type { Filter } from './filters'
import { type Appender, type AppenderStats, knownKinds, registerKind } from './kinds'
import { consoleKind, fileKind } from './local'
import { type AppenderConfig, fileOf, isSame, Model } from './model'
import { rollingFile } from './rolling-file'
import { type Port, Route, streamOf } from './route'
import { objectSource, readSource, type Source } from './source'

for (const kind of [consoleKind, fileKind, rollingFile]) registerKind(kind)

/** Options of `configure` beside the configuration. */
export interface ConfigureOptions {
  /**
   * Options of all loggers that `getLogger` makes: serializers, redact, mixin, base, … Their level
   * and name are the configuration's.
   */
  logger?: LoggerOptions
  /**
   * Told of what goes wrong while records are written, and of a new configuration that is refused.
   * Default: a process warning, once for each appender and code.
   */
  onError?: (error: ShardlogError) => void
}

/** What `configure` returns. */
export interface Logging {
  /**
   * A logger whose level and appenders are those of the configuration. The same for the same name,
   * unless options are given.
   *
   * @param name names with dots: 'orders.api' has what 'orders' has, unless it is told otherwise.
   *   '' or 'root': the root logger. Default ''
   * @param options as of `shardlog()`, but for its level and name
   * @throws if an option is wrong
   */
  getLogger(name?: string, options?: LoggerOptions): StructuredLogger
  /**
   * Reads the configuration anew: the file, or `configuration` in its place. Appenders that have
   * not changed go on; loggers get their new levels and appenders; no record is lost.
   *
   * @throws ShardlogError `ERR_SHARDLOG_CONFIG` if it is wrong, and what an appender fails with:
   *   nothing has changed then
   */
  reload(configuration?: object): void
  /** Hands on what all appenders hold. Rejects with the first failure. */
  flush(): Promise<void>
  /** Flushes and closes all appenders. Later records are dropped. */
  close(): Promise<void>
  /** Counters of the appenders by name. */
  stats(): Record<string, AppenderStats>
}

/** An appender that is open. */
interface Open {
  readonly config: AppenderConfig
  readonly port: Port
}

/** Appenders, opened as they are asked for: one may refer to others. */
class Opening {
  readonly #opened = new Map<string, Open>()
  readonly #under = new Set<string>()
  readonly #made: Open[] = []

  constructor(
    private readonly model: Model,
    private readonly before: ReadonlyMap<string, Open>,
    private readonly report: (name: string, error: unknown) => void
  ) {}

  all(): Map<string, Open> {
    try {
      for (const name of this.model.appenders.keys()) this.#open(name)
      return this.#opened
    } catch (error) {
      this.undo()
      throw error
    }
  }

  /** Closes what was opened. */
  undo(): void {
    for (const { port } of this.#made) closePort(port).catch(error => this.report(port.name, error))
  }

  #open(name: string): Open {
    const known = this.#opened.get(name)
    if (known !== undefined) return known
    const config = this.model.appenders.get(name)
    if (config === undefined) throw configError(`there is no appender ${name}`)
    if (this.#under.has(name)) throw configError(`the appender ${name} refers to itself, by way of others`)
    this.#under.add(name)
    const open = this.#kept(config) ?? this.#new(config)
    this.#under.delete(name)
    this.#opened.set(name, open)
    return open
  }

  #kept(config: AppenderConfig): Open | undefined {
    const before = this.before.get(config.name)
    if (before === undefined || !isSame(before.config, config)) return undefined
    return { config, port: portOf(config, before.port.appender, before.port.buffer) }
  }

  #new(config: AppenderConfig): Open {
    const report = (error: ShardlogError): void => this.report(config.name, error)
    const appender = knownKinds()
      .get(config.type)!
      .open({
        name: config.name,
        options: config.options,
        isPlainJson: config.layout === null,
        appender: name => this.#open(name).port.appender,
        report
      })
    const open = { config, port: portOf(config, appender, bufferFor(config, appender, report)) }
    this.#made.push(open)
    return open
  }
}

const configError = (message: string): ShardlogError => new ShardlogError('ERR_SHARDLOG_CONFIG', message)

function bufferFor(
  { options }: AppenderConfig,
  appender: Appender,
  report: (error: ShardlogError) => void
): BatchBuffer | null {
  if (appender.destination !== undefined) return null
  return new BatchBuffer(appender, {
    batchSize: options.bufferedIo === true ? (options.batchSize as number) : 1,
    flushInterval: (options.flushInterval as number) * 1000,
    report
  })
}

function portOf(config: AppenderConfig, appender: Appender, buffer: BatchBuffer | null): Port {
  const { name, layout, level, filters } = config
  return { name, appender, layout, level, filters: filters as readonly Filter[], buffer }
}

const closePort = ({ appender, buffer }: Port): Promise<void> => (buffer ?? appender).close()

/** So many loggers with options of their own are remembered before it is asked who holds them. */
const MANY_LOGGERS = 64

interface Given {
  /** The file to be read anew; null for an object. */
  readonly file: string | null
  readonly options: ConfigureOptions
}

/** A configuration at work. */
export class ConfiguredLogging implements Logging {
  #model: Model
  #open: ReadonlyMap<string, Open>
  readonly #routes = new Map<string, Route>()
  readonly #loggers = new Map<string, StructuredLogger>()
  /** Loggers with options of their own, whose levels a reload sets, too. */
  #others: { readonly name: string; readonly logger: WeakRef<StructuredLogger> }[] = []
  #pruneAt = MANY_LOGGERS
  readonly #told = new Set<string>()
  #closing: Promise<void> | null = null
  readonly #leaving = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | null = null
  #seen: string
  #signal: NodeJS.Signals | null = null

  /** @throws ShardlogError */
  constructor(
    source: Source,
    private readonly given: Given
  ) {
    this.#seen = this.#fingerprint()
    this.#model = new Model(source)
    this.#open = new Opening(this.#model, new Map(), this.#report).all()
    this.#follow()
  }

  // Failures.

  readonly #report = (name: string, thrown: unknown): void => {
    const error = asShardlogError(thrown)
    const { onError } = this.given.options
    if (onError !== undefined) {
      onError(error)
      return
    }
    const key = `${name} ${error.code}`
    if (this.#told.has(key)) return
    this.#told.add(key)
    process.emitWarning(name === '' ? error.message : `appender ${name}: ${error.message}`, { code: error.code })
  }

  // Loggers.

  getLogger(name = '', options?: LoggerOptions): StructuredLogger {
    const key = name.toLowerCase() === 'root' ? '' : name
    const known = this.#loggers.get(key)
    if (known !== undefined && options === undefined) return known
    const made = this.#logger(key, options)
    if (options === undefined) this.#loggers.set(key, made)
    else this.#remember(key, made)
    return made
  }

  /** Programs may ask for one in each request: those that nobody holds are forgotten. */
  #remember(name: string, logger: StructuredLogger): void {
    if (this.#others.length >= this.#pruneAt) {
      this.#others = this.#others.filter(({ logger }) => logger.deref() !== undefined)
      this.#pruneAt = Math.max(MANY_LOGGERS, 2 * this.#others.length)
    }
    this.#others.push({ name, logger: new WeakRef(logger) })
  }

  #logger(name: string, options: LoggerOptions | undefined): StructuredLogger {
    for (const option of ['level', 'name'] as const) {
      if (options?.[option] === undefined) continue
      throw configError(`option ${option} of a logger is the configuration's: give it there`)
    }
    const { level } = this.#model.resolve(name)
    const { customLevels } = this.#model
    const all: LoggerOptions<string> = { ...this.given.options.logger, ...options, level }
    if (name !== '') {
      all.name = name
      // Without bindings there would be none for the name.
      if (all.base === null) all.base = {}
    }
    if (Object.keys(customLevels).length > 0) all.customLevels = { ...customLevels, ...all.customLevels }
    const stream = streamOf(this.#route(name)) as unknown as DestinationStream
    return makeLogger(all, stream) as unknown as StructuredLogger
  }

  #route(name: string): Route {
    let route = this.#routes.get(name)
    if (route === undefined) {
      route = new Route(name, this.#report)
      this.#routes.set(name, route)
      this.#direct(route)
    }
    return route
  }

  /** Sets the ways of a route by the configuration. */
  #direct(route: Route): void {
    const { steps } = this.#model.resolve(route.name)
    route.set(
      steps.map(({ filters, refs }) => ({
        filters,
        targets: refs.map(({ appender, level, filters }) => ({
          port: this.#open.get(appender.name)!.port,
          level,
          filters
        }))
      }))
    )
  }

  // Reloads.

  reload(configuration?: object): void {
    if (this.#closing !== null) throw configError('the configuration is closed')
    if (configuration === undefined && this.given.file === null) {
      throw configError('reload: the configuration was an object, a new one has to be given')
    }
    this.#seen = this.#fingerprint()
    const source = configuration === undefined ? readSource(this.given.file!) : objectSource(configuration)
    this.#change(new Model(source))
  }

  #change(model: Model): void {
    if (JSON.stringify(model.customLevels) !== JSON.stringify(this.#model.customLevels)) {
      throw configError('custom_levels cannot be changed while loggers are at work: restart the program')
    }
    const before = this.#open
    const leaving = [...before.values()].filter(({ config }) => {
      const next = model.appenders.get(config.name)
      return next === undefined || !isSame(config, next)
    })
    const given = this.#giveUp(leaving, model)
    let open: Map<string, Open>
    try {
      open = new Opening(model, withoutNames(before, given), this.#report).all()
    } catch (error) {
      this.#takeBack(given)
      throw error
    }
    this.#model = model
    this.#open = open
    for (const route of this.#routes.values()) this.#direct(route)
    this.#setLevels()
    for (const { port } of leaving) this.#leave(port)
    this.#follow()
  }

  /**
   * Closes appenders whose file a new one writes to next: a log has one set of options at a time.
   */
  #giveUp(leaving: readonly Open[], model: Model): Open[] {
    const files = new Set([...model.appenders.values()].map(({ options }) => fileOf(options) ?? ''))
    const given = leaving.filter(({ config }) => files.has(fileOf(config.options) ?? '-'))
    for (const { port } of given) (port.appender as { closeSync?: () => void }).closeSync?.()
    return given
  }

  /** Opens them again, since what was to take their place cannot be opened. */
  #takeBack(given: readonly Open[]): void {
    if (given.length === 0) return
    for (const { port } of given) this.#leave(port)
    const names = given.map(({ config }) => config.name)
    this.#open = new Opening(this.#model, withoutNames(this.#open, given), this.#report).all()
    for (const route of this.#routes.values()) this.#direct(route)
    for (const name of names) this.#told.delete(name)
  }

  #setLevels(): void {
    const set = (name: string, logger: StructuredLogger | undefined): void => {
      if (logger !== undefined) logger.level = this.#model.resolve(name).level
    }
    for (const [name, logger] of this.#loggers) set(name, logger)
    for (const { name, logger } of this.#others) set(name, logger.deref())
  }

  /** Closes an appender, not before a call is over that may be giving it a record. */
  #leave(port: Port): void {
    const closed = Promise.resolve(port)
      .then(closePort)
      .catch(error => this.#report(port.name, error))
      .finally(() => this.#leaving.delete(closed))
    this.#leaving.add(closed)
  }

  /** What tells a file that has changed from the same as before. */
  #fingerprint(): string {
    const stat = this.given.file === null ? undefined : fs.statSync(this.given.file, { throwIfNoEntry: false })
    return stat === undefined ? '' : `${stat.dev} ${stat.ino} ${stat.size} ${stat.mtimeMs}`
  }

  /** Looks at the file, and listens to the signal, as the configuration says. */
  #follow(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#signal !== this.#model.reloadSignal) {
      if (this.#signal !== null) process.off(this.#signal, this.#reloadQuietly)
      this.#signal = this.#model.reloadSignal
      if (this.#signal !== null) process.on(this.#signal, this.#reloadQuietly)
    }
    const { monitorInterval } = this.#model
    if (this.given.file === null || monitorInterval === 0) return
    this.#timer = setTimeout(() => {
      if (this.#fingerprint() === this.#seen) this.#follow()
      else this.#reloadQuietly()
    }, monitorInterval * 1000)
    this.#timer.unref()
  }

  readonly #reloadQuietly = (): void => {
    if (this.given.file === null) return
    try {
      this.reload()
    } catch (error) {
      // The next one that is refused is told of, too.
      this.#told.delete(` ${asShardlogError(error).code}`)
      this.#report('', error)
      this.#follow()
    }
  }

  // The end.

  async flush(): Promise<void> {
    await Promise.all([...this.#open.values()].map(({ port }) => (port.buffer ?? port.appender).flush()))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#signal !== null) process.off(this.#signal, this.#reloadQuietly)
    for (const logger of this.#loggers.values()) flushStages(logger)
    for (const { logger } of this.#others) flushStages(logger.deref())
    const ports = [...this.#open.values()].map(({ port }) => closePort(port))
    const results = await Promise.allSettled([...ports, ...this.#leaving])
    const failed = results.find(result => result.status === 'rejected')
    if (failed !== undefined) throw asShardlogError(failed.reason)
  }

  stats(): Record<string, AppenderStats> {
    return Object.fromEntries(
      [...this.#open].map(([name, { port }]) => [name, (port.buffer ?? port.appender).stats?.() ?? {}])
    )
  }
}

function withoutNames(open: ReadonlyMap<string, Open>, others: readonly Open[]): Map<string, Open> {
  const names = new Set(others.map(({ config }) => config.name))
  return new Map([...open].filter(([name]) => !names.has(name)))
}

/** What stages of a logger hold back, repeats for one, is passed on. */
function flushStages(logger: StructuredLogger | undefined): void {
  ;(logger as unknown as Internals | undefined)?.flush()
}

export type { Model }

/**
 * A configuration's file, checked but not opened.
 *
 * @throws ConfigurationError
 */
export const readModel = (file: string): Model => new Model(readSource(file))

/** The configuration of the environment. */
const VARIABLE = 'SHARDLOG_CONFIG'

/**
 * Opens what a configuration says.
 *
 * @param configuration a file's path, or an object; default: the file that `SHARDLOG_CONFIG` names
 */
export function openLogging(configuration: string | URL | object | undefined, options: ConfigureOptions): Logging {
  const given = configuration ?? process.env[VARIABLE]
  if (given === undefined || given === '') {
    throw configError(`configure: give a file or an object, or name a file in ${VARIABLE}`)
  }
  const file = pathOf(given, 'configuration')
  if (typeof file === 'string') {
    // Absolute: it is read anew when the working directory may be another.
    return new ConfiguredLogging(readSource(file), { file: path.resolve(file), options })
  }
  return new ConfiguredLogging(objectSource(given), { file: null, options })
}
