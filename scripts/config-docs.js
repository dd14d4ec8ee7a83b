'use strict'

// Makes what is told of configurations out of their schema: docs/reference/configuration.md, and
// docs/reference/configuration.schema.json for editors. With --check, only says whether they are up
// to date.
//
//   node scripts/config-docs.js [--check]

const fs = require('node:fs')
const path = require('node:path')
const { root, runMain } = require('./run')

const PAGE = 'docs/reference/configuration.md'
const SCHEMA = 'docs/reference/configuration.schema.json'

const isObject = value => typeof value === 'object' && value !== null && !Array.isArray(value)
const snake = name => name.replace(/[A-Z]+/g, letters => `_${letters.toLowerCase()}`)

// For editors: both spellings, shorthands, and variables in the places of numbers.

const VARIABLE = { type: 'string', pattern: '\\$\\{' }

/** A schema that allows all that `configure` takes. */
function forEditors(schema) {
  if (Array.isArray(schema)) return schema.map(forEditors)
  if (!isObject(schema)) return schema
  const { 'x-list': list, 'x-shorthand': shorthand, discriminator, ...rest } = schema
  const made = {}
  for (const [key, value] of Object.entries(rest)) {
    if (key.startsWith('x-')) continue
    made[key] =
      key === 'properties' ? spelt(value) : isObject(value) || Array.isArray(value) ? forEditors(value) : value
  }
  if (made.required?.some(name => snake(name) !== name)) {
    made.allOf = made.required.map(name => ({ anyOf: [{ required: [name] }, { required: [snake(name)] }] }))
    delete made.required
  }
  const { description, default: otherwise } = made
  const about = { ...(description && { description }), ...(otherwise !== undefined && { default: otherwise }) }
  if (list) return { ...about, anyOf: [made, made.items] }
  if (shorthand) return { ...about, anyOf: [names(schema), made] }
  const wantsOther =
    [made.type].flat().some(type => ['integer', 'number', 'boolean'].includes(type)) &&
    ![made.type].flat().includes('string')
  return wantsOther ? { ...about, anyOf: [made, VARIABLE] } : made
}

/** What a shorthand may be. */
function names(schema) {
  const types = (schema.oneOf ?? []).map(branch => branch.properties.type.const)
  return types.length > 0 ? { enum: types } : { type: ['string', 'integer'] }
}

/** What several have, told once. */
const definitions = {}
const SHARED = ['layout', 'filters']

function spelt(properties) {
  const made = {}
  for (const [name, schema] of Object.entries(properties)) {
    const isShared = SHARED.includes(name)
    if (isShared) definitions[name] ??= forEditors(schema)
    made[name] = isShared ? { $ref: `#/definitions/${name}` } : forEditors(schema)
    if (snake(name) !== name) made[snake(name)] = made[name]
  }
  if ('filters' in made) made.filter = made.filters
  return made
}

// The page.

/** Text for a cell of a table. */
const cell = text => text.replace(/\|/g, '\\|').replace(/\n/g, ' ')
const code = value => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``

function typeOf(schema) {
  if (schema['x-type'] === 'level') return 'level'
  if (schema.enum) return schema.enum.map(code).join(', ')
  if (schema['x-list'])
    return `list of ${schema.items['x-shorthand'] ? 'names or maps' : schema.items.oneOf ? 'filters' : 'values'}, or one`
  if (schema['x-shorthand'] === 'type') return 'layout'
  const types = [schema.type].flat().map(
    type =>
      ({
        string: 'text',
        integer: 'integer',
        number: 'number',
        boolean: 'true, false',
        object: 'map',
        array: 'list',
        null: 'null'
      })[type]
  )
  const bounds = [
    schema.minimum !== undefined && `from ${schema.minimum.toLocaleString('en')}`,
    schema.exclusiveMinimum !== undefined && `above ${schema.exclusiveMinimum.toLocaleString('en')}`,
    schema.maximum !== undefined && `to ${schema.maximum.toLocaleString('en')}`
  ].filter(Boolean)
  return [types.join(' or '), ...bounds].join(' ')
}

