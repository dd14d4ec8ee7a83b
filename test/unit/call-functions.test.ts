import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, it } from 'vitest'

interface Entered {
  file: string
  name: string
}

const script = path.resolve(__dirname, '../../scripts/call-functions.js')
const count = `process.stdout.write(JSON.stringify(require(${JSON.stringify(script)}).countCalls()))`
const filesOf = (functions: Entered[]) => new Set(functions.map(({ file }) => file)).size

it('a warm call enters 12 functions of the package in 6 files at most, a first one 45 in 10', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['-e', count], { encoding: 'utf8' })
  expect(stderr).toBe('')
  expect(status).toBe(0)
  const { first, warm } = JSON.parse(stdout) as { first: Entered[]; warm: Entered[] }
  expect(warm.map(({ name }) => name)).toContain('LOG')
  expect(warm.length).toBeLessThanOrEqual(12)
  expect(filesOf(warm)).toBeLessThanOrEqual(6)
  expect(first.length).toBeLessThanOrEqual(45)
  expect(filesOf(first)).toBeLessThanOrEqual(10)
})
