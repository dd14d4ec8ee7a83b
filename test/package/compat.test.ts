import { spawnSync } from 'node:child_process'
import path from 'node:path'
import { expect, inject, it } from 'vitest'

const root = path.join(__dirname, '..', '..')

it("prints what pino prints, under packages of pino's surroundings, required in its place and installed under its name", () => {
  const args = [path.join(root, 'scripts', 'compat', 'main.js'), '--ci', '--tarball', inject('tarball')]
  const { stdout, stderr, status } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    timeout: 290_000
  })
  expect(status, stdout + stderr).toBe(0)
}, 300_000)
