/**
 * The JSON Schema of configurations, made of what every appender has and of what each kind brings;
 * spellings, shorthands and checks by it.
 */

import Ajv, { type ErrorObject, type ValidateFunction } from 'ajv'
import { nearestName } from '../errors'
import { filterSchemas } from './filters'
import { type AppenderKind, type JsonSchema, knownKinds } from './kinds'
import { layoutSchemas } from './layouts'
import { type ConfigProblem, ConfigurationError, type Path, type Source, show } from './source'
import { isModuleName, loadKind } from './third-party'

type Values = Record<string, unknown>

/** A level: a name, of custom levels too, or a number. */
export const LEVEL: JsonSchema = {
  anyOf: [
    { type: 'string', minLength: 1 },
    { type: 'integer', minimum: 0 }
  ],
  'x-type': 'level'
}

const filters: JsonSchema = {
  type: 'array',
  description: 'Filters, asked in their order until one accepts or denies the record; or a single one.',
  'x-list': true,
  items: { oneOf: filterSchemas, discriminator: { propertyName: 'type' }, type: 'object', required: ['type'] }
}

/** What every appender has. */
function commonProperties(): Values {
  return {
    layout: {
      description: 'How lines are made, or the name of a layout without options.',
      'x-shorthand': 'type',
      type: 'object',
      required: ['type'],
      discriminator: { propertyName: 'type' },
      oneOf: layoutSchemas,
      default: { type: 'JSON' }
    },
    level: { ...LEVEL, description: 'Takes records of this level and above.' },
    filters,
    bufferedIo: {
      type: 'boolean',
      default: false,
      description: 'Gathers lines: they are handed on by the batch, or after an interval.'
    },
    batchSize: {
      type: 'integer',
      minimum: 1,
      maximum: 1_000_000,
      default: 1000,
      description: 'With `buffered_io`: lines are handed on when so many wait.'
    },
    flushInterval: {
      type: 'number',
      exclusiveMinimum: 0,
      maximum: 3600,
      default: 1,
      description: 'Seconds that a line waits at the most, by a timer.'
    }
  }
}

function kindSchemas(kinds: readonly AppenderKind[]): JsonSchema[] {
  return kinds.map(({ type, description, schema }) => {
    const { properties, required, ...rest } = schema as { properties?: Values; required?: string[] }
    return {
      type: 'object',
      description,
      properties: { type: { const: type }, ...properties, ...commonProperties() },
      required: ['type', ...(required ?? [])],
      additionalProperties: false,
      ...rest
    }
  })
}

const appenderRef: JsonSchema = {
  type: 'object',
  'x-shorthand': 'ref',
  description: 'The name of an appender; or its name with conditions of its own.',
  properties: {
    ref: { type: 'string', description: 'The name of an appender.' },
    level: { ...LEVEL, description: 'Records of this level and above go there.' },
    filters
  },
  required: ['ref'],
  additionalProperties: false
}

const loggerSchema: JsonSchema = {
  type: 'object',
  'x-shorthand': 'level',
  description: 'What holds for a logger and those below it in name; or its level alone.',
  properties: {
    level: { ...LEVEL, description: 'Level of the logger. Default: that of the logger above it, `info` for the root.' },
    appenders: {
      type: 'array',
      'x-list': true,
      items: appenderRef,
      description: 'Appenders by name. Default: none of its own; the root logger has those that no other logger names.'
    },
    additivity: {
      type: 'boolean',
      default: true,
      description:
        'Whether records also go to the appenders of the loggers above it. An appender gets each record once.'
    },
    filters
  },
  additionalProperties: false
}

/** The schema, as configurations are checked by it once their spelling is settled. */
export function configSchema(kinds: readonly AppenderKind[] = [...knownKinds().values()]): JsonSchema {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Configuration of shardlog',
    type: 'object',
    properties: {
      appenders: {
        type: 'object',
        minProperties: 1,
        description: 'Where records go, by names of your choice.',
        additionalProperties: {
          type: 'object',
          required: ['type'],
          discriminator: { propertyName: 'type' },
          oneOf: kindSchemas(kinds)
        }
      },
      loggers: {
        type: 'object',
        description: 'Loggers by name; `root` is above all. Without any the root logger has every appender.',
        additionalProperties: loggerSchema
      },
      customLevels: {
        type: 'object',
        description: 'Names and numbers of levels beside the six standard ones.',
        additionalProperties: { type: 'integer', minimum: 1 }
      },
      monitorInterval: {
        type: 'number',
        minimum: 0,
        maximum: 86_400,
        default: 0,
        description: 'Seconds between looks at the file, which is read anew when it has changed; 0: never.'
      },
      reloadSignal: {
        enum: ['SIGHUP', 'SIGUSR2'],
        description: 'A signal on which the file is read anew. Default: none.'
      }
    },
    required: ['appenders'],
    additionalProperties: false
  }
}