function defaultOf(schema, isRequired) {
  if (isRequired) return 'required'
  const value = schema.default ?? schema['x-default']
  if (value === undefined) return ''
  return code(isObject(value) && value.type ? value.type : value)
}

function table(properties, required = [], leftOut = []) {
  const rows = Object.entries(properties)
    .filter(([name]) => !leftOut.includes(name))
    .map(([name, schema]) => {
      const about = cell(schema.description ?? '')
      return `| \`${snake(name) === name ? name : snake(name)}\` | ${cell(typeOf(schema))} | ${cell(defaultOf(schema, required.includes(name)))} | ${about} |`
    })
  if (rows.length === 0) return 'No options.'
  return ['| option | value | default | |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

const section = (heading, ...paragraphs) => [heading, ...paragraphs].join('\n\n')

function page(schema) {
  const { appenders, loggers, ...top } = schema.properties
  const kinds = appenders.additionalProperties.oneOf
  const common = ['layout', 'level', 'filters', 'bufferedIo', 'batchSize', 'flushInterval']
  const shared = Object.fromEntries(common.map(name => [name, kinds[0].properties[name]]))
  const layouts = shared.layout.oneOf
  const filters = shared.filters.items.oneOf
  const verdicts = ['onMatch', 'onMismatch']
  const branch = (each, leftOut) =>
    section(
      `### ${each.properties.type.const}`,
      each.description,
      table(each.properties, each.required, ['type', ...leftOut])
    )
  return `${[
    '# Configuration',
    `What \`shardlog.configure()\` reads, in YAML or JSON: see [appenders](../guide/appenders.md) for how it is used. This page is made of the schema by
\`node scripts/config-docs.js\`; [configuration.schema.json](configuration.schema.json) is the same for editors (\`# yaml-language-server: $schema=…\`).`,
    `Names may be written in snake_case, as here, or in camelCase. In every text \`\${NAME}\` is a variable of the environment, \`\${NAME:-default}\` one with a default, and \`$\${\` a
\`\${\` itself. A *level* is one of \`trace\`, \`debug\`, \`info\`, \`warn\`, \`error\`, \`fatal\`, a custom one, \`all\`, \`off\`, or a number; case does not count. Of layouts, filters and references to
appenders that have no options the name is enough, and a list of one is that one.`,
    section('## The top', table({ appenders, loggers, ...top }, schema.required)),
    section(
      '## Loggers',
      loggers.description,
      table(loggers.additionalProperties.properties),
      'A reference to an appender:',
      table(loggers.additionalProperties.properties.appenders.items.properties, ['ref'])
    ),
    section('## Appenders', 'All of them have:', table(shared), ...kinds.map(each => branch(each, common))),
    section('## Layouts', ...layouts.map(each => branch(each, []))),
    section(
      '## Filters',
      'All of them have:',
      table(Object.fromEntries(verdicts.map(name => [name, filters[0].properties[name]]))),
      ...filters.map(each => branch(each, verdicts))
    )
  ].join('\n\n')}\n`
}

function main() {
  // Kinds of appenders are known once this is loaded.
  require('../dist/appenders/logging')
  require('../dist/ship/kinds').registerRemoteKinds()
  const { configSchema } = require('../dist/appenders/schema')
  const schema = configSchema()
  const files = {
    [PAGE]: page(schema),
    [SCHEMA]: `${JSON.stringify({ ...forEditors(schema), definitions }, null, 2)}\n`
  }
  const stale = Object.entries(files).filter(([name, text]) => {
    const file = path.join(root, name)
    return !fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== text
  })
  if (!process.argv.includes('--check')) {
    for (const [name, text] of stale) fs.writeFileSync(path.join(root, name), text)
    return
  }
  if (stale.length > 0)
    throw new Error(`not up to date: ${stale.map(([name]) => name).join(', ')}; run node scripts/config-docs.js`)
}

runMain(main)
