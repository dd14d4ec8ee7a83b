import { spawnSync } from 'node:child_process'
import path from 'node:path'
import type { TestProject } from 'vitest/node'

/**
 * Makes what is out of date of the build: child processes and workers run that, and most tests
 * require it.
 */
function build(): void {
  const root = path.resolve(__dirname, '..', '..')
  const { status, error } = spawnSync(process.execPath, ['scripts/setup.js'], { cwd: root, stdio: 'inherit' })
  if (error) throw error
  if (status !== 0) throw new Error(`the sources do not build: scripts/setup.js ended with ${status}`)
}

/** Before the first test, and before those that a change of a source runs again. */
export default function setup(project: TestProject): void {
  build()
  project.onTestsRerun(build)
}