// Spelling: configurations are brought into the form that the schema has.

/** Names are the same but for underscores and case: `buffered_io`, `bufferedIo`, `bufferedIO`. */
const plainName = (name: string): string => name.replace(/_/g, '').toLowerCase()

/** A type without the part that tells what it is a type of: `KafkaAppender`, `PatternLayout`. */
const plainType = (name: string): string => name.replace(/(?:Appender|Layout|Filter)$/, '').toLowerCase()

interface Branch extends JsonSchema {
  readonly properties: { readonly type: { readonly const: string } } & Values
}

/** The paths of values as they were written, by their JSON pointers now. */
class Spelling {
  readonly problems: ConfigProblem[] = []
  readonly #paths = new Map<string, Path>()

  constructor(private readonly source: Source) {}

  pathOf(pointer: string): Path {
    for (let at = pointer; ; at = at.slice(0, at.lastIndexOf('/'))) {
      const path = this.#paths.get(at)
      if (path !== undefined) return path
    }
  }

  settle(value: unknown, schema: JsonSchema, pointer: string, path: Path): unknown {
    this.#paths.set(pointer, path)
    const shaped = this.#unfold(value, schema)
    if (Array.isArray(shaped)) {
      const items = schema.items as JsonSchema | undefined
      const isWrapped = !Array.isArray(value)
      return shaped.map((item, index) =>
        this.settle(item, items ?? {}, `${pointer}/${index}`, isWrapped ? path : [...path, index])
      )
    }
    if (typeof shaped !== 'object' || shaped === null) return this.#asNumber(shaped, schema, path)
    return this.#object(shaped as Values, schema, pointer, path)
  }

  /** A shorthand as what it stands for. */
  #unfold(value: unknown, schema: JsonSchema): unknown {
    if (schema['x-list'] === true && !Array.isArray(value) && value !== null && value !== undefined) return [value]
    const shorthand = schema['x-shorthand']
    const isPlain = typeof value === 'string' || (typeof value === 'number' && shorthand === 'level')
    return typeof shorthand === 'string' && isPlain ? { [shorthand]: value } : value
  }

  /** A variable's text where a number or a boolean is wanted. */
  #asNumber(value: unknown, schema: JsonSchema, path: Path): unknown {
    if (typeof value !== 'string' || !this.source.isFromEnvironment(path)) return value
    if ((schema.type === 'number' || schema.type === 'integer') && value.trim() !== '') {
      return Number.isNaN(Number(value)) ? value : Number(value)
    }
    if (schema.type === 'boolean' && /^(?:true|false)$/i.test(value)) return value.toLowerCase() === 'true'
    return value
  }

  #object(given: Values, schema: JsonSchema, pointer: string, path: Path): Values {
    const chosen = this.#branch(given, schema)
    const properties = (chosen.schema.properties ?? {}) as Record<string, JsonSchema>
    const names = new Map(Object.keys(properties).map(name => [plainName(name), name]))
    const more = typeof chosen.schema.additionalProperties === 'object' ? chosen.schema.additionalProperties : {}
    const made: Values = {}
    for (const [key, value] of Object.entries(given)) {
      // Log4j has one filter under this name.
      const known = Object.hasOwn(properties, key) ? key : names.get(plainName(key === 'filter' ? 'filters' : key))
      const name = known ?? key
      const at = `${pointer}/${name.replace(/~/g, '~0').replace(/\//g, '~1')}`
      if (Object.hasOwn(made, name)) {
        this.problems.push(
          this.source.problem([...path, key], value, `is given twice, as ${[...this.pathOf(at)].at(-1)}, too`)
        )
        continue
      }
      const own = known === undefined ? (more as JsonSchema) : properties[known]!
      const settled =
        known === 'type' && chosen.type !== null ? chosen.type : this.settle(value, own, at, [...path, key])
      if (known === 'type') this.#paths.set(at, [...path, key])
      Object.defineProperty(made, name, { value: settled, enumerable: true, configurable: true, writable: true })
    }
    return made
  }

  /** Of several schemas that of the value's type, and the type as it is spelt there. */
  #branch(given: Values, schema: JsonSchema): { schema: JsonSchema; type: string | null } {
    const branches = schema.oneOf as readonly Branch[] | undefined
    const type = given.type ?? given.Type
    if (branches === undefined || typeof type !== 'string') return { schema, type: null }
    const branch =
      branches.find(({ properties }) => properties.type.const === type) ??
      branches.find(({ properties }) => plainType(properties.type.const) === plainType(type))
    return branch === undefined ? { schema, type: null } : { schema: branch, type: branch.properties.type.const }
  }
}

