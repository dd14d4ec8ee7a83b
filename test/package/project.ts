import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { inject } from 'vitest'

const QUIET = ['--silent', '--no-audit', '--no-fund', '--prefer-offline']

/**
 * A project beside the tests' own, with these packages (`name@version`) and the tarball in it,
 * under its name or another (`as`).
 *
 * @returns its folder; the tests' teardown removes it
 */
export function makeProject(name: string, packages: readonly string[], as = 'shardlog'): string {
  const directory = path.join(path.dirname(inject('app')), name)
  fs.mkdirSync(directory)
  const dependencies = { [as]: `file:${inject('tarball')}` }
  fs.writeFileSync(
    path.join(directory, 'package.json'),
    JSON.stringify({ name: 'project', private: true, dependencies })
  )
  execFileSync('npm', ['install', ...QUIET, ...packages], { cwd: directory, stdio: 'inherit' })
  return directory
}

/** The program `name` of a package that the project has. */
export const program = (project: string, name: string): string => path.join(project, 'node_modules', '.bin', name)
