import fs from 'node:fs'
import path from 'node:path'
import { expect, inject, it } from 'vitest'
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

/** Type-checks the given files of the installed project as a consumer with these compiler settings. */
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

it('says the same to every resolver, as Are The Types Wrong sees it', () => {
  const attw = program('@arethetypeswrong/cli', 'dist/index.js')
  const printed = run([process.execPath, attw, inject('tarball'), '--format', 'table-flipped', '--no-color'], app)
  expect(printed).toContain('No problems found')
})
