import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../support/shardlog'
import { tempDir } from '../support/temp'

/**
 * What pnpm, workspaces and `npm link` make: a package behind a symbolic link, whose own dependency
 * lies beside the real one.
 */
function linkedProject(main: string): string {
  const directory = tempDir()
  const file = (name: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(directory, name)), { recursive: true })
    fs.writeFileSync(path.join(directory, name), text)
  }
  file('store/node_modules/q/index.js', "module.exports = 'q and ' + require('dep')")
  file('store/node_modules/dep/index.js', "module.exports = 'dep'")
  file('app/main.js', main)
  fs.mkdirSync(path.join(directory, 'app', 'node_modules'))
  fs.symlinkSync('../../store/node_modules/q', path.join(directory, 'app', 'node_modules', 'q'))
  return path.join(directory, 'app', 'main.js')
}

const library = JSON.stringify(packageRoot)

describe("Node's module resolution, once a pipe has been looked at,", () => {
  it.each([
    ['as standard output', `const log = require(${library})(); console.error(require('q')); log.info('started')`],
    ['as a destination', `require(${library}).destination(1); console.error(require('q'))`],
    ['as standard output again', `const make = require(${library}); make(); make(); console.error(require('q'))`],
    [
      'by the JavaScript engine',
      `require(${library}).destination({ dest: 1, engine: 'js' }); console.error(require('q'))`
    ],
    [
      'as a path that cannot be a log',
      `const { Logger } = require(${library}); try { new Logger('/dev/stdout') } catch { console.error(require('q')) }`
    ]
  ])('%s, finds what a linked package depends on', (_name, main) => {
    // By a shell: Node gives children sockets, whose kind is another.
    const command = `"${process.execPath}" "${linkedProject(main)}" | cat`
    const { stderr } = spawnSync('sh', ['-c', command], { encoding: 'utf8', timeout: 30_000 })
    expect(stderr.trim()).toBe('q and dep')
  })
})