// Errors.

/** The last name of a path, as one says it. */
function listed(names: readonly unknown[]): string {
  return names.map(name => (typeof name === 'string' ? name : show(name))).join(', ')
}

const BOUNDS: Readonly<Record<string, string>> = {
  minimum: 'at least',
  maximum: 'at most',
  exclusiveMinimum: 'more than',
  exclusiveMaximum: 'less than'
}

const got = (value: unknown): string => (value === undefined ? '' : `, got ${show(value)}`)

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  integer: 'an integer',
  boolean: 'true or false',
  object: 'a map of names and values',
  array: 'a list'
}

/** `fileName` as `file_name`. */
const snakeCase = (name: string): string => name.replace(/([a-z])([A-Z]+)/g, '$1_$2').toLowerCase()

function unknownName(error: ErrorObject): string {
  const name = String(error.params.additionalProperty)
  const known = Object.keys((error.parentSchema as { properties?: Values }).properties ?? {})
  // Spelt as the one that was given is.
  const names = /[A-Z]/.test(name) ? known : known.map(snakeCase)
  const near = nearestName(name, names)
  return `is unknown${near === undefined ? '.' : `; did you mean ${near}?`} Allowed are ${listed(names)}`
}

function unknownType(error: ErrorObject): string {
  const branches = (error.parentSchema as { oneOf: readonly Branch[] }).oneOf
  const types = branches.map(({ properties }) => properties.type.const)
  const value = error.params.tagValue as unknown
  const near = typeof value === 'string' ? nearestName(value, types) : undefined
  return `must be one of ${listed(types)}${got(value)}${near === undefined ? '' : `; did you mean ${near}?`}`
}

/** What is wrong, and what is allowed. */
function explain(error: ErrorObject): string {
  const { keyword, params, data } = error
  switch (keyword) {
    case 'type': {
      const types = [params.type].flat() as string[]
      return `must be ${types.map(type => typeNames[type] ?? type).join(' or ')}${got(data)}`
    }
    case 'required':
      return `is missing: ${String(params.missingProperty)} is required`
    case 'additionalProperties':
      return unknownName(error)
    case 'discriminator':
      return unknownType(error)
    case 'enum':
      return `must be one of ${listed(params.allowedValues as unknown[])}${got(data)}`
    case 'const':
      return `must be ${show(params.allowedValue)}${got(data)}`
    case 'minLength':
      return `must not be empty${got(data)}`
    case 'minItems':
    case 'minProperties':
      return `must have at least ${String(params.limit)}${got(data)}`
    case 'pattern':
      return `${String((error.parentSchema as { 'x-allowed'?: string })['x-allowed'] ?? `must match ${String(params.pattern)}`)}${got(data)}`
    case 'anyOf':
      return `must be the name or the number of a level${got(data)}`
    default:
      return BOUNDS[keyword] === undefined
        ? `${error.message ?? keyword}${got(data)}`
        : `must be ${BOUNDS[keyword]} ${String(params.limit)}${got(data)}`
  }
}

function problemOf(error: ErrorObject, source: Source, spelling: Spelling): ConfigProblem {
  const { keyword, params, instancePath } = error
  const base = spelling.pathOf(instancePath)
  if (keyword === 'additionalProperties') {
    const path = [...base, String(params.additionalProperty)]
    return source.problem(path, (error.data as Values)[String(params.additionalProperty)], explain(error))
  }
  if (keyword === 'required')
    return source.problem([...base, String(params.missingProperty)], undefined, explain(error))
  if (keyword === 'discriminator') {
    const value = params.tagValue as unknown
    const isMissing = value === undefined
    return source.problem([...base, 'type'], value, isMissing ? `is missing: it ${unknownType(error)}` : explain(error))
  }
  return source.problem(base, error.data, explain(error))
}

