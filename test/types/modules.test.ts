import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { packageRoot, shardlog } from '../support/shardlog'
import { tempDir } from '../support/temp'

/** Names of pino, which the function has too. */
const PINO_NAMES = [
  'destination',
  'levels',
  'multistream',
  'pino',
  'shardlog',
  'stdSerializers',
  'stdTimeFunctions',
  'symbols',
  'transport'
]
const OWN_NAMES = [
  'Logger',
  'RawLogger',
  'Recorder',
  'ShardlogError',
  'configure',
  'defaultConfig',
  'readLog',
  'readSnapshot',
  'recoverLog',
  'verifyLog',
  'version'
]
const FEATURE_NAMES = [
  'CircuitBreaker',
  'captureErrors',
  'circuitBreaker',
  'exception',
  'getLoggerStats',
  'logCalls',
  'logPerformance',
  'operation',
  'performanceIssue',
  'registerMetrics',
  'stateChange'
]
const NAMES = [...OWN_NAMES, ...PINO_NAMES, ...FEATURE_NAMES]

/** Runs an ES module that may import the package from `facade`, and returns what it prints. */
function runModule(source: string): string {
  const file = path.join(tempDir(), 'main.mjs')
  const facade = pathToFileURL(path.join(packageRoot, 'dist', 'index.mjs')).href
  fs.writeFileSync(file, source.replaceAll("'shardlog'", `'${facade}'`))
  return execFileSync(process.execPath, [file], { encoding: 'utf8' }).trim()
}

describe('the package as a module', () => {
  it('require gives a function with every public name as a property, and nothing else', () => {
    expect(typeof shardlog).toBe('function')
    expect(Object.keys(shardlog).sort()).toEqual([...NAMES, 'default'].sort())
    expect(shardlog).not.toHaveProperty('__esModule')
  })

  it('import gives the same function as default and the same names', () => {
    const source = `import shardlog, * as names from 'shardlog'
      const same = Object.keys(names).filter(name => name !== 'default').every(name => names[name] === shardlog[name])
      console.log(JSON.stringify([Object.keys(names).sort(), typeof shardlog, same]))`
    expect(JSON.parse(runModule(source))).toEqual([[...NAMES, 'default'].sort(), 'function', true])
  })

  it('require and import share one state', () => {
    const source = `import { createRequire } from 'node:module'
      import { Logger } from 'shardlog'
      console.log(Logger === createRequire(import.meta.url)(${JSON.stringify(packageRoot)}).Logger)`
    expect(runModule(source)).toBe('true')
  })

  it('the default is called as pino is and gives a structured logger', () => {
    const lines: string[] = []
    const logger = shardlog({ base: null, timestamp: false }, { write: line => lines.push(line) })
    logger.info({ a: 1 }, 'text')
    expect(lines).toEqual(['{"level":30,"a":1,"msg":"text"}\n'])
  })

  it('version is that of package.json', () => {
    const manifest = JSON.parse(fs.readFileSync(path.join(packageRoot, 'package.json'), 'utf8'))
    expect(shardlog.version).toBe(manifest.version)
  })

  it('errors are ShardlogErrors with a code', () => {
    expect(() => new shardlog.Logger('')).toThrow(shardlog.ShardlogError)
    expect(() => new shardlog.Logger('')).toThrow(
      expect.objectContaining({ name: 'ShardlogError', code: 'ERR_SHARDLOG_CONFIG' })
    )
  })
})
