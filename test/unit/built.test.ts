import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { expect, it } from 'vitest'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

const COPIED = ['dist', 'lib', 'scripts', 'test/support', 'vitest.config.mts']
const LINKED = ['binding.gyp', 'build', 'native', 'node_modules', 'package.json', 'package-lock.json']

/**
 * A copy of what the build of TypeScript is made of, and that build, with a test that requires it.
 */
function copyOfTheRepository(): string {
  const copy = tempDir()
  const configs = fs.readdirSync(packageRoot).filter(name => /^tsconfig.*\.json$/.test(name))
  for (const name of [...COPIED, ...configs]) {
    fs.cpSync(path.join(packageRoot, name), path.join(copy, name), { recursive: true, preserveTimestamps: true })
  }
  for (const name of LINKED) fs.symlinkSync(path.join(packageRoot, name), path.join(copy, name))
  const test = `import { expect, it } from 'vitest'
    import { shardlog } from './support/shardlog'
    it('is there', () => expect(typeof shardlog).toBe('function'))`
  fs.writeFileSync(path.join(copy, 'test', 'one.test.ts'), test)
  return copy
}

function runItsTest(copy: string): { status: number | null; output: string } {
  const vitest = path.join(packageRoot, 'node_modules', 'vitest', 'vitest.mjs')
  const env = { ...process.env, VITEST: undefined, NODE_ENV: undefined }
  const options = { cwd: copy, encoding: 'utf8', timeout: 110_000, env } as const
  const { status, stdout, stderr } = spawnSync(process.execPath, [vitest, 'run', 'test/one.test.ts'], options)
  return { status, output: stdout + stderr }
}

it('tests that require the build fail when a source is broken', { timeout: 240_000 }, () => {
  const copy = copyOfTheRepository()
  expect(runItsTest(copy)).toMatchObject({ status: 0 })
  fs.appendFileSync(path.join(copy, 'lib', 'errors.ts'), "\nthrow new Error('broken on purpose')\n")
  const { status, output } = runItsTest(copy)
  expect(status).toBe(1)
  expect(output).toContain('broken on purpose')
})
