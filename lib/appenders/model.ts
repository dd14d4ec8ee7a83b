/**
 * A checked configuration, compiled: levels, layouts and filters made of their options, and which
 * appenders the records of a logger go to.
 */

import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { substitute } from '../config'
import { nearestName, ShardlogError } from '../errors'
import { STANDARD_LEVELS } from '../pino/levels'
import { type Filter, makeFilter } from './filters'
import { knownKinds } from './kinds'
import { isPlainJson, makeLayout } from './layouts'
import type { Layout } from './line-parts'
import { type Checked, check } from './schema'
import { type ConfigProblem, ConfigurationError, type Source, show } from './source'

type Options = Readonly<Record<string, unknown>>

/** An appender as it is configured. */
export interface AppenderConfig {
  readonly name: string
  readonly type: string
  readonly options: Options
  readonly filters: readonly Filter[]
  /** Lowest level that it takes. */
  readonly level: number
  /** null: lines of JSON as the loggers make them. */
  readonly layout: Layout | null
}

/** A reference of a logger to an appender. */
export interface Ref {
  readonly appender: AppenderConfig
  readonly level: number
  readonly filters: readonly Filter[]
}

/** What one logger of a hierarchy does with a record, before the one above it is asked. */
export interface Step {
  /** Name of the logger; '' for the root. */
  readonly logger: string
  readonly filters: readonly Filter[]
  readonly refs: readonly Ref[]
}

interface LoggerConfig extends Step {
  readonly level: string | number | undefined
  readonly additivity: boolean
}

/** What holds for a logger of a name. */
export interface Resolved {
  /** Name of its level. */
  readonly level: string
  readonly steps: readonly Step[]
}

const ROOT = ''
const DEFAULT_LEVEL = 'info'
const ALIASES: Readonly<Record<string, string>> = { off: 'silent', all: 'trace', warning: 'warn' }

/** The file that an appender's options name, if they do. */
export const fileOf = ({ fileName }: Options): string | undefined =>
  typeof fileName === 'string' ? path.resolve(substitute(fileName)) : undefined

/** `root`, however it is written. */
const loggerName = (name: string): string => (/^root$/i.test(name) ? ROOT : name)

/** Names and numbers of levels. */
class Levels {
  readonly #numbers: ReadonlyMap<string, number>

