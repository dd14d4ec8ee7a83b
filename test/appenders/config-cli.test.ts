import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

function shardlogConfig(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [path.join(packageRoot, 'dist/cli/main.js'), 'config', ...args],
    { encoding: 'utf8', timeout: 30_000 }
  )
  return { status, stdout, stderr }
}

const CONFIGURATION = `appenders:
  console: { type: Console, level: warn }
  file:
    type: File
    file_name: never/made.log
    filters:
      - { type: Regex, regex: health, on_match: DENY, on_mismatch: NEUTRAL }
  audit: { type: File, file_name: never/audit.log }
  some: { type: File, file_name: never/some.log, filter: { type: Sampling, share: 0.5 } }
loggers:
  root: { level: info, appenders: [console, file, some] }
  audit: { additivity: false, appenders: audit }
  tenant: { level: debug, filter: { type: Field, field: tenant, values: acme } }
`

function configuration(): string {
  const file = path.join(tempDir(), 'logging.yaml')
  fs.writeFileSync(file, CONFIGURATION)
  return file
}

describe('shardlog config', () => {
  it('check says that a configuration is fine, and opens nothing', () => {
    const file = configuration()
    expect(shardlogConfig('check', file)).toEqual({
      status: 0,
      stdout: `${file}: fine: appenders console, file, audit, some; loggers root, audit, tenant\n`,
      stderr: ''
    })
    expect(fs.existsSync(path.join(path.dirname(file), 'never'))).toBe(false)
  })

  it('check tells of all that is wrong', () => {
    const file = path.join(tempDir(), 'wrong.yaml')
    fs.writeFileSync(file, 'appenders:\n  a: { type: Fil }\n  b: { type: File, file_name: 5 }\n')
    const { status, stderr } = shardlogConfig('check', file)
    expect(status).toBe(1)
    expect(stderr).toMatch(
      /wrong\.yaml: 2 problems\n {2}line 2, appenders\.a\.type: .*\n {2}line 3, appenders\.b\.file_name: /
    )
    expect(shardlogConfig('check', `${file}.none`).stderr).toMatch(/ENOENT/)
  })

  it('explain says which appenders a record reaches, and why not the others', () => {
    const file = configuration()
    const fates = (...args: string[]): string => shardlogConfig('explain', ...args).stdout
    expect(fates(file, 'orders', 'info')).toBe(`logger orders, whose level is info; a record of level info:
  not      console (Console) below the level of the appender console
  reached  file (File)       by way of the root logger
  not      audit (File)      neither orders nor a logger above it names it, or additivity is off between them
  perhaps  some (File)       by way of the root logger, where a filter of rate or chance lets it pass
`)
    expect(fates('--message', 'GET /health', file, 'orders', 'error')).toMatch(
      /reached {2}console .*\n {2}not {6}file .* a Regex filter of the appender file denies it/
    )
    expect(fates(file, 'audit.deep', 'warn')).toMatch(
      /not {6}console .*additivity[\s\S]*reached {2}audit .* by way of audit\n/
    )
    expect(fates(file, 'tenant', 'debug')).toMatch(/not {6}file .*a Field filter of tenant denies it/)
    expect(fates('--field', 'tenant=acme', file, 'tenant', 'debug')).toMatch(/reached {2}file /)
    expect(fates(file, 'root', 'debug')).toMatch(/not {6}file .*below the level of the logger, info/)
  })

  it('refuses what it cannot be asked', () => {
    const file = configuration()
    for (const args of [[], ['what'], ['check'], ['explain', file], ['explain', '--field', 'x', file, 'a', 'info']]) {
      expect(shardlogConfig(...args)).toMatchObject({ status: 2 })
    }
    expect(shardlogConfig('explain', file, 'a', 'loud')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/must be one of trace/)
    })
  })
})

describe('what is told of configurations', () => {
  it('is what the schema says', () => {
    const { status, stderr } = spawnSync(process.execPath, ['scripts/config-docs.js', '--check'], {
      cwd: packageRoot,
      encoding: 'utf8'
    })
    expect([status, stderr]).toEqual([0, ''])
  })
})
