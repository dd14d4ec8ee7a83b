import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

/**
 * What holds for the types of a logger, whatever it was imported from. `Log` is the type of a
 * logger, `make` the function.
 */
const rules = `
const log: Log = make({ level: 'info', redact: ['a.b'], base: null, mixin: () => ({}) })
log.info('text')
log.info('%s is %d', 'a', 1)
log.info({ a: 1 }, '%s is %d', 'a', 1)
log.error(new Error('text'), 'failed')
// @ts-expect-error %d asks for a number
log.info('%d', 'text')
// @ts-expect-error nothing asks for it
log.info('text', 'text')
// @ts-expect-error an option that does not exist
make({ levle: 'info' })
// @ts-expect-error a format that does not exist
destination({ dest: 'f', format: 'json' })
// @ts-expect-error a value that does not exist
destination({ dest: 'f', format: 'ndjson', onFull: 'wait' })
// @ts-expect-error sizes are bytes
destination({ dest: 'f', format: 'ndjson', bufferSize: '64mb' })
// @ts-expect-error a name that does not exist
destination({ dest: 'f', format: 'ndjson', bufersize: 1 })
// @ts-expect-error a name that does not exist
destination({ dest: 1, onFul: 'block' })
// @ts-expect-error it needs a format
destination({ dest: 'f', onFull: 'block' })
// @ts-expect-error an option of pino's stream
destination({ dest: 'f', format: 'ndjson', sync: true })
destination({ dest: 'f', sync: true, minLength: 4096 })
destination({ dest: 1, onFull: 'drop' })
destination(new URL('file:///tmp/f'))
// @ts-expect-error a level that does not exist
log.important('text')
// @ts-expect-error banned by the augmentation below
log.info({ banned: 1 }, 'text')
const custom = make({ customLevels: { important: 45 } })
custom.important('text')
custom.child({ a: 1 }, { customLevels: { crucial: 46 } }).crucial('text')
const only = make({ customLevels: { important: 45 }, useOnlyCustomLevels: true, level: 'important' })
only.important('text')
const never: never = only.info
const several = multistream([{ level: 'error', stream: destination(2) }, process.stdout])
const both: Log = make({ timestamp: stdTimeFunctions.isoTime }, several)
const bindings: Record<string, unknown> = both.child({ a: 1 }).bindings()
const flushed: void = log.flush((error?: Error) => error)
export { bindings, flushed, never }
`

/** What holds besides where fields after the message join the line. */
const ownRules = `
log.info('text', { userId: 1 })
log.info('%d', 1, { userId: 1 })
log.error('failed', new Error('text'))
log.child({}).info('text', { userId: 1 })
custom.important('text', { userId: 1 })
// @ts-expect-error banned by the augmentation below
log.info('text', { banned: 1 })
log.event('text', ['a'], { level: 'warn' })
// @ts-expect-error a name that does not exist
log.event('text', ['a'], { lvl: 'warn' })
const login = log.event('user login', ['userId'])
login(1)
// @ts-expect-error one value too many
login(1, 2)
const result: number = log.withContext({ a: 1 }, () => 1)
const metrics: string = log.metrics({ job: 'a' })
// @ts-expect-error values are strings
log.metrics({ job: 1 })
declare const client: typeof import('prom-client')
declare const openMetrics: import('prom-client').Registry<import('prom-client').OpenMetricsContentType>
const remove: () => void = make.registerMetrics(client, log, { job: 'a' })
make.registerMetrics(client.register, new make.Logger('f'))
make.registerMetrics(openMetrics, new make.Recorder())
// @ts-expect-error no registry
make.registerMetrics({}, log)
export { metrics, remove, result }
`

/** In pino's place nothing is allowed that pino ignores. */
const pinoRules = `
// @ts-expect-error nothing asks for it
log.info('text', { userId: 1 })
`

const rulesOf = (module: string) => rules + (module === 'shardlog' ? ownRules : pinoRules)

const augmentation = (module: string) => `declare module '${module}' { interface LogFnFields { banned?: never } }\n`

const named = (module: string, type: string) =>
  `import make, { type ${type}, destination, multistream, stdTimeFunctions } from '${module}'
type Log = ${type}
${augmentation(module)}${rulesOf(module)}`

const required = (module: string, type: string) =>
  `import make = require('${module}')
const { destination, multistream, stdTimeFunctions } = make
type Log = make.${type}
${augmentation(module)}${rulesOf(module)}`

/** The compiler's complaints about a program in a project that has the package installed. */
function complaints(name: string, text: string, settings: Record<string, unknown>): string {
  const directory = fs.realpathSync(tempDir())
  fs.mkdirSync(path.join(directory, 'node_modules'))
  fs.symlinkSync(packageRoot, path.join(directory, 'node_modules', 'shardlog'))
  fs.symlinkSync(
    path.join(packageRoot, 'node_modules', 'prom-client'),
    path.join(directory, 'node_modules', 'prom-client')
  )
  fs.writeFileSync(path.join(directory, name), text)
  const typeRoots = [path.join(packageRoot, 'node_modules', '@types')]
  const strict = { strict: true, noEmit: true, target: 'es2022', types: ['node'], typeRoots }
  const config = { compilerOptions: { ...strict, ...settings }, files: [name] }
  fs.writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify(config))
  const compiler = path.join(packageRoot, 'node_modules', 'typescript', 'bin', 'tsc')
  return spawnSync(process.execPath, [compiler, '-p', directory], { encoding: 'utf8' }).stdout
}

describe.each([
  ['shardlog', 'Logger'],
  ['shardlog', 'StructuredLogger'],
  ['shardlog/pino', 'Logger']
])('the types of %s by the name %s', (module, type) => {
  it('hold in CommonJS', () => {
    const settings = { module: 'node16', esModuleInterop: true }
    expect(complaints('named.cts', named(module, type), settings)).toBe('')
    expect(complaints('required.cts', required(module, type), settings)).toBe('')
  })

  it('hold where declarations are checked too', () => {
    expect(complaints('named.cts', named(module, type), { module: 'node16', skipLibCheck: false })).toBe('')
  })

  it('hold in ES modules', () => {
    expect(complaints('named.mts', named(module, type), { module: 'node16' })).toBe('')
  })

  it('hold where a bundler resolves modules', () => {
    const settings = { module: 'esnext', moduleResolution: 'bundler' }
    expect(complaints('named.ts', named(module, type), settings)).toBe('')
  })
})
