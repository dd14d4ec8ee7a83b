import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { makeProject } from './project'
import { run } from './run'

const root = path.join(__dirname, '..', '..')
const app = inject('app')
const program = (name: string, file: string) => path.join(root, 'node_modules', name, file)

const body = `
const logger: RawLogger = new Logger(defaultConfig('types.log'))
const accepted: boolean = logger.log('text')
const alsoAccepted: boolean = logger.logBytes(new Uint8Array(3), 0, 2)
const dropped: number = logger.getStatsSnapshot().droppedLogs
const config: Config = { logFilePath: 'types.log', crashSafe: 'shm', directIO: 'off' }
const p99: number = logger.getFlushMetrics().p99
const utilization: number[] = logger.getShardStats().map(shard => shard.utilizationPct)
const closed: Promise<void> = logger.close()
// @ts-expect-error an option that does not exist
const wrong: Config = { logFilePath: 'types.log', bufferSiz: 1 }
export { accepted, alsoAccepted, closed, config, dropped, p99, utilization, wrong }
`
const named = `import { Logger, defaultConfig, type Config, type RawLogger } from 'shardlog'\n${body}`
const viaDefault = `import shardlog, { type Config, type RawLogger as LoggerType } from 'shardlog'
const logger: LoggerType = new shardlog.Logger({ logFilePath: 'types.log' })
export const config: Config = { logFilePath: 'types.log' }
export { logger }
`
const viaRequire = `import shardlog = require('shardlog')
const logger: shardlog.RawLogger = new shardlog.Logger({ logFilePath: 'types.log' })
export = logger
`

/**
 * Type-checks the given files of the installed project as a consumer with these compiler settings.
 */
function check(files: Record<string, string>, settings: Record<string, unknown>): string {
  const directory = fs.mkdtempSync(path.join(app, 'types-'))
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), text)
  const typeRoots = [path.join(root, 'node_modules', '@types')]
  const compilerOptions = { strict: true, noEmit: true, target: 'es2022', types: ['node'], typeRoots, ...settings }
  fs.writeFileSync(
    path.join(directory, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: Object.keys(files) })
  )
  return run([process.execPath, program('typescript', 'bin/tsc'), '-p', directory], directory)
}

it('has types for CommonJS consumers', () => {
  const files = { 'named.cts': named, 'default.cts': viaDefault, 'require.cts': viaRequire }
  expect(check(files, { module: 'node16', esModuleInterop: true })).toBe('')
})

it('has types for ES module consumers', () => {
  expect(check({ 'named.mts': named, 'default.mts': viaDefault }, { module: 'node16' })).toBe('')
})

it('has types for consumers whose bundler resolves modules', () => {
  expect(
    check({ 'named.ts': named, 'default.ts': viaDefault }, { module: 'esnext', moduleResolution: 'bundler' })
  ).toBe('')
})

/** Loggers where other packages ask for pino's by type. */
const ecosystem = `
import fastify from 'fastify'
import realPino from 'pino'
import { pinoHttp } from 'pino-http'
import shardlog from 'shardlog'
import pino from 'shardlog/pino'
const ours = shardlog()
const theirs = pino()
pinoHttp({ logger: ours })
pinoHttp({ logger: theirs })
pinoHttp({ logger: pino() })
fastify({ loggerInstance: ours })
fastify({ loggerInstance: theirs })
export const loggers: realPino.Logger[] = [ours, theirs, shardlog(), pino(), ours.child({})]
export const options: realPino.LoggerOptions = { level: 'info' } satisfies pino.LoggerOptions as pino.LoggerOptions
shardlog(options)
realPino(shardlog.destination({ dest: 'types.log', format: 'ndjson' }))
export function make<Levels extends string>(given: pino.LoggerOptions<Levels>): pino.Logger<Levels> {
  return pino(given)
}
`
const interop = `
import * as star from 'shardlog'
import byDefault, { type SamplingStats } from 'shardlog'
import pino, { pino as named } from 'shardlog/pino'
import required = require('shardlog')
import Options = pino.LoggerOptions
const options: Options = {}
star({}).info('text'); byDefault().info('text', { a: 1 }); pino(options).info('text'); named().info('text'); required.default().info('text')
export type Stats = [SamplingStats, required.SamplingStats, star.DedupeStats, required.TraceStats, required.RecordDestination]
`

describe('compilers of other versions', () => {
  let project: string
  beforeAll(() => {
    const compilers = ['ts50@npm:typescript@5.0.4', 'ts59@npm:typescript@5.9.3', 'ts7@npm:typescript@7.0.2']
    project = makeProject('compilers', [
      ...compilers,
      '@types/node@20.19.43',
      'pino@10.4.0',
      'pino-http@11.0.0',
      'fastify@5.12.8'
    ])
    fs.writeFileSync(path.join(project, 'ecosystem.mts'), ecosystem)
    fs.writeFileSync(path.join(project, 'interop.cts'), interop)
  })

  const compile = (compiler: string, file: string, ...settings: string[]) => {
    const tsc = path.join(project, 'node_modules', compiler, 'bin', 'tsc')
    const fixed = ['--noEmit', '--strict', '--target', 'es2022', '--types', 'node', '--module', 'node16']
    const { stdout } = spawnSync(process.execPath, [tsc, ...fixed, ...settings, file], {
      cwd: project,
      encoding: 'utf8'
    })
    return stdout
  }

  it.each(['ts50', 'ts59'])('take the names without esModuleInterop: %s', compiler => {
    const lib = compiler === 'ts50' ? ['--skipLibCheck'] : []
    expect(compile(compiler, 'interop.cts', '--esModuleInterop', 'false', ...lib)).toBe('')
  })

  it.each(['ts59', 'ts7'])('take loggers where pino-http, Fastify and pino itself ask for pino: %s', compiler => {
    expect(compile(compiler, 'ecosystem.mts', '--skipLibCheck')).toBe('')
  })
})

it('says the same to every resolver, as Are The Types Wrong sees it', () => {
  const attw = program('@arethetypeswrong/cli', 'dist/index.js')
  const printed = run([process.execPath, attw, inject('tarball'), '--format', 'table-flipped', '--no-color'], app)
  expect(printed).toContain('No problems found')
})