/** Errors that say no more than that an alternative failed. */
const isDetail = ({ keyword, schemaPath }: ErrorObject): boolean =>
  schemaPath.includes('/anyOf/') || keyword === 'oneOf' || keyword === 'if'

/** A configuration in its settled form, and the problems that the schema finds in it. */
export interface Checked {
  readonly config: Values
  readonly problems: ConfigProblem[]
  /** A problem at a JSON pointer of the settled form. */
  problem(pointer: string, value: unknown, message: string): ConfigProblem
}

interface Validator {
  readonly kinds: readonly AppenderKind[]
  readonly schema: JsonSchema
  readonly validate: ValidateFunction
}

let latest: Validator | null = null

/** To make the code of a check small would take longer than to run it. */
const FAST = { code: { optimize: false } } as const

/** The types that a configuration's appenders have, as they are written, with their paths. */
function typesIn(value: object): { type: unknown; path: Path }[] {
  return Object.entries(value).flatMap(([key, appenders]: [string, unknown]) => {
    if (plainName(key) !== 'appenders' || typeof appenders !== 'object' || appenders === null) return []
    return Object.entries(appenders).map(([name, appender]: [string, unknown]) => {
      const { type, Type = type } = (appender ?? {}) as Values
      return { type: Type, path: [key, name, type === undefined ? 'Type' : 'type'] }
    })
  })
}

const findKind = (kinds: readonly AppenderKind[], type: unknown): AppenderKind | undefined =>
  typeof type === 'string' ? kinds.find(kind => plainType(kind.type) === plainType(type)) : undefined

/** Loads the modules that types name. What is wrong with them. */
function loadModules(source: Source): ConfigProblem[] {
  return typesIn(source.value as object).flatMap(({ type, path }) => {
    if (typeof type !== 'string' || !isModuleName(type)) return []
    const wrong = loadKind(type, source.file)
    return wrong === null ? [] : [source.problem(path, type, `${wrong}, got ${show(type)}`)]
  })
}

/**
 * The kinds that a configuration names, in the order in which they are known; all where it names
 * what is none.
 */
function usedKinds(value: object): AppenderKind[] {
  const known = [...knownKinds().values()]
  const used = typesIn(value).map(({ type }) => findKind(known, type))
  return used.length === 0 || used.includes(undefined) ? known : known.filter(kind => used.includes(kind))
}

/** To compile one takes longer than all else: that of the kinds before is kept. */
function validator(kinds: readonly AppenderKind[]): Validator {
  if (latest === null || kinds.length !== latest.kinds.length || kinds.some((kind, at) => kind !== latest!.kinds[at])) {
    const schema = configSchema(kinds)
    const ajv = new Ajv({
      allErrors: true,
      discriminator: true,
      strict: false,
      verbose: true,
      useDefaults: true,
      ...FAST
    })
    latest = { kinds, schema, validate: ajv.compile(schema) }
  }
  return latest
}

/**
 * Brings a configuration into the form of the schema, fills in defaults and checks it.
 *
 * @throws ConfigurationError if it is no map at all
 */
export function check(source: Source): Checked {
  if (typeof source.value !== 'object' || source.value === null || Array.isArray(source.value)) {
    const message = `must be a map with appenders${got(source.value)}`
    throw new ConfigurationError(source.name, [source.problem([], source.value, message)])
  }
  const unloaded = loadModules(source)
  const { schema, validate } = validator(usedKinds(source.value))
  const spelling = new Spelling(source)
  const config = spelling.settle(source.value, schema, '', []) as Values
  const errors = validate(config) ? [] : (validate.errors ?? []).filter(error => !isDetail(error))
  const refused = errors.map(error => problemOf(error, source, spelling))
  // What the schema says of a type that could not be loaded is said already.
  const others = refused.filter(problem => !unloaded.some(({ path }) => path === problem.path))
  return {
    config,
    problems: [...unloaded, ...spelling.problems, ...others],
    problem: (pointer, value, message) => source.problem(spelling.pathOf(pointer), value, message)
  }
}
