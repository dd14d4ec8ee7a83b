import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { engines } from '../support/engines'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

interface Result {
  kind: 'passed' | 'failed' | 'skipped'
  file: string
  name: string
  message?: string
}

/**
 * Where lines reach the streams that pino's tests log to: at once, or after a detour through a
 * destination with a format.
 */
type Sinks = 'direct' | 'sync' | 'async'

interface Exception {
  sinks: Sinks
  file: string
  name: string
  reason: string
}

/** Tests of pino's suite on Node 20 that it runs by itself, and that we pass. */
const LEAST_PASSED = 514

const exceptions = JSON.parse(fs.readFileSync(path.join(__dirname, 'exceptions.json'), 'utf8')) as Exception[]

function runSuite(sinks: Sinks, engine: string): Result[] {
  const report = path.join(tempDir(), 'report.json')
  const script = path.join(packageRoot, 'test', 'pino', 'suite.js')
  const detour = sinks === 'direct' ? [] : ['--sinks', sinks, '--engine', engine]
  execFileSync(process.execPath, [script, '--json', report, ...detour], { encoding: 'utf8', timeout: 280_000 })
  return JSON.parse(fs.readFileSync(report, 'utf8')) as Result[]
}

const modes: [Sinks, string][] = [
  ['direct', 'no'],
  ...engines.flatMap((engine): [Sinks, string][] => [
    ['sync', engine],
    ['async', engine]
  ])
]

describe("pino's own test suite", () => {
  it.each(modes)(
    'passes with %s sinks, by %s engine, but for what is named and argued',
    { timeout: 300_000 },
    (sinks, engine) => {
      const argued = exceptions.filter(exception => exception.sinks === sinks)
      const names = new Set(argued.map(({ file, name }) => `${file}: ${name}`))
      const results = runSuite(sinks, engine)
      const failures = results.filter(({ kind, file, name }) => kind === 'failed' && !names.has(`${file}: ${name}`))
      expect(failures.map(({ file, name, message }) => `${file}: ${name}\n${message}`)).toEqual([])
      const passed = results.filter(result => result.kind === 'passed').length
      expect(passed).toBeGreaterThanOrEqual(LEAST_PASSED - argued.length)
    }
  )
})
