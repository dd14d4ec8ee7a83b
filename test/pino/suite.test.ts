import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

interface Result {
  kind: 'passed' | 'failed' | 'skipped'
  file: string
  name: string
  message?: string
}

interface Exception {
  file: string
  name: string
  reason: string
}

/** Tests of pino's suite on Node 20 that it runs by itself, and that we pass. */
const LEAST_PASSED = 514

const exceptions = JSON.parse(fs.readFileSync(path.join(__dirname, 'exceptions.json'), 'utf8')) as Exception[]
const named = new Set(exceptions.map(({ file, name }) => `${file}: ${name}`))

function runSuite(): Result[] {
  const report = path.join(tempDir(), 'report.json')
  const script = path.join(packageRoot, 'test', 'pino', 'suite.js')
  execFileSync(process.execPath, [script, '--json', report], { encoding: 'utf8', timeout: 280_000 })
  return JSON.parse(fs.readFileSync(report, 'utf8')) as Result[]
}

describe("pino's own test suite", () => {
  it('passes, but for what is named and argued', { timeout: 300_000 }, () => {
    const results = runSuite()
    const failures = results.filter(({ kind, file, name }) => kind === 'failed' && !named.has(`${file}: ${name}`))
    expect(failures.map(({ file, name, message }) => `${file}: ${name}\n${message}`)).toEqual([])
    const passed = results.filter(result => result.kind === 'passed').length
    expect(passed).toBeGreaterThanOrEqual(LEAST_PASSED - exceptions.length)
  })
})