  constructor(readonly custom: Readonly<Record<string, number>>) {
    this.#numbers = new Map<string, number>([
      ...Object.entries(STANDARD_LEVELS),
      ...Object.entries(custom),
      ['silent', Number.POSITIVE_INFINITY]
    ])
  }

  /** The name that loggers have for a level. Throws ShardlogError. */
  nameOf(level: string | number): string {
    const lower = String(level).toLowerCase()
    const name = ALIASES[lower] ?? lower
    const known = [...this.#numbers].find(([key, number]) => key === level || key === name || number === Number(level))
    if (known !== undefined) return known[0]
    const names = [...this.#numbers.keys()]
    const near = nearestName(String(level), names)
    throw new ShardlogError(
      'ERR_SHARDLOG_CONFIG',
      `must be one of ${names.join(', ')}, off, all, got ${show(level)}${near === undefined ? '' : `; did you mean ${near}?`}`
    )
  }

  /** The number of a level; one that no level has is a bound between levels. */
  readonly numberOf = (level: string | number): number =>
    typeof level === 'number' || /^\d+$/.test(level) ? Number(level) : this.#numbers.get(this.nameOf(level))!
}

const asMap = (value: unknown): Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
const asList = (value: unknown): unknown[] => (Array.isArray(value) ? value : [])

const pointerName = (name: string): string => name.replace(/~/g, '~0').replace(/\//g, '~1')

/** Compiles what the schema has found to be right, and collects what is wrong all the same. */
class Compiler {
  readonly problems: ConfigProblem[]
  readonly levels: Levels
  readonly appenders = new Map<string, AppenderConfig>()
  readonly loggers = new Map<string, LoggerConfig>()
  readonly #named = new Set<string>()
  readonly #files = new Map<string, string>()

  constructor(private readonly checked: Checked) {
    const { config, problems } = checked
    this.problems = [...problems]
    this.levels = this.#levels(asMap(config.customLevels))
    for (const [name, options] of Object.entries(asMap(config.appenders))) this.#appender(name, asMap(options))
    for (const [name, options] of Object.entries(asMap(config.loggers))) this.#logger(name, asMap(options))
    this.#completeRoot()
  }

  #levels(custom: Record<string, unknown>): Levels {
    const numbers: Record<string, number> = {}
    for (const [name, number] of Object.entries(custom)) {
      const isTaken = Object.hasOwn(STANDARD_LEVELS, name) || Object.hasOwn(ALIASES, name) || name === 'silent'
      if (isTaken || Object.values(STANDARD_LEVELS).includes(number as number)) {
        this.#tell(`/customLevels/${pointerName(name)}`, number, 'is the name or the number of a standard level')
      } else if (typeof number === 'number') numbers[name] = number
    }
    return new Levels(numbers)
  }

  #tell(pointer: string, value: unknown, message: string): void {
    this.problems.push(this.checked.problem(pointer, value, message))
  }

  /** What `make` makes; `otherwise` if it fails, which is a problem at `pointer`. */
  #attempt<Made>(pointer: string, value: unknown, otherwise: Made, make: () => Made): Made {
    try {
      return make()
    } catch (error) {
      if (!(error instanceof ShardlogError)) throw error
      this.#tell(pointer, value, error.message)
      return otherwise
    }
  }

  #level(holder: Record<string, unknown>, key: string, pointer: string): number {
    const level = holder[key]
    if (typeof level !== 'string' && typeof level !== 'number') return 0
    return this.#attempt(`${pointer}/${key}`, level, 0, () => this.levels.numberOf(level))
  }

  #filters(holder: Record<string, unknown>, pointer: string): Filter[] {
    return asList(holder.filters).flatMap((given, index) => {
      const options = asMap(given)
      const at = `${pointer}/filters/${index}`
      // What the schema refuses is told already.
      if (this.#isRefused(at)) return []
      return this.#attempt<Filter[]>(at, options, [], () => [makeFilter(options, this.levels.numberOf)])
    })
  }

  #pathAt(pointer: string): string {
    return this.checked.problem(pointer, undefined, '').path
  }

  /** Whether the schema refuses what stands there, or a part of it. */
  #isRefused(pointer: string): boolean {
    const path = this.#pathAt(pointer)
    return this.checked.problems.some(problem => {
      const rest = problem.path.startsWith(path) ? problem.path.slice(path.length) : '?'
      return rest === '' || rest.startsWith('.') || rest.startsWith('[')
    })
  }

  /** Whether the schema accepts the option of an appender, or its default stands there. */
  #isRight(options: Record<string, unknown>, key: string, pointer: string): boolean {
    const at = `${pointer}/${pointerName(key)}`
    return options[key] === undefined || this.#pathAt(at) === this.#pathAt(pointer) || !this.#isRefused(at)
  }

  #appender(name: string, options: Record<string, unknown>): void {
    const pointer = `/appenders/${pointerName(name)}`
    const kind = typeof options.type === 'string' ? knownKinds().get(options.type) : undefined
    if (kind === undefined) return
    if (options.fileName === undefined && kind.defaultFile !== undefined) options.fileName = kind.defaultFile(name)
    const layout = asMap(options.layout ?? { type: 'JSON' })
    const isTerminal =
      options.type === 'Console' && Boolean(options.target === 'stderr' ? process.stderr.isTTY : process.stdout.isTTY)
    const make = (): Layout | null => (isPlainJson(layout) ? null : makeLayout(layout, { isTerminal }))
    this.appenders.set(name, {
      name,
      type: kind.type,
      options,
      filters: this.#filters(options, pointer),
      level: this.#level(options, 'level', pointer),
      layout: this.#isRight(options, 'layout', pointer) ? this.#attempt(`${pointer}/layout`, layout, null, make) : null
    })
    // What no schema can tell is told beside what it does.
    const right = Object.fromEntries(Object.entries(options).filter(([key]) => this.#isRight(options, key, pointer)))
    const required = (kind.schema.required as readonly string[] | undefined) ?? []
    if (!required.every(key => Object.hasOwn(right, key))) return
    this.#file(name, right.fileName, pointer)
    for (const { option, message } of kind.check?.(right) ?? []) {
      this.#tell(`${pointer}/${pointerName(option)}`, options[option], `${message}, got ${show(options[option])}`)
    }
  }

  /** A file has one appender: two would each roll it, and write each record twice. */
  #file(name: string, fileName: unknown, pointer: string): void {
    const file = fileOf({ fileName })
    if (file === undefined) return
    const other = this.#files.get(file)
    if (other === undefined) this.#files.set(file, name)
    else this.#tell(`${pointer}/fileName`, fileName, `is the file of the appender ${other}, got ${show(fileName)}`)
  }

  #logger(given: string, options: Record<string, unknown>): void {
    const pointer = `/loggers/${pointerName(given)}`
    const name = loggerName(given)
    if (this.loggers.has(name)) this.#tell(pointer, given, 'is the root logger, which is there already')
    if (name !== ROOT && !/^[^.]+(?:\.[^.]+)*$/.test(name)) {
      this.#tell(pointer, given, 'must be names with a dot between each two')
    }
    const { level } = options
    const isLevel = typeof level === 'string' || typeof level === 'number'
    const own = isLevel
      ? this.#attempt<string | undefined>(`${pointer}/level`, level, undefined, () => this.levels.nameOf(level))
      : undefined
    const refs = asList(options.appenders).flatMap((ref, index) =>
      this.#ref(asMap(ref), `${pointer}/appenders/${index}`)
    )
    const isSilent = options.appenders === undefined
    this.loggers.set(name, {
      logger: name,
      level: own,
      additivity: options.additivity !== false,
      filters: this.#filters(options, pointer),
      refs
    })
    if (name === ROOT && !isSilent) this.#named.add(ROOT)
  }

  #ref(options: Record<string, unknown>, pointer: string): Ref[] {
    const { ref } = options
    if (typeof ref !== 'string') return []
    this.#named.add(`appender ${ref}`)
    const appender = this.appenders.get(ref)
    if (appender === undefined) {
      const names = Object.keys(asMap(this.checked.config.appenders))
      // One that is there, but wrong itself.
      if (names.includes(ref)) return []
      const near = nearestName(ref, names)
      this.#tell(
        pointer,
        ref,
        `there is no appender ${show(ref)}${near === undefined ? '.' : `; did you mean ${near}?`} Appenders are ${names.join(', ')}`
      )
      return []
    }
    return [{ appender, level: this.#level(options, 'level', pointer), filters: this.#filters(options, pointer) }]
  }

  /** A root that names no appenders has those that no other logger names. */
  #completeRoot(): void {
    if (this.#named.has(ROOT)) return
    const { filters = [], level } = this.loggers.get(ROOT) ?? {}
    const free = [...this.appenders.values()].filter(({ name }) => !this.#named.has(`appender ${name}`))
    const refs = free.map(appender => ({ appender, level: 0, filters: [] }))
    this.loggers.set(ROOT, { logger: ROOT, level, additivity: true, filters, refs })
  }
}

/** A configuration that is right. */
export class Model {
  readonly appenders: ReadonlyMap<string, AppenderConfig>
  readonly customLevels: Readonly<Record<string, number>>
  readonly monitorInterval: number
  readonly reloadSignal: NodeJS.Signals | null
  readonly #loggers: ReadonlyMap<string, LoggerConfig>
  readonly #levels: Levels

  /** @throws ConfigurationError with all that is wrong */
  constructor(source: Source) {
    const checked = check(source)
    const compiler = new Compiler(checked)
    if (compiler.problems.length > 0) {
      const lines = [...compiler.problems].sort((a, b) => (a.line ?? 0) - (b.line ?? 0))
      throw new ConfigurationError(source.name, lines)
    }
    this.appenders = compiler.appenders
    this.customLevels = compiler.levels.custom
    this.#levels = compiler.levels
    this.#loggers = compiler.loggers
    this.monitorInterval = (checked.config.monitorInterval as number | undefined) ?? 0
    this.reloadSignal = (checked.config.reloadSignal as NodeJS.Signals | undefined) ?? null
  }

  /** Names of loggers that are configured. */
  get loggers(): string[] {
    return [...this.#loggers.keys()]
  }

  /** @throws ShardlogError for a level that is none */
  levelNumber(level: string | number): number {
    return this.#levels.numberOf(level)
  }

  /** What holds for a logger: of those that are configured, itself and the ones above it. */
  resolve(name: string): Resolved {
    const steps: LoggerConfig[] = []
    let level: string | number | undefined
    let isAdditive = true
    for (let at = loggerName(name); ; at = at.slice(0, Math.max(0, at.lastIndexOf('.')))) {
      const config = this.#loggers.get(at)
      level ??= config?.level
      if (config !== undefined && isAdditive) {
        steps.push(config)
        isAdditive = config.additivity
      }
      if (at === ROOT) break
    }
    return { level: String(level ?? DEFAULT_LEVEL), steps }
  }
}

/** Whether two appenders are the same, so that the one that is open goes on. */
export const isSame = (one: AppenderConfig, other: AppenderConfig): boolean =>
  one.type === other.type && isDeepStrictEqual(one.options, other.options)
